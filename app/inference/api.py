"""The REST side of model connections."""

from contextlib import suppress
from dataclasses import asdict
from datetime import date, datetime
from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from app.db import reading, writing
from app.inference import connecting, findings, meeting, service, store, trials
from app.inference.deps import WithBundled
from app.inference.tables import ModelRow, Purpose
from app.jobs import store as job_store
from app.jobs.api import Job
from app.jobs.tables import JobRow
from app.json_types import JsonObject
from app.users.deps import Admin, Me
from app.users.tables import UserRow
from app.web.context import AppContext
from app.web.deps import App, Db
from app.web.params import Id, Number, Text
from app.web.problems import REFUSALS, described
from app.web.protocols import ListedPrice
from app.web.refusals import TooMany

router = APIRouter(prefix="/api/v1/models", tags=["models"], responses=REFUSALS, dependencies=[WithBundled])


Seconds = Annotated[float, Field(ge=0, le=1e9, description="That one answer may take, from when it can be expected.")]


class Test(BaseModel):
    """The last test of a model server. `error` is empty where it answered; `offers` are the models that it lists."""

    model_config = ConfigDict(from_attributes=True)

    at: datetime
    error: str = Field(description="Why it cannot be used and what to do; empty where it answered.")
    seconds: float = Field(description="Seconds until it answered, measured.")
    remarks: list[str] = Field(description="What works otherwise than asked for.")
    offers: list[str] = Field(description="Names of the models that the server lists, 200 at most.")
    by_run: bool = Field(description="Met by a measurement, not by a test.")


class Model(BaseModel):
    """A model that may be asked. The key is never given out; `key_last4` tells which one is stored.

    `state`: of a server untested, ready or failing, as its last test (`tested`) found it; forms for measurements do not
    offer a failing one. Of a model on this machine: not set up, preparing, ready or failed. Of either: retired.

    `own`: why text that must stay on the team's own servers may be sent to it: this machine, private address, or
    declared by an administrator; null where it may not.
    """

    id: int
    object: str = "model"
    name: str
    kind: str
    state: str
    base_url: str
    model: str
    tested: Test | None = Field(description="The last test of a server; null where it was never tested as it is now.")
    key_set: bool
    key_last4: str | None
    context_window: int | None
    deadline: float | None = Field(description="Seconds that one answer may take; null is the installation's.")
    own: str | None
    purpose: Purpose = Field(description="What it is connected for; one for embeddings answers nothing.")
    trainable: bool
    bits: int | None = Field(None, description="4 where its layers are held in 4 bits; null: as its files have them.")
    files: dict[str, str]
    created_at: datetime
    retired_at: datetime | None
    job_id: int | None = Field(None, description="the job that reads its files, in the answer that started it")
    remarks: list[str] = Field([], description="what was not taken as it was sent, in the answer to that")

    @staticmethod
    def of(session: Db, row: ModelRow, job: JobRow | None = None, cut: str = "") -> "Model":
        return Model(
            job_id=job.id if job else None,
            remarks=[cut] if cut else [],
            id=row.id,
            name=row.name,
            kind=row.kind,
            state=service.state(session, row)[0],
            base_url=row.base_url,
            model=row.reference,
            tested=Test.model_validate(trial) if (trial := trials.last(row)) else None,
            key_set=row.key_sealed is not None,
            key_last4=row.key_last4,
            context_window=row.context_window,
            deadline=row.deadline,
            own=service.own(row) or None,
            purpose="embeddings" if row.purpose == "embeddings" else "answers",
            trainable=row.trainable,
            bits=row.bits,
            files=row.files,
            created_at=row.created_at,
            retired_at=row.retired_at,
        )


class Models(BaseModel):
    data: list[Model]
    has_more: bool = False


class NewEndpoint(BaseModel):
    """An OpenAI-compatible server. `model` is the name that the server knows."""

    model_config = ConfigDict(extra="forbid")

    name: Text = Field(max_length=connecting.NAME_LENGTH)
    base_url: Text = Field(max_length=connecting.PATH_LENGTH)
    model: Text = Field(max_length=connecting.PATH_LENGTH)
    key: Text = Field(default="", max_length=connecting.KEY_LENGTH)
    context_window: Number | None = None
    deadline: Seconds | None = None
    purpose: Purpose = Field(default="answers", description="What it is asked for: answers, or vectors of texts.")
    own: bool = Field(default=False, description="Declare that the server is your own: nothing sent to it leaves you.")


class NewFolder(BaseModel):
    """A folder on the server with a transformers model, or a hub's name where the operator allows the hub."""

    model_config = ConfigDict(extra="forbid")

    name: Text = Field(max_length=connecting.NAME_LENGTH)
    path: Text = Field(max_length=connecting.PATH_LENGTH)


