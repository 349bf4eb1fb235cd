"""Merging: the body of the job kind `merge`. torch is only in the processes that it starts.

Safe to be killed at any moment: what it makes lies in a folder of its own, which the next attempt begins anew, and the
file appears under its name only when it is whole.
"""

import random
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from hashlib import sha256
from math import fsum
from pathlib import Path
from typing import cast

from app.baselines import answers_view, asking, scored, with_passages
from app.baselines import store as baseline_store
from app.baselines.asking import Preparation
from app.baselines.tables import ArmRow
from app.datasets import store as dataset_store
from app.datasets.store import Example
from app.db import utcnow
from app.inference import answer_text
from app.inference import service as models
from app.inference import store as model_store
from app.inference.generator import Answer, Generator, Unusable
from app.inference.local import LocalModel
from app.inference.local_protocol import Dtype
from app.jobs import hearing
from app.jobs.claims import Claim, Failed
from app.merged import card, check, service, store
from app.merged.check import Facts
from app.merged.plan import Form
from app.merged.protocol import Merged, MergeOrder
from app.processes import children
from app.results import card as results_card
from app.results import serve_lines
from app.results import service as results
from app.training import packing
from app.training import store as trainings

Start = Callable[[], LocalModel]
PIECE = 1 << 20  # bytes
GGUF = "model.gguf"


def merge(claim: Claim) -> None:
    """Merge, compare the merged model's answers with those of base and adapter, and pack it with what goes with it.

    Raises:
        Failed: files are gone or changed, there is no room, or it could not be made.
    """
    with claim.read() as session:
        row = store.get(session, claim.subject_id)
        form = cast("Form", row.form)
        seen = service.overview(session, claim.settings, claim.blobs, row.training_id)
    offer = next((offer for offer in seen.offers if offer.form == form), None)
    if offer is None or offer.against:
        raise Failed(offer.against if offer else seen.against)
    service.folder(claim.settings).mkdir(parents=True, exist_ok=True)
    place = service.making(claim.settings, claim.subject_id)
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    try:
        _make(claim, form, place)
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _make(claim: Claim, form: Form, place: Path) -> None:
    with claim.read() as session:
        row = store.get(session, claim.subject_id)
        run = trainings.get(session, row.training_id)
        model = model_store.get(session, run.model_id)
        arm = baseline_store.arm(session, run.arm_id or 0)
        rows = dataset_store.rows(session, arm.baseline.dataset_id, "dev")
        outcome = results.outcome(session, run.id)
        known = results.facts(session, outcome)
        papers = results.papers(session, outcome, known)
        hide = answers_view.masking(session, arm.baseline)
    adapter, merged = place / "adapter", place / "model"
    adapter.mkdir()
    merged.mkdir()
    packing.unpack(claim.blobs, str(run.adapter_sha256), adapter)
    sample = random.Random(f"merged/{run.id}").sample(rows, min(check.ROWS, len(rows)))
    prepared = asking.preparation(arm, (), sample, None, with_passages.look_up(claim, arm, sample))
    base = models.folder(claim.settings, model)
    texts = [turn.content for example in sample for turn in prepared.ask(example).messages]
    told = _merged(
        claim,
        {
            "base": str(base.resolve()),
            "files": dict(model.files),
            "adapter": str(adapter),
            "target": str(merged),
            "form": form,
            "gguf": str(merged / GGUF),
            "name": known.name,
            "licence": known.licence,
            "texts": texts,
        },
    )
    gguf = merged / GGUF
    if gguf.is_file():
        gguf = gguf.rename(place / GGUF)  # no file of a model that transformers reads
    dtype: Dtype = arm.settings.get("dtype") or run.training_facts.get("dtype") or "float32"
    threads, device = claim.settings.threads or None, claim.settings.device

    def with_adapter() -> LocalModel:
        return LocalModel(base, adapter, threads, dtype, files=model.files, device=device, bits=model.bits)

    def without() -> LocalModel:
        return LocalModel(merged, None, threads, dtype, device=device)

    answers = [
        _asked(claim, who, start, prepared, sample, arm)
        for who, start in (("base and adapter", with_adapter), ("the merged model", without))
    ]
    facts = _facts(claim, arm, sample, answers, told, dtype)
    files: dict[str, Path | bytes] = {path.name: path for path in sorted(merged.iterdir())}
    if form == "gguf":
        kept = {name: path for name, path in files.items() if name.startswith(("LICENSE", "LICENCE", "NOTICE"))}
        files = {GGUF: gguf, "Modelfile": serve_lines.modelfile(GGUF, hide.text(known.instructions)).encode(), **kept}
        for path in merged.glob("model*.safetensors"):
            path.unlink()
    files |= papers
    files["README.md"] = card.card(known, facts, form, gguf=GGUF).encode()
    digest, size = _pack(claim, files, place)
    with claim.write() as session:
        stored = store.get(session, claim.subject_id)
        (place / "packed.zip").replace(service.file_of(claim.settings, stored))
        stored.facts, stored.sha256, stored.bytes, stored.done_at = facts.to_json(), digest, size, utcnow()


