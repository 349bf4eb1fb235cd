"""Building an index, as a job. It can be killed at any point and goes on with the stages and vectors that are whole.

What is under way lies in a folder beside the database. The index is `ready` only in the transaction that names its
hash and its files, all of which are in the content store by then.
"""

import errno
import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import orjson

from app.assessments import own_servers
from app.assessments import store as assessment_store
from app.blobs import NoSpace
from app.datasets.check_job.folder import attempt_folder
from app.datasets.checks.checkpoint import Checkpoint
from app.db import utcnow
from app.inference import embedding
from app.inference.embedding import Embedder, Interrupted
from app.inference.generator import Unusable
from app.jobs.claims import EVERY, Claim, Failed
from app.jobs.progress import Progress
from app.retrieval import building, corpus, lexical, passage_file, searching, service, store
from app.retrieval.building import Built
from app.retrieval.settings import IndexSettings
from app.retrieval.tables import MadeBy
from app.wording import plural

FOLDER = "indexes"  # beside the database
FORMAT = "retrieval-v1"
FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
NO_ROOM = "The disk is full, so the index was not built. Make room on the server, then build it again."


def build(claim: Claim) -> None:
    """Build the index that the claim is about; the body of the job kind `index`."""
    with claim.read() as session:
        row = store.get(session, claim.subject_id)
        if row.state == "ready":
            return
        settings = row.settings
        model = service.endpoint_model(session, settings.embedder)
        against = own_servers.against_sending(assessment_store.get(session, row.assessment_id), model)
        digest = corpus.digest(session, row.assessment_id)
        sources = corpus.sources(session, row.assessment_id)
        open_ids = {str(index_id) for index_id in store.being_built(session)}
    if against:
        raise Failed(against)
    if digest is None:
        raise Failed("No document with text is left. Add documents, then build the index again.")
    with claim.write() as session:
        store.get(session, claim.subject_id).corpus_sha256 = digest
    _sweep(claim, open_ids)
    began = time.monotonic()
    with _in_words(claim), ExitStack() as stack:
        folder = stack.enter_context(attempt_folder(claim, FOLDER))
        embedder = None
        if settings.embedder:
            embedder = embedding.embedder(claim.settings, settings.embedder, model)
            stack.callback(embedder.close)
        about = [FORMAT, settings.to_json(), digest, lexical.TERMS, embedder.digest if embedder else ""]
        checkpoint = Checkpoint(folder, about)
        progress = _Progress(claim, settings, len(sources))
        documents = ((source, partial(source.text, claim.blobs)) for source in sources)
        built = building.build(documents, len(sources), settings, embedder, checkpoint, progress.tick, claim.cancelled)
        if not any(role.startswith(building.LEXICAL) for role in built.files):
            raise Failed("The documents hold no words, so there is nothing to search. Add documents with text.")
        progress.tick(building.STORING, 0, 0, "files")
        _store(claim, settings, built, embedder, [source.id for source in sources], time.monotonic() - began)
        checkpoint.clear()


@contextmanager
def _in_words(claim: Claim) -> Iterator[None]:
    """What can go wrong, said as the page says it.

    Raises:
        Failed, NoSpace: instead of what the library or the system said.
    """
    try:
        yield
    except building.TooMany:
        text = f"The documents make more than {plural(building.MOST_PASSAGES, 'passage')}. Choose larger passages."
        raise Failed(text) from None
    except Unusable as error:
        raise Failed(str(error)) from error
    except Interrupted:
        claim.check()
        raise
    except OSError as error:
        if error.errno in FULL:
            raise NoSpace(NO_ROOM) from error
        raise


def _store(
    claim: Claim, settings: IndexSettings, built: Built, embedder: Embedder | None, ids: list[int], seconds: float
) -> None:
    """Store the files, then make the index ready in one transaction."""
    blobs = {role: claim.blobs.put(building.chunks(path)) for role, path in built.files.items()}
    blobs["documents"] = claim.blobs.put_bytes(passage_file.documents(ids))
    made_by: MadeBy | None = None
    if embedder is not None:
        made_by = {"name": embedder.name, "digest": embedder.digest, "dimensions": embedder.dimensions}
    manifest = {
        "format": FORMAT,
        "passages": blobs[building.LINES].sha256,
        "settings": settings.to_json(),
        "lexical": {"method": lexical.METHOD, "k1": lexical.K1, "b": lexical.B, "terms": lexical.TERMS},
        "embedder": made_by,
        "fusion": {"rank_constant": searching.RRF, "depth": searching.FUSED},
    }
    named = claim.blobs.put_bytes(orjson.dumps(manifest, option=orjson.OPT_SORT_KEYS))
    with claim.write() as session:
        row = store.get(session, claim.subject_id)
        row.state, row.sha256, row.ready_at = "ready", named.sha256, utcnow()
        row.files = {role: blob.sha256 for role, blob in blobs.items()}
        row.bytes = sum(blob.size for blob in blobs.values())
        row.documents, row.passages, row.tokens = len(ids), built.passages, built.tokens
        row.embedder, row.cut, row.seconds = made_by, built.cut, seconds


def _sweep(claim: Claim, open_ids: set[str]) -> None:
    """Remove what was left by builds that nobody will go on with."""
    place: Path = claim.settings.data / FOLDER
    for path in place.iterdir() if place.is_dir() else ():
        if path.is_dir() and path.name.split("-")[0] not in open_ids:
            shutil.rmtree(path, ignore_errors=True)


class _Progress:
    """Says how far the build is, with a rate and the time left of the stage."""

    def __init__(self, claim: Claim, settings: IndexSettings, documents: int) -> None:
        self._claim = claim
        self._stages = building.stages(settings)
        self._documents = documents
        self._stage = ""
        self._since = 0.0
        self._first = 0
        self._looked = 0.0

    def tick(self, stage: str, done: int, total: int, unit: str) -> None:
        now = time.monotonic()
        begins = stage != self._stage
        if begins:
            self._stage, self._since, self._first = stage, now, done
        progress: Progress = {
            "stage": stage,
            "done": done,
            "total": total,
            "unit": unit,
            "stages": self._stages,
            "at": self._stages.index(stage),
            "so_far": [("Documents", self._documents)],
        }
        came, took = done - self._first, now - self._since  # what an earlier attempt did says nothing about the pace
        if took > EVERY and came and total:
            progress["rate"] = came / took
            progress["seconds_left"] = round((total - done) * took / came)
        self._claim.report(progress, now=begins)
        if now - self._looked > EVERY:
            self._looked = now
            self._claim.blobs.need_space()
