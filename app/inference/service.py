"""Models that are there: what is known of one, and how to get one that answers. `connecting` adds and changes them."""

import importlib.util
import re
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, TypeVar

from cryptography.fernet import Fernet, InvalidToken
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from app import secret
from app.chat import Message
from app.db import reading, utcnow, writing
from app.errors import Invalid
from app.inference import addresses, answer_text, folders, model_names, store, trials, weights
from app.inference.embedding_server import EmbeddingEndpoint
from app.inference.endpoint import Endpoint
from app.inference.findings import Manner
from app.inference.generator import Answer, Generator, Request, Unusable
from app.inference.local import LocalModel
from app.inference.local_protocol import Dtype
from app.inference.server_client import Limits
from app.inference.tables import ModelRow
from app.jobs import store as job_store
from app.jobs.tables import JobRow
from app.settings import Settings

BUNDLED_NAME = "SmolLM2-135M-Instruct (embedded)"
BUNDLED_FOLDER = "smollm2-135m-instruct"
HUB_FOLDER = "hub"
IN_4_BITS = ", 4-bit"  # behind the name of a model whose layers are held so
NO_4_BITS = (
    "To hold a model in 4 bits, install bitsandbytes 0.50 or later (the extra qlora) beside the app, and restart."
)
HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}", re.ASCII)

TRY_SECONDS = 20.0  # of the test button: somebody looks at the page meanwhile
# As a measurement asks: instructions in a system turn, a finished example, a question, room for a usual answer.
TRIAL = Request(
    "test",
    (
        Message("system", "Answer with the single word you are told to say, and nothing else."),
        Message("user", "Say: hello"),
        Message("assistant", "hello"),
        Message("user", "Say: ready"),
    ),
    256,
)

Asked = TypeVar("Asked", Endpoint, EmbeddingEndpoint)
EMBEDDING_TRIAL = ("How do I reset my password?", "Steps to set a new password", "Bananas are yellow")
State = Literal["ready", "untested", "failing", "not set up", "preparing", "failed", "retired"]


# ---------------------------------------------------------------- what there is


def ensure_bundled(engine: Engine) -> None:
    """Have a row for the model that comes with the app; whoever lists models calls this first."""
    with reading(engine) as session:
        if store.bundled(session):
            return
    with writing(engine) as session:
        bundled(session)


def bundled(session: Session) -> ModelRow:
    """The row of the embedded model, made at the first call."""
    if row := store.bundled(session):
        return row
    row = ModelRow(
        name=BUNDLED_NAME,
        kind="bundled",
        reference="",
        base_url="",
        context_window=weights.CONTEXT,
        files={},
        created_at=utcnow(),
    )
    session.add(row)
    session.flush()
    return row


def folder(settings: Settings, model: ModelRow) -> Path:
    """Where the weights of a local model are, or will be once it is prepared."""
    return settings.models_dir / BUNDLED_FOLDER if model.kind == "bundled" else Path(model.reference)


def holds_4_bits() -> bool:
    """Whether what holds models in 4 bits is installed here; looked up, not imported."""
    return importlib.util.find_spec("bitsandbytes") is not None


def against_holding(model: ModelRow) -> str:
    """Why a model of this machine can't be held as it was measured, with what to do; empty where it can."""
    return NO_4_BITS if model.bits and not holds_4_bits() else ""


def hub_name(settings: Settings, model: ModelRow) -> str | None:
    """The hub's name of a model that was asked for by it; None for a folder of the operator's own."""
    place = Path(model.reference)
    hub = settings.models_dir.resolve() / HUB_FOLDER
    return place.name.replace("--", "/", 1) if model.kind == "folder" and place.parent == hub else None