class EndpointChange(BaseModel):
    """What is left out stays. Changing `base_url` in any part drops the stored key, unless `key` comes with it, and the
    word that the server is your own, unless `own` does."""

    model_config = ConfigDict(extra="forbid")

    name: Text | None = Field(default=None, max_length=connecting.NAME_LENGTH)
    base_url: Text | None = Field(default=None, max_length=connecting.PATH_LENGTH)
    model: Text | None = Field(default=None, max_length=connecting.PATH_LENGTH)
    key: Text | None = Field(default=None, max_length=connecting.KEY_LENGTH)
    context_window: Number | None = None
    deadline: Seconds | None = Field(default=None, description="0 takes it away: then the installation's holds.")
    own: bool | None = None


class Tested(BaseModel):
    """What came of asking for one word as a measurement asks. `remarks`: what works otherwise than asked for."""

    fine: bool
    text: str
    error: str | None
    seconds: float
    remarks: list[str]
    offers: list[str] = Field(description="Names of the models that the server lists, 200 at most.")


class MeetingOrder(BaseModel):
    """How far a meeting may go."""

    model_config = ConfigDict(extra="forbid")

    budget: int = Field(
        default=connecting.BUDGET,
        ge=0,
        le=connecting.BUDGET_MOST,
        description="Tokens that may be sent in long prompts to find the context window; 0 sends none.",
    )


class Thinking(BaseModel):
    """Whether a server is asked without thinking."""

    model_config = ConfigDict(extra="forbid")

    off: bool


class MeetingLine(BaseModel):
    """One thing that was looked for, with what was asked and what came."""

    name: str
    label: str
    sentence: str
    asked: str
    came: str
    differs: bool = Field(description="It is not as a measurement would have it.")


class MeetingPrice(BaseModel):
    """What a million tokens cost by the team's list of prices."""

    input: float
    output: float
    currency: str
    name: str
    dated: date
    source: str

    @staticmethod
    def of(listed: ListedPrice | None) -> "MeetingPrice | None":
        if listed is None:
            return None
        price = listed.price
        return MeetingPrice(
            input=price.input,
            output=price.output,
            currency=price.currency,
            name=listed.name,
            dated=listed.dated,
            source=listed.source,
        )


class Meeting(BaseModel):
    """What a model server was like when it was met last. `manner` is what every later call uses and a measurement
    keeps; null where nobody met this server and this model of it. `outdated`: the findings are about another one."""

    met_at: datetime | None
    outdated: bool
    base_url: str | None
    model: str | None
    calls: int
    seconds: float
    tokens_in: int
    tokens_out: int
    lines: list[MeetingLine]
    manner: JsonObject | None
    thinking_off: bool
    can_turn_thinking_off: bool
    later: list[str] = Field(description="What a measurement found different since.")
    price: MeetingPrice | None = Field(description="Null where the list has none for this model.")
    would_take: dict[str, int] = Field(description="Calls (fewest, most) and tokens of another meeting, roughly.")
    job_id: int | None = Field(description="The job that meets it, or did last.")

    @staticmethod
    def of(session: Db, app: AppContext, row: ModelRow) -> "Meeting":
        met, manner = trials.met(row), trials.manner(row)
        job = job_store.latest(session, "meet", row.id)
        return Meeting(
            met_at=datetime.fromisoformat(met.manner.at) if met else None,
            outdated=trials.outdated(row),
            base_url=met.base_url if met else None,
            model=met.model if met else None,
            calls=met.calls if met else 0,
            seconds=met.seconds if met else 0.0,
            tokens_in=met.tokens_in if met else 0,
            tokens_out=met.tokens_out if met else 0,
            lines=[
                MeetingLine(
                    name=line.name,
                    label=findings.LABELS.get(line.name, line.name),
                    sentence=line.sentence,
                    asked=line.asked,
                    came=line.came,
                    differs=bool(line.differs),
                )
                for line in (met.lines if met else ())
            ],
            manner=manner.to_json() if manner else None,
            thinking_off=bool(met and met.thinking_off),
            can_turn_thinking_off=bool(met and met.switch),
            later=list(met.later or ()) if met else [],
            price=MeetingPrice.of(app.list_price(session, row)),
            would_take=asdict(meeting.estimate(connecting.BUDGET)),
            job_id=job.id if job else None,
        )


@router.get("", name="api_models")
def list_models(db: Db, me: Me) -> Models:
    """Every model, retired ones included."""
    return Models(data=[Model.of(db, row) for row in store.everything(db)])


