"""The buttons of a measurement: start, go on, revise, and the arm that an adapter answers in.

The order of events is part of the result: the arms on the dev rows, then the best of them on the test rows, and every
look at the test rows is written down.
"""

from collections.abc import Mapping
from itertools import count

from sqlalchemy.orm import Session

from app.assessments import service as assessments
from app.assessments import store as assessment_store
from app.audit import service as audit
from app.baselines import (
    answer_store,
    arms,
    controls,
    deciding_judge,
    drafting,
    looks,
    measured_model,
    replies,
    standing,
    store,
    versions,
)
from app.baselines.arm_settings import ArmSettings, Optimised, Searched, only
from app.baselines.measured_model import MeasuredModel
from app.baselines.order import BaselineRequest
from app.baselines.outlines import Known
from app.baselines.planning import INSTRUCTIONS_LIMIT, NOTHING, Plan, plan
from app.baselines.spending import Budget
from app.baselines.tables import ArmRow, BaselineRow
from app.datasets import store as dataset_store
from app.db import utcnow
from app.errors import Conflict, FieldError, Invalid
from app.inference import store as model_store
from app.inference.tables import ModelRow
from app.jobs import service as jobs
from app.jobs import store as job_store
from app.jobs.tables import JobRow
from app.users.tables import UserRow


def start(
    session: Session, assessment_id: int, order: BaselineRequest, *, by: UserRow, known: Known = NOTHING
) -> BaselineRow:
    """Start a measurement; one that stood before is put aside, not deleted. known: of the installation.

    Raises:
        Conflict: something has to be done elsewhere first, or a measurement is running.
        Invalid: the order cannot be used.
    """
    assessment_store.changing(session, assessment_id)  # that it is archived is said by `plan`, with the rest
    planned = plan(session, assessment_id, order, known)
    before = store.current(session, assessment_id)
    if before is not None:
        _need_rest(session, before)
        before.archived_at = utcnow()
    margin = assessments.policy_of(session, planned.assessment).limit(arms.MARGIN)
    baseline = _as_planned(planned, order, by, margin)
    session.add(baseline)
    _write_down(session, baseline, order.from_version, by)
    session.flush()
    dataset_store.keep_test_keys(session, planned.dataset.id)
    _run(session, baseline, planned.model, by)
    assessments.contribute(session, planned.assessment, by, "measure")
    detail = {
        "assessment": assessment_id,
        "model": planned.model.name,
        "sent_to": planned.model.base_url or None,
        **({"sent_to_others": also} if (also := _also_sent_to(planned)) else {}),
        "calls": planned.estimate.calls,
        "metric": planned.metric,
        "target": planned.target,
        **({"budget": limits} if (limits := planned.budget.to_json()) else {}),
    }
    audit.record(session, by, "baseline.start", "baseline", baseline.id, detail)
    return baseline


def _as_planned(planned: Plan, order: BaselineRequest, by: UserRow, margin: float) -> BaselineRow:
    """The row of a measurement, with everything that is noted when it begins. margin: see `_kept`."""
    return BaselineRow(
        assessment_id=planned.assessment.id,
        dataset_id=planned.dataset.id,
        model_id=planned.model.id,
        model_as=MeasuredModel.of(planned.model).to_json(),
        metric=planned.metric,
        metric_options=planned.metric_options,
        target=planned.target,
        instructions=order.instructions.strip(),
        max_tokens=order.max_tokens,
        dev_limit=order.dev_rows,
        test_limit=order.test_rows,
        seed=planned.dataset.seed,
        racing=order.racing,
        at_once=order.at_once,
        budget=planned.budget.to_json(),
        prices=planned.prices.to_json(),
        fresh=order.fresh,
        thinks=planned.dataset.trains_reasoning or None,
        judge=dict(planned.judge) if planned.judge is not None else None,
        metric_set_at=planned.assessment.metric_set_at,
        test_looks=[],
        created_by=by.id,
        created_at=utcnow(),
        arms=[
            ArmRow(family=arm.family, name=arm.name, title=arm.title, settings=_kept(arm, margin))
            for arm in planned.arms
        ],
    )