def public_name(model: ModelRow) -> tuple[str, str]:
    """What to call the weights of a local model outside this machine, and which state of them: never a path.

    The embedded ones are not those that a hub has as the model they come from, so they have a name of their own.
    """
    revision = f"files-{folders.digest_of(model.files)[:12]}" if model.files else ""
    name = model.name.removesuffix(IN_4_BITS) if model.bits else model.name  # the weights are the same files
    return (weights.EXPANDED if model.kind == "bundled" else name), revision


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the weights of a local model come from. published: the name that a hub has for them, or for what they were
    made from; empty where nobody knows. made: what was done to the published weights; empty where they are those.

    licence: of the base model, as its files say; empty where they say nothing.
    """

    published: str = ""
    made: str = ""
    licence: str = ""


def origin(settings: Settings | None, model: ModelRow) -> Origin:
    """What is known of a model's weights besides their hashes. settings: None where no folder may be looked into."""
    if model.kind == "bundled":
        return Origin(weights.MODEL, weights.MADE, weights.LICENCE)
    if settings is None or model.kind == "endpoint":
        return Origin()
    place = folder(settings, model)
    return Origin(hub_name(settings, model) or "", "", folders.licence(place) if "README.md" in model.files else "")


def set_up_by(model: ModelRow) -> int | None:
    """Who made this connection what it is: whoever changed it last, else who added it; nobody for the bundled model."""
    return model.set_by if model.set_by is not None else model.created_by


def own(model: ModelRow) -> str:
    """Why asking a model keeps the text on the team's own machines: `this machine`, `private address` or `declared` by
    an administrator; empty where nobody can say so. A name is not looked up: what it stands for may change by the hour.
    """
    if model.kind != "endpoint":
        return "this machine"
    if addresses.inside(model.base_url):
        return "private address"
    return "declared" if model.own else ""


def state(session: Session, model: ModelRow) -> tuple[State, JobRow | None]:
    """Whether a model can be used now, and the job that prepares it or did last."""
    if model.retired_at:
        return "retired", None
    if model.kind == "endpoint":
        tested = trials.last(model)
        return ("untested" if tested is None else "failing" if tested.error else "ready"), None
    job = job_store.latest(session, "convert", model.id)
    if job and not job.final:
        return "preparing", job
    if model.files:
        return "ready", job
    return ("failed" if job and job.failure else "not set up"), job


def note_run(session: Session, model: ModelRow, error: str) -> None:
    """Keep how a run met a server: an empty error where it answered. `model`: the connection as the run took it.

    What the last test found besides (the list of models) stays. A model of this machine has no test.
    """
    row = store.get(session, model.id)
    before = trials.last(row)
    if row.kind != "endpoint" or row.retired_at or not trials.same_connection(row, model):
        return
    if not error and before is not None and not before.error:
        return  # ready it was, and ready it is
    kept = before or trials.now()
    moment = utcnow().replace(microsecond=0)
    met = trials.Trial(moment, error, remarks=kept.remarks, offers=kept.offers, by_run=True)
    row.tested = met.to_json()


def note_changes(session: Session, model: ModelRow, learnt: Iterable[str]) -> None:
    """Keep what a run had to learn about a server although it was met before: it has changed since."""
    row = store.get(session, model.id)
    known = trials.met(row)
    if known is None or trials.outdated(row) or not trials.same_connection(row, model):
        return
    anew = sorted(set(learnt) - set(known.manner.without))
    if anew:
        day = utcnow().date().isoformat()
        later = dict.fromkeys([*(known.later or ()), *(f"On {day} it no longer took: {name}." for name in anew)])
        row.met = replace(known, later=tuple(later)).to_json()


def preparing(session: Session, model: ModelRow) -> JobRow | None:
    """The job that prepared this model last, or is about to."""
    return job_store.latest(session, "convert", model.id)


# ---------------------------------------------------------------- using


def generator(
    settings: Settings,
    model: ModelRow,
    adapter_dir: Path | None = None,
    dtype: Dtype = "auto",
    asked_as: Manner | None = None,
) -> Generator:
    """A model that answers. Whoever gets it closes it.

    dtype: precision of a local model; a comparison gives the second run the precision of the first. asked_as: how a
    server is asked; a measurement that goes on asks as it began. None: as what is known of it today says.

    Raises:
        Unusable: it cannot be used as it stands; the sentence says what to do.
    """
    if model.purpose == "embeddings":
        raise Unusable(f"{model.name} turns texts into vectors and answers nothing. Choose another model.")
    if model.kind == "endpoint":
        if adapter_dir:
            raise Unusable("An adapter can only be used on a model of this machine.")
        return endpoint(settings, model, asked_as=asked_as)
    if not model.files:
        raise Unusable(f"{model.name} is not set up yet: open Models and press Set up.")
    return LocalModel(
        folder(settings, model),
        adapter_dir,
        threads=settings.threads or None,
        dtype=dtype,
        files=model.files,
        device=settings.device,
        bits=model.bits,
    )


