"""What a worker does for a preflight. torch is only in the process that it starts."""

import tempfile
from typing import TypedDict, cast

from sqlalchemy.orm import Session

from app.assessments import store as assessment_store
from app.datasets import masked_rows, test_set_store
from app.errors import Conflict
from app.inference import service as inference
from app.inference import store as model_store
from app.jobs import hearing
from app.jobs.claims import Claim, Failed
from app.json_types import JsonObject
from app.processes import children
from app.recipes.preflights import Preflight, Sample
from app.recipes.started import started_as
from app.recipes.tables import RecipeRow
from app.training import launchers, rows_with_passages, service
from app.training import preflight as preflights
from app.training import recipe as recipes
from app.training.launchers import FEW_KERNELS, GRACE


class ToProbe(TypedDict):
    """What the process that measures is given; see `probe`."""

    subject: JsonObject
    model: str
    rows: str
    threads: int
    device: str
    memory: int


def preflight(claim: Claim) -> None:
    """Count, show and time what the recipe of this job would train."""
    with claim.read() as session:
        row = session.get_one(RecipeRow, claim.subject_id)
        plan = _plan(session, row.assessment_id)
        asked = service.passages_wanted(session, row.assessment_id)
    if asked is not None and "rows_sha256" not in (plan.part.get("passages") or {}):
        made = rows_with_passages.make(claim, plan.dataset, asked)
        with claim.write() as session:
            session.get_one(RecipeRow, claim.subject_id).passages = made
        with claim.read() as session:
            plan = _plan(session, row.assessment_id)
    rows_sha256 = (plan.part.get("passages") or {}).get("rows_sha256") or str(plan.dataset.rows_sha256)
    threads = children.threads_for(claim.settings.threads or None)
    if plan.recipe.launcher == "torchrun":  # what one of the processes will have
        threads = max(1, threads // plan.recipe.processes)
    message: ToProbe = {
        "subject": {
            "training": plan.part,
            "dataset": {
                "rows_sha256": plan.dataset.rows_sha256,
                "split_sha256": plan.dataset.split_sha256,
                "reasoning": plan.dataset.trains_reasoning,
            },
        },
        "model": str(inference.folder(claim.settings, plan.model).resolve()),
        "rows": stored(claim, rows_sha256),
        "threads": threads,
        "device": claim.settings.device,
        "memory": round(claim.settings.training_gb * 1e9),
    }
    report = _probe(claim, message, threads)
    # The samples are stored and shown; rows that hold what nobody has decided on can't be trained on anyway.
    masker = masked_rows.masker_for_measurements(plan.dataset)
    report["samples"] = cast("list[Sample]", masker.everywhere(report["samples"]))
    report |= _admission(claim, plan)
    report["started_as"] = started_as(recipes.to_json(plan.recipe))
    _name_4_bits(claim, plan, report)
    report["blockers"] = [
        *launchers.against(claim.settings, plan.recipe, int(report.get("devices", 0))),
        *preflights.blockers(plan.recipe, report, report["available"]),
    ]
    with claim.write() as session:
        kept = session.get_one(RecipeRow, claim.subject_id)
        kept.preflight, kept.preflight_of = report, plan.digest


def _name_4_bits(claim: Claim, plan: service.Plan, report: Preflight) -> None:
    """Say of the proposal of a base in 4 bits which model that is, or what is missing for there to be one."""
    proposals = [one for one in report.get("proposals", ()) if one["kind"] == "bits"]
    if not proposals:
        return
    with claim.read() as session:
        held = model_store.in_4_bits(session, plan.model)
    for one in proposals:
        if held is not None:
            one["model_id"] = held.id
        elif plan.model.kind != "folder":
            one["missing"] = "Only a model that was added as a folder can be held in 4 bits."
        elif not inference.holds_4_bits():
            one["missing"] = inference.NO_4_BITS
        else:
            one["missing"] = f"An administrator can add it under Models, on the page of {plan.model.name}."


def _admission(claim: Claim, plan: service.Plan) -> Preflight:
    """Whether training rows stand in any frozen test set of the installation, and under which licence the base is: what
    whoever approves has to see."""
    with claim.read() as session:
        sets, met = test_set_store.met_in_test_sets(session, plan.dataset.id)
        titles = {each.assessment_id: assessment_store.get(session, each.assessment_id).title for each in met}
        licence = inference.origin(claim.settings, plan.model).licence
    own = plan.dataset.assessment_id
    return {
        "licence": licence,
        "test_sets": sets,
        "met": [
            {
                "assessment": each.assessment_id,
                "title": "" if each.assessment_id == own else titles[each.assessment_id],
                "version": each.version,
                "rows": each.rows,
            }
            for each in met
        ],
    }


def _plan(session: Session, assessment_id: int) -> service.Plan:
    try:
        return service.plan(session, assessment_id)
    except Conflict as missing:
        raise Failed(missing.detail) from missing


def _probe(claim: Claim, message: ToProbe, threads: int) -> Preflight:
    log = tempfile.TemporaryFile()  # noqa: SIM115  the child's `close` closes it
    child = children.start("app.training.probe", threads=threads, log=log, settings=FEW_KERNELS)
    try:
        child.send(**message)
        report: Preflight = hearing.result_of(claim, child, "report", "The preflight's process")["report"]
        return report
    finally:
        child.close(grace=5, patience=GRACE)


def stored(claim: Claim, sha256: str) -> str:
    """Where a stored file lies, for another process. Not followed any further: a link in its place is refused there."""
    path = claim.blobs.path(sha256)
    return str(path.parent.resolve() / path.name)