def _merged(claim: Claim, order: MergeOrder) -> Merged:
    """Have the child merge, passing on what it says; it is ended soon after somebody pressed cancel."""
    threads = children.threads_for(claim.settings.threads or None)
    log = tempfile.TemporaryFile()  # noqa: SIM115  the child's `close` closes it
    child = children.start("app.merged.child", threads=threads, log=log)
    try:
        child.send(threads=threads, **order)
        facts: Merged = hearing.result_of(claim, child, "done", "The process that merges")["facts"]
        return facts
    finally:
        child.close(grace=1)


def _asked(
    claim: Claim,
    who: str,
    start: Start,
    prepared: Preparation,
    sample: Sequence[Example],
    arm: ArmRow,
) -> dict[int, Answer]:
    claim.report({"stage": f"Asking {who}"}, now=True)
    limit = arm.baseline.max_tokens
    requests = [prepared.ask(example).request(str(example.id), limit) for example in sample]
    targets = {str(example.id): example.target for example in sample}
    try:
        generator: Generator
        with closing(start()) as generator:
            answers = {
                int(answer.id): answer_text.settled(answer, limit, targets[answer.id], unseen=False)
                for answer in generator.answer(requests, claim.cancelled)
            }
    except Unusable as error:
        claim.check()
        raise Failed(f"Asking {who}: {error}") from error
    claim.check()
    return answers


def _facts(
    claim: Claim,
    arm: ArmRow,
    sample: Sequence[Example],
    answers: Sequence[Mapping[int, Answer]],
    told: Merged,
    dtype: Dtype,
) -> Facts:
    both = [
        example for example in sample if all(example.id in said and said[example.id].error is None for said in answers)
    ]
    texts = [[said[example.id].text for example in both] for said in answers]
    means: list[float | None] = [None, None]
    with closing(scored.scorer_of(claim, arm.baseline)) as scorer:
        scores = [
            [scored.score(scorer, text, example).value for text, example in zip(side, both, strict=True)]
            for side in texts
        ]
    pairs = [(one, two) for one, two in zip(*scores, strict=True) if one is not None and two is not None]
    if pairs:
        means = [fsum(column) / len(pairs) for column in zip(*pairs, strict=True)]
    return Facts(
        dtype=told["dtype"],
        computed=dtype,
        rows=len(both),
        identical=check.compared(*texts),
        adapter=means[0],
        merged=means[1],
        gguf=told.get("gguf", ""),
        libraries=told["libraries"],
    )


def _pack(claim: Claim, files: Mapping[str, Path | bytes], place: Path) -> tuple[str, int]:
    """Everything as one zip with its hashes; what was packed of the weights is removed, so that they lie here twice at
    most. The file's own hash and size."""
    claim.report({"stage": "Packing"}, now=True)
    packed, hashes = place / "packed.zip", {}
    with zipfile.ZipFile(packed, "w") as zipped:
        for name, content in sorted(files.items()):
            digest = sha256()
            with zipped.open(zipfile.ZipInfo(name), "w", force_zip64=True) as copy:
                for piece in _pieces(content):
                    claim.check()
                    digest.update(piece)
                    copy.write(piece)
            hashes[name] = digest.hexdigest()
            if isinstance(content, Path):
                content.unlink()
        zipped.writestr(zipfile.ZipInfo("SHA256SUMS"), results_card.sums(hashes))
    whole = sha256()
    for piece in _pieces(packed):
        claim.check()
        whole.update(piece)
    return whole.hexdigest(), packed.stat().st_size


def _pieces(content: Path | bytes) -> Iterator[bytes]:
    if isinstance(content, bytes):
        yield content
        return
    with content.open("rb") as file:
        while piece := file.read(PIECE):
            yield piece