def endpoint(
    settings: Settings,
    model: ModelRow,
    *,
    patient: bool = True,
    asked_as: Manner | None = None,
    at_once: int | None = None,
) -> Endpoint:
    """The client of a model server. Not patient: one attempt of 20 seconds, for the test button. at_once: calls, where
    not as the operator set.

    Raises:
        Unusable: the stored key cannot be read, or the address is one that is no longer accepted.
    """
    asked = _client(
        settings,
        model.base_url,
        model.reference,
        _key(settings, model),
        patient=patient,
        kind=Endpoint,
        at_once=at_once,
        deadline=model.deadline,
    )
    asked.asks_as(trials.manner(model) if asked_as is None else asked_as)
    return asked


def embedding_endpoint(settings: Settings, model: ModelRow, *, patient: bool = True) -> EmbeddingEndpoint:
    """The client of a server that turns texts into vectors; as `endpoint`."""
    key = _key(settings, model)
    return _client(
        settings, model.base_url, model.reference, key, patient=patient, kind=EmbeddingEndpoint, deadline=model.deadline
    )


def _key(settings: Settings, model: ModelRow) -> str | None:
    if not model.key_sealed:
        return None
    try:
        return Fernet(secret.key(settings)).decrypt(model.key_sealed.encode()).decode()
    except InvalidToken:
        raise Unusable("The stored key cannot be read with this installation's secret. Enter it again.") from None


def _client(
    settings: Settings,
    base_url: str,
    name: str,
    key: str | None,
    *,
    patient: bool,
    kind: type[Asked],
    at_once: int | None = None,
    deadline: float | None = None,
) -> Asked:
    policy = addresses.Policy.read(settings.allowed_hosts)
    limits = Limits(
        concurrency=at_once or settings.endpoint_concurrency,
        total_seconds=deadline or settings.endpoint_seconds,
        patience=settings.endpoint_patience,
        first_wait=settings.endpoint_first_wait,
    )
    if not patient:
        seconds = min(TRY_SECONDS, deadline or settings.endpoint_seconds)
        limits = Limits(concurrency=1, attempts=1, total_seconds=seconds, patience=0.0)
    try:
        return kind(base_url, name, key, policy, limits, ca_file=settings.ca_file)
    except Invalid as refusal:
        raise Unusable(refusal.detail) from refusal


@dataclass(frozen=True, slots=True)
class Tried:
    """What came of trying a server out. remarks: what works otherwise than asked for, one sentence each. offers: names
    of the models that the server lists."""

    answer: Answer
    remarks: tuple[str, ...] = ()
    offers: tuple[str, ...] = ()

    @property
    def fine(self) -> bool:
        return self.answer.error is None


def try_out(settings: Settings, model: ModelRow) -> Tried:
    """Ask a server as a measurement will ask it: instructions, an example, a question, the same limits.

    What goes wrong is in the answer's `error`.
    """
    if model.purpose == "embeddings":
        return _try_embedding(settings, model)
    try:
        endpoint_asked = endpoint(settings, model, patient=False)
    except Unusable as error:
        return Tried(_no_answer(str(error)))
    try:
        came = next(iter(endpoint_asked.answer([TRIAL], lambda: False)))
        answer = answer_text.settled(came, TRIAL.max_tokens)
        if answer.error is None and not answer.text.strip():
            answer = _no_answer("The model answered with nothing at all. Check the model's name and its settings.")
        if answer.error is not None:
            trouble = _trouble(settings, model, endpoint_asked, answer.error)
            return Tried(_no_answer(trouble), offers=_offers(endpoint_asked))
        remarks = [*endpoint_asked.remarks, *named_otherwise(model.reference, endpoint_asked.reported)]
        if answer.raw is not None or answer.thinking:
            remarks.append(
                "The model thinks before it answers. Thinking counts against the longest answer and is not scored."
            )
        if answer.prompt_tokens == 0:
            remarks.append("The server does not say how many tokens were used: costs will be estimates.")
        return Tried(answer, tuple(remarks), _offers(endpoint_asked))
    except Unusable as error:
        trouble = _trouble(settings, model, endpoint_asked, str(error))
        return Tried(_no_answer(trouble), offers=_offers(endpoint_asked))
    finally:
        endpoint_asked.close()


