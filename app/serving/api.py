"""The REST side of serving: which names can be asked under `/v1`, switched on and off, and the calls on record."""

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from app.inference.deps import WithBundled
from app.serving import service, store
from app.serving.deps import InUse
from app.serving.service import Served
from app.users.deps import Admin, Me
from app.web.deps import App, Db
from app.web.params import LARGEST, OneLine, UpTo200
from app.web.problems import REFUSALS

router = APIRouter(prefix="/api/v1/serving", tags=["models"], responses=REFUSALS, dependencies=[WithBundled])

Kind = Literal["model", "prompt", "adapter"]
Outcome = Literal["stop", "length", "refused", "failed", "hung_up"]


class ServedModel(BaseModel):
    """A name that can be asked under `/v1`, or could be. `outdated`: it stands for an earlier prompt than the best one
    of today; switching it on anew takes that."""

    name: str
    object: str = "served_model"
    kind: Kind
    title: str
    on: bool
    model_id: int
    arm_id: int | None
    training_id: int | None
    outdated: bool
    against: str = Field(description="Why it can't be switched on now; empty where it can.")
    calls: int
    prompt_tokens: int
    completion_tokens: int
    last_asked_at: datetime | None

    @staticmethod
    def of(one: Served) -> "ServedModel":
        stands = one.stands_for
        return ServedModel(
            name=one.name,
            kind=stands.kind,
            title=one.title,
            on=one.on,
            model_id=stands.model_id,
            arm_id=stands.arm_id,
            training_id=stands.training_id,
            outdated=one.other,
            against=one.against,
            calls=one.asked.calls,
            prompt_tokens=one.asked.prompt_tokens,
            completion_tokens=one.asked.completion_tokens,
            last_asked_at=one.asked.last,
        )


class ServedModels(BaseModel):
    """`address` is the base URL for clients of OpenAI's protocol; they send a token with the scope `ask`. `device`: the
    setting TUNEGATE_DEVICE; `computed_on`: the device that answered last, empty before any answer."""

    data: list[ServedModel]
    has_more: bool = False
    address: str
    device: Literal["auto", "cpu", "cuda", "mps"]
    computed_on: str


class Switch(BaseModel):
    """A name to switch on or off."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[OneLine, Field(max_length=120)]
    on: bool


class ServedCall(BaseModel):
    """One call of a served model: who, which and how much; never what was asked or answered.

    `token_id` is null for a signed-in browser. `outcome`: stop or length, as the answer ended; refused, where the model
    does not take such a prompt; failed; hung_up, where nobody waited for the end.
    """

    id: int
    object: str = "served_call"
    name: str
    user_id: int
    token_id: int | None
    at: datetime
    outcome: Outcome
    prompt_tokens: int
    completion_tokens: int
    seconds: float


class ServedCalls(BaseModel):
    data: list[ServedCall]
    has_more: bool


@router.get("", name="api_serving")
def list_served_models(app: App, db: Db, me: Me, serving: InUse) -> ServedModels:
    """Every name that can be asked under `/v1`, was asked once, or could be switched on."""
    data = [ServedModel.of(one) for one in service.served(db)]
    return ServedModels(
        data=data,
        address=f"{app.settings.address}/v1",
        device=app.settings.device,
        computed_on=serving.server.computed_on,
    )


@router.put("", name="api_switch_served_model")
def switch_served_model(body: Switch, db: Db, me: Admin) -> ServedModel:
    """Switch a name on or off. On already, it stands from now on for what it would stand for today."""
    if body.on:
        service.switch_on(db, body.name, me)
    else:
        service.switch_off(db, body.name, me)
    return ServedModel.of(service.one(db, body.name))


@router.get("/calls", name="api_served_calls")
def list_served_calls(
    db: Db,
    me: Me,
    before: Annotated[int | None, Query(ge=1, le=LARGEST)] = None,
    limit: UpTo200 = 50,
) -> ServedCalls:
    """Calls on record, from the newest back, below id `before`."""
    calls = store.calls(db, before, limit + 1)
    data = [
        ServedCall(
            id=call.id,
            name=name,
            user_id=call.user_id,
            token_id=call.token_id,
            at=call.at,
            outcome=call.outcome,
            prompt_tokens=call.prompt_tokens,
            completion_tokens=call.completion_tokens,
            seconds=call.seconds,
        )
        for call, name in calls[:limit]
    ]
    return ServedCalls(data=data, has_more=len(calls) > limit)
