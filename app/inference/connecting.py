"""Connecting models: a server with its key, a folder; changed, prepared, retired.

A stored key belongs to the address it was typed in for. Changing any part of the address drops the key, so nobody can
point a connection somewhere else and have the key sent there.
"""

from dataclasses import dataclass, field, replace
from pathlib import Path

from cryptography.fernet import Fernet
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from app import secret
from app.audit import service as audit
from app.db import reading, utcnow, writing
from app.errors import Conflict, FieldError, Forbidden, Invalid
from app.inference import addresses, folders, service, store, trials
from app.inference.findings import Findings
from app.inference.service import HUB_FOLDER, HUB_NAME, Tried
from app.inference.tables import ModelRow, Purpose
from app.jobs import service as jobs
from app.jobs.tables import JobRow
from app.settings import Settings
from app.users.tables import Role, UserRow

LEAST_DEADLINE, MOST_DEADLINE = 1, 86_400  # seconds
NAME_LENGTH, PATH_LENGTH, KEY_LENGTH = 100, 500, 4000
BUDGET, BUDGET_MOST = 16_000, 500_000  # tokens of long prompts in a meeting, unless somebody says otherwise


@dataclass(frozen=True, slots=True)
class Connection:
    """An OpenAI-compatible server. model: its name there. own: it is the team's. purpose: what it is asked for, which
    stays with the connection. deadline: seconds that one answer may take; None is the installation's."""

    name: str
    base_url: str
    model: str
    key: str = field(default="", repr=False)
    context_window: int | None = None
    own: bool = False
    purpose: Purpose = "answers"
    deadline: float | None = None


@dataclass(frozen=True, slots=True)
class ConnectionChange:
    """What of a connection changes: None leaves a part as it is, an empty key takes the key away, a deadline of 0 that
    one."""

    name: str | None = None
    base_url: str | None = None
    model: str | None = None
    key: str | None = field(default=None, repr=False)
    context_window: int | None = None
    own: bool | None = None
    deadline: float | None = None


def add_endpoint(session: Session, settings: Settings, wanted: Connection, *, by: UserRow) -> ModelRow:
    """Connect an OpenAI-compatible server.

    Raises:
        Forbidden: only an admin connects models.
        Invalid: name, address, model name or key cannot be used.
    """
    _admins_only(by)
    faults = [
        *_name_faults(session, wanted.name),
        *_model_faults(wanted.model),
        *_key_faults(wanted.key),
        *_window_faults(wanted.context_window),
        *_deadline_faults(wanted.deadline),
    ]
    address = _address(wanted.base_url, faults)
    if faults or address is None:
        raise Invalid("The model server was not added.", faults)
    row = ModelRow(
        name=wanted.name.strip(),
        kind="endpoint",
        reference=wanted.model.strip(),
        base_url=address,
        context_window=wanted.context_window,
        own=wanted.own or None,
        purpose=wanted.purpose,
        deadline=wanted.deadline,
        files={},
        created_by=by.id,
        set_by=by.id,
        created_at=utcnow(),
    )
    _put_key(settings, row, wanted.key.strip())
    session.add(row)
    session.flush()
    _record(session, by, "model.add", row)
    return row