def _kept(arm: arms.Arm, margin: float) -> ArmSettings:
    """An arm's settings as its row keeps them. The one that says by which rules a measurement is judged says how much
    worse a cheaper arm may be, too: that has to stand before there is a result."""
    return {**arm.settings, arms.MARGIN: margin} if "rules" in arm.settings else {**arm.settings}


def _also_sent_to(planned: Plan) -> list[str]:
    """Addresses of other models that get the rows, or their questions."""
    kept = [arm.settings["model_as"]["base_url"] for arm in planned.arms if "model_as" in arm.settings]
    kept += [model.base_url for model in planned.embedders]
    judge = deciding_judge.of(planned.judge)
    kept += [judge.model["base_url"]] if judge is not None else []
    return list(dict.fromkeys(address for address in kept if address))


def resume(
    session: Session, baseline_id: int, *, by: UserRow, more: Budget | None = None, known: Known = NOTHING
) -> BaselineRow:
    """Ask again what has no answer: after a pause, a cancel, a failure, errors, or a budget that was used up. Answers
    that came are kept. more: limits that are set anew; the others stay.

    Raises:
        Conflict: it is running, it was put aside, nothing is left to ask, or its budget is used up.
        Invalid: a limit cannot be used.
    """
    baseline = _open(session, baseline_id)
    incomplete = [arm for arm in baseline.arms if arm.family != "adapter" and arm.has_errors]
    if baseline.concluded_at is not None and not incomplete:
        raise Conflict("Everything has been asked and answered.")
    if standing.closed(baseline):
        raise Conflict(
            "An adapter was evaluated against these answers; they stay as they are. Start a new measurement."
        )
    _need_model(session, baseline)
    controls.change(session, baseline, more or Budget(), known, for_run=True)
    # The results stay until their arms are through again: should this fail, what was known is still known.
    again = [arm.id for arm in baseline.arms if arm.family != "adapter" and not arm.dropped]
    replies.keep_unscored(session, again)
    answer_store.forget_errors(session, again)
    baseline.concluded_at = baseline.paused_at = None
    _run(session, baseline, model_store.get(session, baseline.model_id), by)
    _note(session, baseline, by, "baseline.go_on", {"arms_with_errors": len(incomplete)})
    return baseline


def ask_failed_rows(session: Session, baseline_id: int, *, by: UserRow) -> BaselineRow:
    """Ask again the rows that ended in errors, of a measurement that is through.

    Raises:
        Conflict: no row failed, it is not through, or as for `resume`.
    """
    baseline = store.get(session, baseline_id)
    if baseline.concluded_at is not None and not standing.failed_rows(baseline):
        raise Conflict("No row ended in an error.")
    if baseline.concluded_at is None and not running(session, baseline):
        raise Conflict("This run is not through: resume it.")
    return resume(session, baseline_id, by=by)


