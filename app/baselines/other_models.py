"""Arms that another model answers: the same prompts on a stronger one, which show what could be reached.

Such an arm is the teacher of a small model and never what a trained one has to beat: it is not chosen, it does not
race, and its faults cost nobody else anything.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final
from urllib.parse import urlsplit

from sqlalchemy.orm import Session

from app.assessments import own_servers
from app.assessments import store as assessment_store
from app.baselines import arms, measured_model, standing
from app.baselines.arm_settings import ArmSettings, only
from app.baselines.arms import Arm
from app.baselines.measured_model import MeasuredModel
from app.baselines.offers import Context, Offer
from app.baselines.tables import ArmRow, BaselineRow
from app.inference import service as models
from app.inference import store as model_store
from app.inference import trials
from app.inference.findings import Manner

FAMILY = "stronger_model"
BESIDE = "another model, which shows what could be reached"
FOLLOWS: Final = "follows"  # a setting: the prompt is that of the best arm, once there is one
PROMPT = (*arms.MADE_OF, "instructions")  # the settings that such an arm takes over: everything but the model


def own(arm: ArmRow) -> bool:
    """Whether the run's own model answers it, or none does."""
    return "model_id" not in arm.settings


def arms_of(baseline: BaselineRow, model_id: int) -> list[ArmRow]:
    """The arms that a model answers. Those that ask none are with the run's own."""
    return [arm for arm in baseline.arms if int(arm.settings.get("model_id", baseline.model_id)) == model_id]


def asked(baseline: BaselineRow) -> list[int]:
    """Ids of the other models of a run, in the order of their arms."""
    return list(dict.fromkeys(int(arm.settings["model_id"]) for arm in baseline.arms if not own(arm)))


def model_of(arm: ArmRow) -> MeasuredModel:
    """What the other model of an arm was when the measurement began."""
    return MeasuredModel(**arm.settings["model_as"])


def name_of(session: Session, arm: ArmRow) -> str:
    """What the model that answered an arm was called when its measurement began."""
    return measured_model.model_of(session, arm.baseline).name if own(arm) else model_of(arm).name


def manner(session: Session, baseline: BaselineRow, model_id: int) -> Manner:
    """How a model of the run is asked: as was known of its server when the measurement began."""
    if model_id == baseline.model_id:
        return measured_model.model_of(session, baseline).manner
    return model_of(arms_of(baseline, model_id)[0]).manner


def keep_files(baseline: BaselineRow, model_id: int, files: Mapping[str, str]) -> None:
    """Write down what a model was not prepared for when the measurement began."""
    for arm in arms_of(baseline, model_id):
        if not arm.settings["model_as"]["files"]:
            arm.settings = {**arm.settings, "model_as": {**arm.settings["model_as"], "files": dict(files)}}


def against(session: Session, baseline: BaselineRow, model_id: int) -> str:
    """Why another model can't be asked any more; empty when it can."""
    row = model_store.get(session, model_id)
    assessment = assessment_store.get(session, baseline.assessment_id)
    if sending := own_servers.against_sending(assessment, row):
        return sending
    if row.retired_at is not None:
        return f"{row.name} is retired."
    if not all(model_of(arm).answers_as(row) for arm in arms_of(baseline, model_id)):
        return f"The connection of {row.name} was changed since this measurement began."
    return ""


def settle(session: Session, baseline: BaselineRow, model_id: int) -> list[ArmRow]:
    """Give the arm that asks the best prompt its settings, now that the dev rows have named it. Returns the arms that
    have to be asked.

    Where zero-shot is the best prompt and is asked anyway, the arm would be the same one again, and is taken away.
    """
    mine = arms_of(baseline, model_id)
    leading = _to_follow(baseline, mine)
    for arm in [arm for arm in mine if FOLLOWS in arm.settings]:
        if leading is None:
            continue
        prompt = only(leading.settings, PROMPT)
        if (window := prompt.get("window")) and (reads := trials.window(model_store.get(session, model_id))):
            prompt["window"] = min(window, reads)
        if not prompt and any(FOLLOWS not in other.settings for other in mine):
            mine.remove(arm)
            baseline.arms.remove(arm)
            session.delete(arm)
            continue
        kept = arm.settings.copy()
        kept.pop(FOLLOWS, None)
        arm.settings = {**kept, **prompt, "followed": leading.name}
    session.flush()
    return [arm for arm in mine if _waits(arm)]


def _to_follow(baseline: BaselineRow, mine: Sequence[ArmRow]) -> ArmRow | None:
    """The best prompt that the model of these arms can be asked with: a server doesn't tell how likely labels are."""
    leading = standing.leading(baseline)
    server = any(model_of(arm).kind == "endpoint" for arm in mine)
    if leading is None or not server or "scoring" not in leading.settings:
        return leading
    written = [(arm, result) for arm, result in standing.results(baseline) if "scoring" not in arm.settings]
    best = arms.best(written)
    return next((row for row in baseline.arms if best and row.name == best.name), None)


def _waits(arm: ArmRow) -> bool:
    """Whether dev rows, or the test rows of one that was begun there, have to be asked."""
    return arm.dev is None or bool(arm.dev.errors) or arm.test is None or bool(arm.test.errors)


def best(baseline: BaselineRow, model_id: int) -> ArmRow | None:
    """The arm of another model that looks at the test rows: its better one on dev."""
    known = [(arm, arm.dev) for arm in arms_of(baseline, model_id) if arm.dev is not None and arm.dev.known]
    return max(known, key=lambda pair: pair[1].score)[0] if known else None


def tested(baseline: BaselineRow) -> Iterator[ArmRow]:
    """Arms of other models whose result on the test rows may be used."""
    return (arm for arm in baseline.arms if not own(arm) and arm.test is not None and arm.test.known)


# ---------------------------------------------------------------- offers


def offers(context: Context) -> Iterable[Offer]:
    """Two arms for every other model that could be asked: the plainest prompt, and the one that turns out best."""
    for row in model_store.usable(context.session):
        if row.id == context.order.model_id:
            continue
        state, _ = models.state(context.session, row)
        cannot = own_servers.against_sending(context.assessment, row)
        if not cannot and state in ("failing", "failed", "retired"):
            cannot = f"It is {state}: test it again under Models."
        kept: ArmSettings = {"model_id": row.id, "model_as": MeasuredModel.of(row).to_json()}
        why = "On this machine." if row.kind != "endpoint" else f"{row.reference} at {urlsplit(row.base_url).netloc}."
        following: ArmSettings = {**kept, FOLLOWS: "best"}
        for name, settings in (("zero_shot", kept), ("best", following)):
            arm = Arm(FAMILY, f"{FAMILY}/{row.id}/{name}", {**settings})
            yield Offer(arm, proposed=False, why=why, against=cannot, mend="/models" if cannot else "")
