"""Connecting models: who may be asked, with which key, and how to get one that answers.

A stored key belongs to the address it was typed in for. Changing any part of the address drops the key, so nobody can
point a connection somewhere else and have the key sent there.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cryptography.fernet import Fernet, InvalidToken
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from app import secret
from app.audit import service as audit
from app.db import reading, utcnow, writing
from app.errors import Conflict, FieldError, Forbidden, Invalid
from app.inference import addresses, completion, folders, spoken, store, weights
from app.inference.endpoint import Endpoint
from app.inference.generator import Answer, Generator, Message, Request, Unusable
from app.inference.local import Dtype, LocalModel
from app.inference.tables import ModelRow
from app.jobs import service as jobs
from app.jobs import store as job_store
from app.jobs.tables import JobRow
from app.settings import Settings
from app.users.tables import Role, UserRow

BUNDLED_NAME = "SmolLM2-135M-Instruct (embedded)"
BUNDLED_FOLDER = "smollm2-135m-instruct"
HUB_FOLDER = "hub"
HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}", re.ASCII)
NAME_LENGTH, PATH_LENGTH, KEY_LENGTH = 100, 500, 4000

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

State = Literal["ready", "not prepared", "preparing", "failed", "retired"]


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
    return (weights.EXPANDED if model.kind == "bundled" else model.name), revision


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
        return "ready", None
    job = job_store.latest(session, "convert", model.id)
    if job and not job.final:
        return "preparing", job
    if model.files:
        return "ready", job
    return ("failed" if job and job.failure else "not prepared"), job


# ---------------------------------------------------------------- connecting


def add_endpoint(
    session: Session,
    settings: Settings,
    *,
    by: UserRow,
    name: str,
    base_url: str,
    model: str,
    key: str = "",
    context_window: int | None = None,
    own: bool = False,
) -> ModelRow:
    """Connect an OpenAI-compatible server.

    Raises:
        Forbidden: only an admin connects models.
        Invalid: name, address, model name or key cannot be used.
    """
    _admins_only(by)
    faults = [*_name_faults(session, name), *_model_faults(model), *_key_faults(key), *_window_faults(context_window)]
    address = _address(base_url, faults)
    if faults or address is None:
        raise Invalid("The model server was not added.", faults)
    row = ModelRow(
        name=name.strip(),
        kind="endpoint",
        reference=model.strip(),
        base_url=address,
        context_window=context_window,
        own=own or None,
        files={},
        created_by=by.id,
        set_by=by.id,
        created_at=utcnow(),
    )
    _put_key(settings, row, key.strip())
    session.add(row)
    session.flush()
    _record(session, by, "model.add", row)
    return row


def change_endpoint(
    session: Session,
    settings: Settings,
    model_id: int,
    *,
    by: UserRow,
    name: str | None = None,
    base_url: str | None = None,
    model: str | None = None,
    key: str | None = None,
    context_window: int | None = None,
    own: bool | None = None,
) -> ModelRow:
    """Change a connection; None leaves a part as it is, an empty key takes the key away.

    The key goes with the address: when that changes in any part, the stored key is dropped unless a new one comes. So
    does the word that the server is the team's own.

    Raises:
        Forbidden: only an admin changes connections.
        Conflict: it is not a server, or it is retired.
        Invalid: a part cannot be used.
    """
    _admins_only(by)
    row = store.get(session, model_id)
    if row.kind != "endpoint":
        raise Conflict("Only the connection to a model server can be changed; add a folder anew.")
    if row.retired_at:
        raise Conflict("This model is retired.")
    faults = [*_window_faults(context_window)]
    if name is not None and name.strip() != row.name:
        faults += _name_faults(session, name)
    if model is not None:
        faults += _model_faults(model)
    if key is not None:
        faults += _key_faults(key)
    address = row.base_url if base_url is None else _address(base_url, faults)
    if faults or address is None:
        raise Invalid("The connection was not changed.", faults)
    moved = address != row.base_url
    row.name = row.name if name is None else name.strip()
    row.reference = row.reference if model is None else model.strip()
    row.base_url = address
    row.set_by = by.id
    row.context_window = context_window if context_window is not None else row.context_window
    row.own = (own or None) if own is not None or moved else row.own
    if key is not None or moved:
        _put_key(settings, row, (key or "").strip())
    _record(session, by, "model.change", row, address_changed=moved)
    return row


def cut_off(base_url: str | None) -> str:
    """What to say about an address that was not kept as it was typed; empty where it was."""
    cut = addresses.tail(base_url or "")
    return f"{cut} was cut off the end of the address: the app adds it itself." if cut else ""


def add_folder(session: Session, settings: Settings, *, by: UserRow, name: str, path: str) -> ModelRow:
    """Add a folder on this machine that holds a transformers model; a job hashes it before it can be used.

    Where the operator allows the hub, `path` may be a hub's name (team/model); the job fetches its files first.

    Raises:
        Forbidden: only an admin adds models.
        Invalid: it is not a path to a folder that we load; every reason is said.
    """
    _admins_only(by)
    path = path.strip()
    faults = _name_faults(session, name)
    if settings.allow_hub and HUB_NAME.fullmatch(path) and "--" not in path:
        path = str(settings.models_dir.resolve() / HUB_FOLDER / path.replace("/", "--"))
    else:
        faults += _path_faults(path)
    if faults:
        raise Invalid("The model folder was not added.", faults)
    row = ModelRow(
        name=name.strip(),
        kind="folder",
        reference=str(Path(path)),
        base_url="",
        files={},
        created_by=by.id,
        set_by=by.id,
        created_at=utcnow(),
    )
    session.add(row)
    session.flush()
    _record(session, by, "model.add", row)
    prepare(session, row.id, by)
    return row


def prepare(session: Session, model_id: int, by: UserRow) -> JobRow:
    """Have a worker convert the bundled model, or check and hash a folder (again).

    Raises:
        Conflict: there is nothing to prepare for a server, the model is retired, or it is being prepared already.
    """
    model = store.get(session, model_id)
    if model.kind == "endpoint":
        raise Conflict("A model server needs no preparation; test it instead.")
    if model.retired_at:
        raise Conflict("This model is retired.")
    return jobs.add(session, "convert", model.id, by.id, title=f"Prepare {model.name}")


def preparing(session: Session, model: ModelRow) -> JobRow | None:
    """The job that prepared this model last, or is about to."""
    return job_store.latest(session, "convert", model.id)


def retire(session: Session, model_id: int, by: UserRow) -> ModelRow:
    """Take a model out of the lists. What was measured with it stays; its key is deleted.

    Raises:
        Forbidden: only an admin retires models.
        Conflict: the embedded model stays, and a retired one is retired.
    """
    _admins_only(by)
    model = store.get(session, model_id)
    if model.kind == "bundled":
        raise Conflict("The embedded model comes with the app and stays.")
    if model.retired_at:
        raise Conflict("This model is retired already.")
    model.retired_at = utcnow()
    model.key_sealed = model.key_last4 = None
    _record(session, by, "model.retire", model)
    return model


# ---------------------------------------------------------------- using


def generator(settings: Settings, model: ModelRow, adapter_dir: Path | None = None, dtype: Dtype = "auto") -> Generator:
    """A model that answers. Whoever gets it closes it.

    dtype: precision of a local model; a comparison gives the second run the precision of the first.

    Raises:
        Unusable: it cannot be used as it stands; the sentence says what to do.
    """
    if model.kind == "endpoint":
        if adapter_dir:
            raise Unusable("An adapter can only be used on a model of this machine.")
        return endpoint(settings, model)
    if not model.files:
        raise Unusable(f"{model.name} has not been prepared yet: open Models and press Prepare.")
    return LocalModel(
        folder(settings, model), adapter_dir, threads=settings.threads or None, dtype=dtype, files=model.files
    )


def endpoint(settings: Settings, model: ModelRow, *, patient: bool = True) -> Endpoint:
    """The client of a model server. Not patient: one attempt of 20 seconds, for the test button.

    Raises:
        Unusable: the stored key cannot be read, or the address is one that is no longer accepted.
    """
    key = None
    if model.key_sealed:
        try:
            key = Fernet(secret.key(settings)).decrypt(model.key_sealed.encode()).decode()
        except InvalidToken:
            raise Unusable("The stored key cannot be read with this installation's secret. Enter it again.") from None
    return _client(settings, model.base_url, model.reference, key, patient=patient)


def _client(settings: Settings, base_url: str, name: str, key: str | None, *, patient: bool) -> Endpoint:
    policy = addresses.Policy.read(settings.allowed_hosts)
    try:
        if patient:
            return Endpoint(
                base_url,
                name,
                key,
                policy,
                concurrency=settings.endpoint_concurrency,
                total_seconds=settings.endpoint_seconds,
                patience=settings.endpoint_patience,
                first_wait=settings.endpoint_first_wait,
                ca_file=settings.ca_file,
            )
        return Endpoint(
            base_url,
            name,
            key,
            policy,
            concurrency=1,
            attempts=1,
            total_seconds=min(TRY_SECONDS, settings.endpoint_seconds),
            patience=0.0,
            ca_file=settings.ca_file,
        )
    except Invalid as refusal:
        raise Unusable(refusal.detail) from refusal


@dataclass(frozen=True, slots=True)
class Tried:
    """What came of trying a server out. remarks: what works otherwise than asked for, one sentence each."""

    answer: Answer
    remarks: tuple[str, ...] = ()

    @property
    def fine(self) -> bool:
        return self.answer.error is None


def try_out(settings: Settings, model: ModelRow) -> Tried:
    """Ask a server as a measurement will ask it: instructions, an example, a question, the same limits.

    What goes wrong is in the answer's `error`.
    """
    try:
        asked = endpoint(settings, model, patient=False)
    except Unusable as error:
        return Tried(_no_answer(str(error)))
    try:
        came = next(iter(asked.answer([TRIAL], lambda: False)))
        answer = spoken.settled(came, TRIAL.max_tokens)
        if answer.error is None and not answer.text.strip():
            answer = _no_answer("The model answered with nothing at all. Check the model's name and its settings.")
        if answer.error is not None:
            return Tried(_no_answer(f"{answer.error}{_elsewhere(settings, model, answer.error)}"))
        remarks = [*asked.remarks, *named_otherwise(model.reference, asked.reported)]
        if answer.raw is not None or answer.thinking:
            remarks.append(
                "The model thinks before it answers. Thinking counts against the longest answer and is not scored."
            )
        if answer.prompt_tokens == 0:
            remarks.append("The server does not say how many tokens were used: costs will be estimates.")
        return Tried(answer, tuple(remarks))
    except Unusable as error:
        return Tried(_no_answer(f"{error}{_elsewhere(settings, model, str(error))}"))
    finally:
        asked.close()


def named_otherwise(asked: str, reported: Iterable[str]) -> list[str]:
    """A sentence for every name that answered and is not what was asked for; dated and longer forms of it are."""
    others = sorted({name for name in reported if not completion.same_model(asked, name)})
    return [f"You asked for {completion.shown_name(asked)}, and {name} answered." for name in others]


def _no_answer(error: str) -> Answer:
    return Answer("test", "", "", 0, 0, 0.0, error=error)


def _elsewhere(settings: Settings, model: ModelRow, wrong: str) -> str:
    """A hint when nothing is at the address but its /v1 answers. It is asked without the key, which is not for it."""
    nothing_there = ("web page", "knows no model", "not JSON", "not a chat completion")
    if model.base_url.endswith("/v1") or not any(words in wrong for words in nothing_there):
        return ""
    nearby = f"{model.base_url}/v1"
    try:
        asked = _client(settings, nearby, model.reference, None, patient=False)
    except Unusable:
        return ""
    try:
        there = next(iter(asked.answer([TRIAL], lambda: False))).error is None
    except Unusable as error:
        there = "does not accept the key" in str(error)
    finally:
        asked.close()
    return f" But {nearby} answers: enter that as the address." if there else ""


# ---------------------------------------------------------------- inside


def _admins_only(by: UserRow) -> None:
    if by.role != Role.ADMIN:
        raise Forbidden("Only an admin connects models: a model server sees the rows it is asked about.")


def _put_key(settings: Settings, row: ModelRow, key: str) -> None:
    if key:
        row.key_sealed = Fernet(secret.key(settings)).encrypt(key.encode()).decode()
        row.key_last4 = key[-4:] if len(key) >= 12 else ""  # a short key would be half told by its end
    else:
        row.key_sealed = row.key_last4 = None


def _record(session: Session, by: UserRow, act: str, row: ModelRow, **more: object) -> None:
    said = {"name": row.name, "kind": row.kind, "base_url": row.base_url, "reference": row.reference}
    own = {"own": True} if row.own else {}
    audit.record(session, by, act, "model", row.id, {**said, **own, "key_set": row.key_sealed is not None, **more})


def _name_faults(session: Session, name: str) -> list[FieldError]:
    name = name.strip()
    if not name or len(name) > NAME_LENGTH or not name.isprintable():
        return [FieldError("#/name", f"Give it a name of at most {NAME_LENGTH} characters.")]
    if store.find_named(session, name):
        return [FieldError("#/name", "There is a model of this name already.")]
    return []


def _model_faults(model: str) -> list[FieldError]:
    model = model.strip()
    if model and len(model) <= PATH_LENGTH and model.isprintable():
        return []
    return [FieldError("#/model", "Enter the model's name exactly as the server knows it.")]


def _key_faults(key: str) -> list[FieldError]:
    key = key.strip()
    if len(key) <= KEY_LENGTH and key.isascii() and (key.isprintable() or not key) and " " not in key:
        return []
    return [FieldError("#/key", "A key is one word of ASCII characters; this one cannot be sent.")]


def _window_faults(window: int | None) -> list[FieldError]:
    if window is None or 256 <= window <= 100_000_000:
        return []
    return [FieldError("#/context_window", "Use a number of tokens from 256.")]


def _address(base_url: str, faults: list[FieldError]) -> str | None:
    try:
        return str(addresses.read(base_url))
    except Invalid as refusal:
        faults += refusal.errors
        return None


def _path_faults(path: str) -> list[FieldError]:
    if not path.startswith("/"):
        hub = "/" in path and not path.startswith((".", "~"))
        hint = "Names of a hub are off here: download the folder yourself, then enter its path." if hub else ""
        return [FieldError("#/path", f"Enter the whole path of a folder on this machine, from /. {hint}".strip())]
    if len(path) > PATH_LENGTH or not path.isprintable():
        return [FieldError("#/path", f"Enter a path of at most {PATH_LENGTH} characters.")]
    place = Path(path)
    if place.is_symlink() or place.resolve() != place:
        return [FieldError("#/path", "Enter the real path: no links, no dots.")]
    try:
        folders.check(place)
    except folders.NotAModel as wrong:
        return [FieldError("#/path", " ".join(wrong.faults))]
    except OSError as error:
        return [FieldError("#/path", f"The folder cannot be read: {error.strerror}.")]
    return []
