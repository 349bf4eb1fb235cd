"""The model that a run asks: opened, held to what the measurement began with, and its precision written down."""

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from typing import cast

from app.baselines import asking, measured_model, other_models, store
from app.baselines.asking import Embed
from app.baselines.tables import ArmRow
from app.inference import embedding
from app.inference import job as inference_job
from app.inference import service as inference
from app.inference import store as model_store
from app.inference.embedding import Vectors
from app.inference.endpoint import Endpoint
from app.inference.generator import Generator, Unusable
from app.inference.local import LocalModel
from app.inference.local_protocol import Dtype
from app.jobs.claims import Claim, Failed


@contextmanager
def opened(claim: Claim, model_id: int) -> Iterator[Generator]:
    """A model of the run, in the precision that its first answers were given in; set up first where it was not.

    Raises:
        Failed: it can't be used; the sentence says why.
    """
    with claim.read() as session:
        baseline, model = store.get(session, claim.subject_id), model_store.get(session, model_id)
    if model.kind != "endpoint" and not model.files:
        inference_job.prepare(claim, model_id)
    same_model(claim, model_id)
    with claim.read() as session:
        model = model_store.get(session, model_id)
        manner = other_models.manner(session, baseline, model_id)
    kept = [arm.settings["dtype"] for arm in other_models.arms_of(baseline, model_id) if "dtype" in arm.settings]
    dtype: Dtype = kept[0] if kept else "auto"
    claim.report({"stage": f"Starting {model.name}"}, now=True)
    try:
        generator = inference.generator(claim.settings, model, dtype=dtype, asked_as=manner)
        try:
            if isinstance(generator, LocalModel) and dtype == "auto" and (info := generator.info(claim.cancelled)):
                _keep_dtype(claim, model_id, cast("Dtype", info.dtype))
            yield generator
            if isinstance(generator, Endpoint) and generator.answered:
                with claim.write() as session:
                    inference.note_run(session, model, "")
                    inference.note_changes(session, model, generator.learnt)
        finally:
            generator.close()
    except Unusable as error:
        claim.check()
        with claim.write() as session:
            inference.note_run(session, model, str(error))
        raise Failed(str(error)) from error


def same_model(claim: Claim, model_id: int) -> None:
    """Ask only what the measurement began with; what a model was not prepared for then is written down now.

    Raises:
        Failed: its connection was changed, it was retired, or the rows may not be sent to it any more.
    """
    with claim.write() as session:
        baseline = store.get(session, claim.subject_id)
        files = dict(model_store.get(session, model_id).files)
        if model_id != baseline.model_id:
            other_models.keep_files(baseline, model_id, files)
            against = other_models.against(session, baseline, model_id)
        else:
            if baseline.model_as is not None and not baseline.model_as["files"]:
                baseline.model_as = {**baseline.model_as, "files": files}
            against = measured_model.against_model(session, baseline)
        if against:
            raise Failed(against)


def _keep_dtype(claim: Claim, model_id: int, dtype: Dtype) -> None:
    """Write down the precision, so that a later attempt, a revision and the adapter are asked in the same."""
    with claim.write() as session:
        for arm in other_models.arms_of(store.get(session, claim.subject_id), model_id):
            arm.settings = {**arm.settings, "dtype": dtype}


def embed_for(claim: Claim, arm: ArmRow) -> Embed | None:
    """What turns texts into vectors for an arm that chooses its examples by embedding, and which model that was written
    down; None for others.

    Raises:
        Failed: the model can't be used, or is another one than the arm began with.
    """
    if not (choice := asking.needs_embedder(arm.settings)):
        return None

    def embed(texts: Sequence[str]) -> Vectors:
        try:
            with closing(embedding.embedder(claim.settings, choice)) as model:
                vectors = model.embed(texts, kind="query", stop=claim.cancelled)
                _keep_embedder(claim, arm.id, model.digest)
                return vectors
        except embedding.Interrupted:
            claim.check()
            raise
        except Unusable as error:
            claim.check()
            raise Failed(str(error)) from error

    return embed


def _keep_embedder(claim: Claim, arm_id: int, digest: str) -> None:
    with claim.write() as session:
        arm = store.arm(session, arm_id)
        kept = arm.settings["embedder"]
        if kept.get("sha256", digest) != digest:
            raise Failed(f"{arm.label} began with another version of that model. Start a new measurement.")
        arm.settings = {**arm.settings, "embedder": {**kept, "sha256": digest}}
