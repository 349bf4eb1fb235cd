"""What the REST side says of the judge that decides a measurement, and of those that may."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

from app.baselines.tables import BaselineRow
from app.json_types import JsonObject
from app.judging import deciding
from app.judging.api_models import JudgeWarning
from app.web.deps import Db
from app.web.protocols import JudgeChoice


class Judge(BaseModel):
    """A judge with its rubric as the deciding metric (`llm_judge`). `key`: what its option `judge` takes. `labels`:
    answers that a person labelled and it judged, of `enough`; `kappa`: how far they agree, of `limit` by the policy.
    `usable`: whether it may decide; `against`: why not, and what to do."""

    model_config = ConfigDict(from_attributes=True)

    object: str = "judge"
    key: str
    label: str
    model_id: int
    host: str
    labels: int
    enough: int
    kappa: float | None
    kappa_low: float | None
    kappa_high: float | None
    limit: float
    usable: bool
    against: str

    @staticmethod
    def of(one: JudgeChoice) -> "Judge":
        return Judge.model_validate(one)


class Judges(BaseModel):
    data: list[Judge]
    has_more: bool = False


class DecidingJudge(BaseModel):
    """The judge that decides a measurement. `judge`: as it was when it began, with the four counts of people's labels
    (both pass; judge fails; judge passes; both fail) that scores are corrected by. `holds`: whether they count at the
    gate; `fault`: rubric, judge, few, kappa, coin or labels, with `sentence`; the last is mended by correcting."""

    object: str = "deciding_judge"
    baseline_id: int
    judge: JsonObject
    labels_today: int
    kappa_today: float | None
    limit: float
    holds: bool
    fault: Literal["rubric", "judge", "few", "kappa", "coin", "labels"] | None
    sentence: str
    warnings: list[JudgeWarning]

    @staticmethod
    def of(session: Db, baseline: BaselineRow, now: deciding.Held) -> "DecidingJudge":
        return DecidingJudge(
            baseline_id=baseline.id,
            judge=now.judge.to_json(),
            labels_today=now.calibration.labels.total,
            kappa_today=now.calibration.kappa,
            limit=now.calibration.limit,
            holds=now.fault is None,
            fault=now.fault,
            sentence=now.sentence,
            warnings=[JudgeWarning.model_validate(one) for one in deciding.kin(session, baseline, now.judge)],
        )
