"""What the page and the API of metrics make of an assessment: what fits its answers, what decides, what is watched."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from app.assessments import service as assessments
from app.assessments.tables import AssessmentRow
from app.baselines import deciding_judge, store
from app.baselines.tables import BaselineRow
from app.datasets import masked_rows
from app.datasets import store as dataset_store
from app.evaluation import metrics, suggestions
from app.evaluation.metrics import Metric, Options
from app.evaluation.suggestions import Suggestion
from app.scoring import service as scoring
from app.scoring import store as scoring_store
from app.scoring.tables import WatchedRow
from app.settings import Settings
from app.web.protocols import JudgeChoice

LONGEST = 60  # characters of an option that stand in a line
Choices = Mapping[str, list[tuple[str, str]]]


@dataclass(frozen=True, slots=True)
class Deciding:
    """The metric that decides, with the target; None while they are not chosen. options: those of the newest
    measurement by it, None before the first."""

    metric: Metric | None
    target: float | None
    options: Options | None


def deciding(session: Session, assessment: AssessmentRow) -> Deciding:
    answers = assessments.answers(assessment)
    metric, target = metrics.METRICS.get(str(answers.get("metric"))), answers.get("target")
    newest = store.current(session, assessment.id)
    same = newest is not None and metric is not None and newest.metric == metric.name
    return Deciding(
        metric,
        float(target) if isinstance(target, int | float) else None,
        newest.metric_options if newest is not None and same else None,
    )


def suggested(session: Session, assessment_id: int) -> tuple[Suggestion, ...]:
    """What fits the answers of the training rows; personal data that nobody decided on is hidden from the reasons."""
    dataset = dataset_store.current(session, assessment_id)
    if dataset is None or dataset.state != "ready":
        return ()
    hide = masked_rows.masker_for_measurements(dataset)
    rows = dataset_store.rows(session, dataset.id, "train")
    step = max(1, len(rows) // suggestions.SAMPLE)
    return suggestions.suggest([hide.text(row.target) for row in rows[::step]])


def in_words(metric: str, options: Options, choices: Choices) -> list[str]:
    """The options of a metric, each in a few words."""
    words = []
    for option in metrics.get(metric).options:
        value = options.get(option.name)
        if value is True:
            words.append(option.title)
        elif isinstance(value, str):
            stored = dict(choices.get(option.kind, ()))
            text = stored.get(value, value)
            text = f"{value[:12]}…, not offered any more" if option.kind in choices and value not in stored else text
            text = " ".join(text.split())
            words.append(f"{option.title}: {text if len(text) <= LONGEST else text[: LONGEST - 1] + '…'}")
    return words


@dataclass(frozen=True, slots=True)
class WatchedView:
    """A watched metric as a page lists it."""

    row: WatchedRow
    title: str
    options: list[str]


def watched(session: Session, settings: Settings, assessment_id: int) -> list[WatchedView]:
    choices = scoring.choices(session, settings, assessment_id)
    return [
        WatchedView(row, metrics.get(row.metric).title, in_words(row.metric, row.options, choices))
        for row in scoring_store.watched(session, assessment_id)
    ]


def judged_with(session: Session, settings: Settings, baseline: BaselineRow) -> list[str]:
    """The options that a measurement was made with, in words."""
    choices = scoring.choices(session, settings, baseline.assessment_id)
    if (judge := deciding_judge.of(baseline.judge)) is not None:
        return [judge.words]
    return in_words(baseline.metric, baseline.metric_options, choices)


def judge_choices(there: Sequence[JudgeChoice]) -> list[tuple[str, str]]:
    """The judges that may decide, as pairs of key and label, after the line that asks to choose."""
    return [("", "Choose one"), *((one.key, one.label) for one in there if not one.against)]