def _try_embedding(settings: Settings, model: ModelRow) -> Tried:
    """Ask for the vectors of two texts that are alike and of one that is not."""
    try:
        asked = embedding_endpoint(settings, model, patient=False)
    except Unusable as error:
        return Tried(_no_answer(str(error)))
    started = time.monotonic()
    try:
        first, like, unlike = asked.embed(EMBEDDING_TRIAL, kind="passage", stop=lambda: False)
        seconds = time.monotonic() - started
        remarks = named_otherwise(model.reference, asked.reported)
        if first @ like <= first @ unlike:
            remarks.append(
                f"“{EMBEDDING_TRIAL[0]}” is no nearer to “{EMBEDDING_TRIAL[1]}” than to “{EMBEDDING_TRIAL[2]}”: check "
                "that this is a model for embeddings of texts."
            )
        text = f"Vectors of {asked.dimensions:,} numbers."
        return Tried(Answer("test", text, "stop", 0, 0, seconds), tuple(remarks), _offers(asked))
    except Unusable as error:
        trouble = str(error)
        if not asked.heard and "Check" not in trouble:
            trouble = f"{trouble.rstrip('.')}. Check that the server runs, its address and its port."
        return Tried(_no_answer(trouble), offers=_offers(asked))
    finally:
        asked.close()


def list_models(settings: Settings, base_url: str, key: str) -> list[str]:
    """Names of the models at an address that is not saved yet.

    Raises:
        Invalid: the address cannot be used or asked, or nothing there lists models for this key.
    """
    try:
        asked = _client(settings, str(addresses.read(base_url)), "", key.strip() or None, patient=False, kind=Endpoint)
    except Unusable as error:
        raise Invalid(str(error)) from error
    try:
        names = asked.listed()
    except Unusable as error:
        raise Invalid(str(error)) from error
    finally:
        asked.close()
    if not names:
        raise Invalid(
            "The server lists no models at this address with this key. Check both, or enter the model ID by hand."
        )
    return names


def named_otherwise(wanted: str, reported: Iterable[str]) -> list[str]:
    """A sentence for every name that answered and is not what was asked for; dated and longer forms of it are."""
    others = sorted({name for name in reported if not model_names.same_model(wanted, name)})
    return [f"You asked for {model_names.shown_name(wanted)}, and {name} answered." for name in others]


def _trouble(settings: Settings, model: ModelRow, asked: Endpoint, wrong: str) -> str:
    """What is wrong, and what to do about it."""
    if asked.heard or "Check" in wrong:
        return f"{wrong}{_elsewhere(settings, model, wrong)}"
    return f"{wrong.rstrip('.')}. Check that the server runs, its address and its port."


def _offers(asked: Endpoint | EmbeddingEndpoint) -> tuple[str, ...]:
    """What a server lists that answers at all; one that is not there is not waited for again."""
    return tuple(asked.offers()) if asked.heard else ()


def _no_answer(error: str) -> Answer:
    return Answer("test", "", "", 0, 0, 0.0, error=error)


def _elsewhere(settings: Settings, model: ModelRow, wrong: str) -> str:
    """A hint when nothing is at the address but its /v1 answers. It is asked without the key, which is not for it."""
    nothing_there = ("web page", "knows no model", "not JSON", "not a chat completion")
    if model.base_url.endswith("/v1") or not any(status in wrong for status in nothing_there):
        return ""
    nearby = f"{model.base_url}/v1"
    try:
        nearby_endpoint = _client(settings, nearby, model.reference, None, patient=False, kind=Endpoint)
    except Unusable:
        return ""
    try:
        there = next(iter(nearby_endpoint.answer([TRIAL], lambda: False))).error is None
    except Unusable as error:
        there = "does not accept the key" in str(error)
    finally:
        nearby_endpoint.close()
    return f" But {nearby} answers: enter that as the address." if there else ""