def revise(
    session: Session,
    baseline_id: int,
    instructions: str,
    *,
    by: UserRow,
    from_version: int | None = None,
    comment: str = "",
) -> ArmRow:
    """Try new instructions with the examples of the best arm so far: one round of revision (gate G5).

    from_version: number of the version that they were made from; that of the best arm where it is not said. comment:
    what is written beside the version.

    Raises:
        Conflict: the first run has to be over, with at least one arm that counts.
        Invalid: there are no new instructions.
        NotFound: there is no version of that number.
    """
    baseline, best = revisable(session, baseline_id)
    text = instructions.strip()
    if not text or len(text) > INSTRUCTIONS_LIMIT:
        raise Invalid(
            "The revision cannot start like this.",
            [FieldError("#/instructions", f"Write instructions of 1 to {INSTRUCTIONS_LIMIT:,} characters.")],
        )
    if text in {standing.instructions_of(baseline, arm) for arm in baseline.arms if arm.family != "adapter"}:
        raise Invalid(
            "The revision cannot start like this.",
            [FieldError("#/instructions", "This prompt was evaluated already. Change it first.")],
        )
    before = _version(session, baseline.assessment_id, from_version, standing.instructions_of(baseline, best))
    why: versions.Why = "failures" if answer_store.tagged(session, baseline_id) else "hand"
    version = versions.note(session, baseline.assessment_id, text, why, by=by.id, from_id=before, comment=comment)
    new = arms.revised(text, standing.value(best), _number(baseline, version.number))
    row = _add(session, baseline, new, version.number, by)
    _note(session, baseline, by, "baseline.revise", {"arm": row.name})
    return row


def revisable(session: Session, baseline_id: int, *, optimising: bool = False) -> tuple[BaselineRow, ArmRow]:
    """A measurement whose prompt may be revised now, and the arm that a revision begins with. optimising: it is the
    optimizer itself that asks.

    Raises:
        Conflict: something is in the way; the sentence says what.
    """
    baseline = _open(session, baseline_id, optimising=optimising)
    best = standing.leading(baseline)
    if best is None and any(arm.outdated for arm in baseline.arms):
        raise Conflict("Its variants are measured on documents or an index that are no longer current. Measure again.")
    if best is None or baseline.concluded_at is None:
        raise Conflict("Let the first run finish: a revision starts from the best variant.")
    _need_model(session, baseline)
    return baseline, best


def add_optimised(
    session: Session, baseline_id: int, arm_id: int, instructions: str, how: Optimised, *, by: UserRow
) -> ArmRow:
    """Measure what the optimizer wrote like a revision of the arm that it began with: on dev rows, and where it leads
    or comes close, once on test rows. how: what is kept of the run with the arm.

    Raises:
        Conflict: something is in the way.
    """
    baseline, _ = revisable(session, baseline_id, optimising=True)
    first = next(arm for arm in baseline.arms if arm.id == arm_id)
    before = _version(session, baseline.assessment_id, None, standing.instructions_of(baseline, first))
    version = versions.note(session, baseline.assessment_id, instructions, "optimised", by=by.id, from_id=before)
    new = arms.optimised(instructions, standing.value(first), _number(baseline, version.number), how)
    row = _add(session, baseline, new, version.number, by)
    _note(session, baseline, by, "baseline.optimise", {"arm": row.name})
    return row


def _add(session: Session, baseline: BaselineRow, new: arms.Arm, version: int, by: UserRow) -> ArmRow:
    """One more arm, asked by a job of its own. Test answers that were read before it count as looks."""
    baseline.test_looks = [*baseline.test_looks, *(look.to_json() for look in looks.by_people(session, baseline))]
    settings: ArmSettings = {**new.settings, "version": version, **standing.dtype_of(baseline)}
    row = ArmRow(family=new.family, name=new.name, title=new.title, settings=settings)
    baseline.arms.append(row)
    baseline.concluded_at = baseline.paused_at = None
    session.flush()
    _run(session, baseline, model_store.get(session, baseline.model_id), by)
    return row


def _number(baseline: BaselineRow, version: int) -> int:
    """The number in the name of a revised arm: of versions before it. One that an arm of a measurement from before
    versions were kept has already is not given twice."""
    taken = {arm.name.partition("/")[2] for arm in baseline.arms if arm.family in arms.REVISIONS}
    return next(number for number in count(version - 1) if str(number) not in taken)


def _write_down(session: Session, baseline: BaselineRow, from_version: int | None, by: UserRow) -> None:
    """Keep the prompt of a new measurement as a version."""
    draft = drafting.draft_of(session, dataset_store.get(session, baseline.dataset_id))
    why: versions.Why = "drafted" if draft is not None and draft.text.strip() == baseline.instructions else "hand"
    before = _version(session, baseline.assessment_id, from_version, "")
    versions.note(session, baseline.assessment_id, baseline.instructions, why, by=by.id, from_id=before)