def change_endpoint(
    session: Session, settings: Settings, model_id: int, change: ConnectionChange, *, by: UserRow
) -> ModelRow:
    """Change a connection.

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
        raise Conflict("Only the connection to a model server can be changed; add a folder again.")
    if row.retired_at:
        raise Conflict("This model is retired.")
    faults = [*_window_faults(change.context_window), *_deadline_faults(change.deadline or None)]
    if change.name is not None and change.name.strip() != row.name:
        faults += _name_faults(session, change.name)
    if change.model is not None:
        faults += _model_faults(change.model)
    if change.key is not None:
        faults += _key_faults(change.key)
    address = row.base_url if change.base_url is None else _address(change.base_url, faults)
    if faults or address is None:
        raise Invalid("The connection was not changed.", faults)
    moved, before = address != row.base_url, (row.reference, row.key_sealed)
    _apply(row, change, address, moved=moved)
    row.set_by = by.id
    if change.key is not None or moved:
        _put_key(settings, row, (change.key or "").strip())
    if moved or (row.reference, row.key_sealed) != before:
        row.tested = None  # it is another connection now
    _record(session, by, "model.change", row, address_changed=moved)
    return row


def _apply(row: ModelRow, change: ConnectionChange, address: str, *, moved: bool) -> None:
    """What changes besides the key. moved: whether the address is another one."""
    row.name = row.name if change.name is None else change.name.strip()
    row.reference = row.reference if change.model is None else change.model.strip()
    row.base_url = address
    row.context_window = row.context_window if change.context_window is None else change.context_window
    row.deadline = row.deadline if change.deadline is None else change.deadline or None
    row.own = (change.own or None) if change.own is not None or moved else row.own


def test(engine: Engine, settings: Settings, model_id: int) -> Tried:
    """Try a server out, and keep what came of it as the state of the connection.

    No transaction is open meanwhile: it may take half a minute. A connection that was changed in the meantime keeps
    nothing of it.
    """
    with reading(engine) as session:
        model = store.get(session, model_id)
    tried = service.try_out(settings, model)
    if model.kind == "endpoint":
        trial = trials.now(
            error=tried.answer.error or "",
            seconds=tried.answer.seconds,
            text=tried.answer.text,
            remarks=tried.remarks,
            offers=tried.offers,
        )
        with writing(engine) as session:
            row = store.get(session, model_id)
            if trials.same_connection(row, model):
                row.tested = trial.to_json()
    return tried


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
        raise Conflict("A model server needs no set-up; test the connection instead.")
    if model.retired_at:
        raise Conflict("This model is retired.")
    return jobs.add(session, "convert", model.id, by.id, title=f"Set up {model.name}")


def meet(session: Session, model_id: int, by: UserRow, budget: int = BUDGET) -> JobRow:
    """Have a worker find out how a model server wants to be asked (`meeting`). budget: tokens that it may send to find
    the context window; 0 sends no long prompt.

    Raises:
        Conflict: it is no server that answers, it is retired, or it is being met already.
        Invalid: the budget is too large.
    """
    model = store.get(session, model_id)
    if model.kind != "endpoint" or model.purpose != "answers":
        raise Conflict("Only a model server that answers can be met.")
    if model.retired_at:
        raise Conflict("This model is retired.")
    if not 0 <= budget <= BUDGET_MOST:
        fault = FieldError("#/budget", f"Use a number of tokens from 0 to {BUDGET_MOST:,}.")
        raise Invalid("The meeting was not started.", [fault])
    model.meeting_budget = budget
    return jobs.add(session, "meet", model.id, by.id, title=f"Meet {model.name}", queue="cpu")


def switch_thinking(session: Session, model_id: int, by: UserRow, *, off: bool) -> ModelRow:
    """Have a model server asked without thinking, or again as it likes. Measurements that began before go on as they
    began.

    Raises:
        Forbidden: only an admin changes how a model is asked.
        Conflict: no switch is known that works.
    """
    _admins_only(by)
    model = store.get(session, model_id)
    known = trials.met(model)
    if known is None or known.switch is None or trials.outdated(model):
        raise Conflict("No way is known to turn its thinking off. Meet the server first.")
    model.met = replace(known, manner=replace(known.manner, wire=known.switch if off else None)).to_json()
    _record(session, by, "model.change", model, thinking_off=off)
    return model


def carried(before: Findings | None, now: Findings) -> Findings:
    """New findings with what somebody chose by the old ones, where it still can be had of the same server."""
    if before is None or not before.thinking_off:
        return now
    same = (before.base_url, before.model, before.switch) == (now.base_url, now.model, now.switch)
    return replace(now, manner=replace(now.manner, wire=now.switch)) if same else now


def in_4_bits(session: Session, model_id: int, by: UserRow) -> ModelRow:
    """The same folder as a model of its own, held in 4 bits once it is loaded (QLoRA): for baselines, training and
    scoring alike, so that what is measured is what is trained.

    Raises:
        Forbidden: only an admin connects models.
        Conflict: it is no folder that was read, it is there in 4 bits already, or nothing here can hold it so.
    """
    _admins_only(by)
    model = store.get(session, model_id)
    if model.kind != "folder" or model.bits or model.retired_at or not model.files:
        raise Conflict("Only a folder of this machine whose files were read can be held in 4 bits.")
    if not service.holds_4_bits():
        raise Conflict(service.NO_4_BITS)
    if before := store.in_4_bits(session, model):
        raise Conflict(f"It is there in 4 bits already: {before.name}.")
    row = ModelRow(
        name=f"{model.name[: NAME_LENGTH - len(service.IN_4_BITS)]}{service.IN_4_BITS}",
        kind="folder",
        reference=model.reference,
        base_url="",
        bits=4,
        context_window=model.context_window,
        files=dict(model.files),
        created_by=by.id,
        set_by=by.id,
        created_at=utcnow(),
    )
    if faults := _name_faults(session, row.name):
        raise Conflict(" ".join(fault.detail for fault in faults))
    session.add(row)
    session.flush()
    _record(session, by, "model.add", row, bits=4)
    return row


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
    facts = {"name": row.name, "kind": row.kind, "base_url": row.base_url, "reference": row.reference}
    own: dict[str, object] = {"own": True} if row.own else {}
    own |= {"purpose": row.purpose} if row.purpose != "answers" else {}
    audit.record(session, by, act, "model", row.id, {**facts, **own, "key_set": row.key_sealed is not None, **more})


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


def _deadline_faults(deadline: float | None) -> list[FieldError]:
    if deadline is None or LEAST_DEADLINE <= deadline <= MOST_DEADLINE:
        return []
    return [FieldError("#/deadline", f"Use seconds from {LEAST_DEADLINE} to {MOST_DEADLINE:,}.")]


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
