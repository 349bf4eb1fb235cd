"""Before a measurement whose answers are run: that what they are run with is there, and that the expected answers work.

An expected statement that fails is found here and not after a thousand paid calls.
"""

import time
from contextlib import closing

from sqlalchemy.orm import Session

from app.baselines import deciding_judge, prompts
from app.baselines.offers import Context
from app.blobs import Blobs
from app.errors import Conflict, FieldError
from app.evaluation import metrics
from app.evaluation.metrics import Options
from app.processes.sealed import Unavailable
from app.scoring import service as scoring
from app.scoring.scores import AboutRow
from app.settings import Settings
from app.wording import percent

TRIED = 100  # dev rows whose expected answer is scored against itself
SECONDS = 5.0  # after which no further row is tried: a person waits, and so does whoever else writes
LEAST = 0.98  # share of them that has to work: as few rows may have no score as may have no answer


def faults(
    session: Session, settings: Settings | None, context: Context, metric: str, options: Options
) -> list[FieldError]:
    """Why a metric that is executed cannot decide this measurement, one fault each."""
    if not metrics.get(metric).executed or not options or metric == deciding_judge.METRIC:
        return []  # the last is looked at by `planning`, which is told of judges
    faults = scoring.against(session, settings, context.assessment.id, metric, options)
    if faults or settings is None:
        return faults
    name = "database" if metric == "sql_result" else "scorer"
    rows = context.examples["dev"][:TRIED]
    tried, broken, first, until = 0, 0, "", time.monotonic() + SECONDS
    try:
        with closing(scoring.opened(session, settings, Blobs(settings.blobs_dir), metric, options)) as scorer:
            for row in rows:
                if time.monotonic() > until:
                    break
                score = scorer.score(row.target, row.target, AboutRow(row.line, prompts.question(row.messages)))
                tried += 1
                broken += score.value is None
                first = first or (score.why if score.value is None else "")
    except (Conflict, Unavailable) as why:
        return [FieldError(f"#/metric_options/{name}", str(why))]
    if broken > (1 - LEAST) * tried:
        sentence = f"{percent(broken / tried, 0)} of the expected dev answers cannot be scored. The first: {first}"
        return [FieldError(f"#/metric_options/{name}", sentence)]
    return []