def _version(session: Session, assessment_id: int, number: int | None, text: str) -> int | None:
    """The id of a version, by its number or by its text."""
    if number is not None:
        return versions.numbered(session, assessment_id, number).id
    row = versions.of_text(session, assessment_id, text)
    return row.id if row else None


def add_adapter_arm(
    session: Session,
    baseline_id: int,
    *,
    training_id: int,
    title: str,
    instructions: str,
    passages: Searched | None = None,
    seed: int | None = None,
) -> ArmRow:
    """An arm for a trained adapter: no examples, the winning instructions, the same rows, held to the constraint that
    the best prompt is held to. Again gives the same arm.

    passages: what its training rows carried; it is then asked with passages found the same way. seed: of another
    training of the same run, which is there for the spread and is not what is judged.
    """
    baseline = store.get(session, baseline_id)
    name = f"adapter/{training_id}" + (f"/seed-{seed}" if seed is not None else "")
    if (already := next((arm for arm in baseline.arms if arm.name == name), None)) is not None:
        return already
    best = standing.best(baseline)
    held: ArmSettings = {} if best is None else only(best.settings, ("constraint",))
    settings: ArmSettings = {
        "instructions": instructions, "training": training_id, **held, **standing.dtype_of(baseline),
    }  # fmt: skip
    if seed is not None:
        settings["seed"] = seed
    if passages:
        settings["passages"] = {
            "way": passages["way"], "k": passages["k"], "index": passages["index"], "sha256": passages["sha256"],
        }  # fmt: skip
    arm = ArmRow(family="adapter", name=name, title=title, settings=settings)
    baseline.arms.append(arm)
    session.flush()
    return arm


def _need_model(session: Session, baseline: BaselineRow) -> None:
    if against := measured_model.against_model(session, baseline):
        raise Conflict(against)


def _open(session: Session, baseline_id: int, *, optimising: bool = False) -> BaselineRow:
    assessment_store.opened(session, store.assessment_of(session, baseline_id))
    baseline = store.get(session, baseline_id)
    if baseline.archived_at is not None:
        raise Conflict("A newer measurement replaced this one.")
    _need_rest(session, baseline, optimising=optimising)
    return baseline


def _need_rest(session: Session, baseline: BaselineRow, *, optimising: bool = False) -> None:
    if running(session, baseline):
        raise Conflict("A measurement is waiting or running. Cancel it, or wait until it is over.")
    if not optimising and job_store.open_in(session, "optimise", baseline.assessment_id):
        raise Conflict("The optimizer is waiting or running. Cancel it, or wait until it is over.")


def _run(session: Session, baseline: BaselineRow, model: ModelRow, by: UserRow) -> None:
    job = jobs.add(
        session,
        "measure",
        baseline.id,
        by.id,
        assessment_id=baseline.assessment_id,
        title=f"Measure with {model.name}",
        # A server's answers load no weights here, so they need not wait behind a training.
        queue="cpu" if model.kind == "endpoint" else None,
    )
    baseline.job_id = job.id


def _note(session: Session, baseline: BaselineRow, by: UserRow, act: str, detail: Mapping[str, object]) -> None:
    assessment = assessment_store.get(session, baseline.assessment_id)
    assessments.contribute(session, assessment, by, "measure")
    audit.record(session, by, act, "baseline", baseline.id, {"assessment": baseline.assessment_id, **detail})


def running(session: Session, baseline: BaselineRow) -> JobRow | None:
    return job_store.find_open(session, "measure", baseline.id)


def last_job(session: Session, baseline: BaselineRow) -> JobRow | None:
    return job_store.latest(session, "measure", baseline.id)