@router.post("/endpoints", name="api_add_endpoint", status_code=201)
def add_endpoint(body: NewEndpoint, app: App, me: Admin) -> Model:
    """Connect a server and test the connection: `state` says what came of it. One whose test fails is kept, too.

    What people copy along with an address is cut off; `remarks` says what was. Takes up to half a minute. While too
    many tests run it stays untested.
    """
    with writing(app.engine) as session:
        model_id = connecting.add_endpoint(session, app.settings, connecting.Connection(**body.model_dump()), by=me).id
    return _after_test(app, me, model_id, connecting.cut_off(body.base_url))


@router.post("/folders", name="api_add_folder", status_code=201)
def add_folder(body: NewFolder, app: App, db: Db, me: Admin) -> Model:
    """Add a model on this machine; `job_id` is the job that reads its files."""
    row = connecting.add_folder(db, app.settings, by=me, **body.model_dump())
    return Model.of(db, row, service.preparing(db, row))


@router.get("/{model_id}", name="api_model")
def show_model(model_id: Id, db: Db, me: Me) -> Model:
    """One model."""
    return Model.of(db, store.get(db, model_id))


@router.patch("/{model_id}", name="api_change_model")
def change_model(model_id: Id, body: EndpointChange, app: App, me: Admin) -> Model:
    """Change a connection; a new address, model or key is tested at once. `remarks`: what was cut off the address."""
    with writing(app.engine) as session:
        change = connecting.ConnectionChange(**body.model_dump())
        row = connecting.change_endpoint(session, app.settings, model_id, change, by=me)
        untested = row.tested is None
    cut = connecting.cut_off(body.base_url)
    if untested:
        return _after_test(app, me, model_id, cut)
    with reading(app.engine) as session:
        return Model.of(session, store.get(session, model_id), cut=cut)


def _after_test(app: AppContext, me: UserRow, model_id: int, cut: str) -> Model:
    """The model with the state that its first test gave it; untested where no test could run now."""
    with suppress(TooMany), app.model_tests.take(me.id):
        connecting.test(app.engine, app.settings, model_id)
    with reading(app.engine) as session:
        return Model.of(session, store.get(session, model_id), cut=cut)


@router.post("/{model_id}/test", name="api_test_model", responses=described(429))
def test_model(model_id: Id, app: App, me: Me) -> Tested:
    """Ask a server for one word and for its list of models; takes up to half a minute. The state follows from it."""
    with app.model_tests.take(me.id):
        tried = connecting.test(app.engine, app.settings, model_id)
    answer = tried.answer
    return Tested(
        fine=tried.fine,
        text=answer.text[:300],
        error=answer.error,
        seconds=answer.seconds,
        remarks=list(tried.remarks),
        offers=list(tried.offers),
    )


@router.get("/{model_id}/meeting", name="api_meeting")
def show_meeting(model_id: Id, app: App, db: Db, me: Me) -> Meeting:
    """What is known of a model server and how it is asked because of it; what finding it out again would take."""
    return Meeting.of(db, app, store.get(db, model_id))


@router.post("/{model_id}/meeting", name="api_meet_server", status_code=202)
def meet_server(model_id: Id, body: MeetingOrder, db: Db, me: Me) -> Job:
    """Have a worker find out how a model server wants to be asked: some forty short calls, and a few long ones within
    the budget."""
    return Job.of(connecting.meet(db, model_id, me, body.budget))


@router.put("/{model_id}/thinking", name="api_switch_thinking")
def switch_thinking(model_id: Id, body: Thinking, app: App, db: Db, me: Admin) -> Meeting:
    """Have a model server asked without thinking, where a meeting found a way, or again as it likes."""
    return Meeting.of(db, app, connecting.switch_thinking(db, model_id, me, off=body.off))


@router.post("/{model_id}/prepare", name="api_prepare_model", status_code=202)
def prepare_model(model_id: Id, db: Db, me: Me) -> Job:
    """Have a worker hash and convert a model on this machine, so that it can be asked and trained."""
    return Job.of(connecting.prepare(db, model_id, me))


@router.post("/{model_id}/four-bit", name="api_hold_in_four_bits", status_code=201)
def hold_in_four_bits(model_id: Id, db: Db, me: Admin) -> Model:
    """Add the same folder as a model that is held in 4 bits (QLoRA). It is another model: baselines are measured on it
    anew. Needs bitsandbytes; 409 says what to install."""
    return Model.of(db, connecting.in_4_bits(db, model_id, me))


@router.delete("/{model_id}", name="api_retire_model")
def retire_model(model_id: Id, db: Db, me: Admin) -> Model:
    """Take a model out of the lists; what was measured with it stays."""
    return Model.of(db, connecting.retire(db, model_id, me))
