"""The REST side: the policy with every rule's reason and sources, its versions, and publishing one."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from app.advice.policy import Numbers, Policy
from app.advice.policy_file import POLICY
from app.errors import Invalid, pointer
from app.json_types import JsonDict
from app.policies import changes, service, store
from app.policies.service import BUILT_IN
from app.policies.tables import PolicyRow
from app.users.deps import Admin, Me
from app.web.deps import Db
from app.web.pages import url_for
from app.web.params import LARGEST, Name, Text
from app.web.problems import REFUSALS, described

STALE = described(412, description="Another policy was published since the one named in `based_on`")
router = APIRouter(prefix="/api/v1/policies", tags=["policies"], responses=REFUSALS)

Number = Annotated[int, Path(ge=BUILT_IN, le=LARGEST, description="0 is the policy that comes with the app")]


class ChangedNumber(BaseModel):
    """One number that differs from the policy before, in words."""

    model_config = ConfigDict(from_attributes=True)

    name: str
    title: str
    approach: str
    before: str
    after: str


class Version(BaseModel):
    """One published policy. `number` 0 is the one that comes with the app."""

    number: int
    object: str = "policy"
    version: str
    sha256: str
    reason: str
    published_by: int | None
    published_at: datetime | None
    changes: list[ChangedNumber]


class Versions(BaseModel):
    """The newest first: the first one is today's policy."""

    data: list[Version]
    has_more: bool = False


class Cited(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    key: str
    title: str
    year: int
    mark: str
    link: str


class Limit(BaseModel):
    """A threshold; shares and gaps are from 0 to 1. `low` and `high` bound what may be published."""

    name: str
    title: str
    value: float
    unit: str
    low: float
    high: float
    because: str
    sources: list[str]


class Weighed(BaseModel):
    """The points of one answer: prompt, RAG, fine-tune."""

    factor: str
    answer: str
    label: str
    points: list[int]
    because: str
    sources: list[str]


class Gate(BaseModel):
    """A gate in words. `needed` has this policy's thresholds; what depends on a case stays in braces."""

    id: str
    title: str
    founding: bool
    why: str
    needed: str
    meanwhile: str
    sources: list[str]


class Whole(Version):
    """One policy with every rule."""

    thresholds: list[Limit]
    weights: list[Weighed]
    gates: list[Gate]
    sources: list[Cited]


Points = Annotated[int, Field(strict=True, ge=-LARGEST, le=LARGEST)]


class NewPolicy(BaseModel):
    """Numbers to publish; what is left out stays as it is. Weights are `F01.facts: [0, 3, -3]`, shares from 0 to 1."""

    model_config = ConfigDict(extra="forbid")

    based_on: int = Field(ge=BUILT_IN, le=LARGEST, description="the number of the policy that you looked at")
    reason: Text = Field(max_length=service.LONGEST_REASON)
    thresholds: dict[Name, Annotated[float, Field(strict=True, allow_inf_nan=False)]] = Field({}, max_length=200)
    weights: dict[Name, Annotated[list[Points], Field(max_length=3)]] = Field({}, max_length=500)


def _version(policy: Policy, row: PolicyRow | None, before: Policy | None) -> JsonDict:
    differences = changes.differences(before, policy) if before else []
    return {
        "number": row.number if row else BUILT_IN,
        "version": policy.version,
        "sha256": policy.sha256,
        "reason": row.reason if row else "",
        "published_by": row.published_by if row else None,
        "published_at": row.published_at if row else None,
        "changes": [ChangedNumber.model_validate(change) for change in differences],
    }


def _whole(db: Db, number: int) -> Whole:
    policy = service.numbered(db, number)
    row = store.numbered(db, number) if number else None
    before = service.numbered(db, number - 1) if number else None
    return Whole(
        **_version(policy, row, before),
        thresholds=[
            Limit(
                name=threshold.name,
                title=threshold.title,
                value=threshold.value,
                unit=threshold.unit,
                low=threshold.low,
                high=threshold.high,
                because=threshold.because,
                sources=[source.key for source in threshold.sources],
            )
            for threshold in policy.thresholds
        ],
        weights=[
            Weighed(
                factor=weight.factor,
                answer=weight.answer,
                label=weight.label,
                points=list(weight.points),
                because=weight.because,
                sources=[source.key for source in weight.sources],
            )
            for weight in policy.weights
        ],
        gates=[
            Gate(
                id=gate.id,
                title=gate.title,
                founding=gate.founding,
                why=gate.why,
                needed=policy.say(gate.id, "needed"),
                meanwhile=gate.meanwhile,
                sources=[source.key for source in gate.sources],
            )
            for gate in policy.gates.values()
        ],
        sources=[Cited.model_validate(source) for source in policy.sources.values()],
    )


def _place(field: str, new: NewPolicy) -> str:
    """Where a field of the form is in `NewPolicy`."""
    kind, _, name = field.partition(".")
    if kind == "threshold":
        return pointer("thresholds", name)
    if kind == "weight":
        return pointer("weights", name.rpartition(".")[0])
    for group, sent in (("thresholds", new.thresholds), ("weights", new.weights)):
        if field in sent:
            return pointer(group, field)
    return pointer(field)


@router.get("", name="api_policies")
def list_policies(db: Db, me: Me) -> Versions:
    """Every version that was published, and the one that comes with the app."""
    rows = store.everything(db)
    policies = [*(service.made(row) for row in rows), POLICY]
    versions = [
        Version(**_version(policy, row, before))
        for policy, row, before in zip(policies, [*rows, None], [*policies[1:], None], strict=True)
    ]
    return Versions(data=versions)


@router.get("/{number}", name="api_policy")
def get_policy(number: Number, db: Db, me: Me) -> Whole:
    """One policy with the reason and the sources of every rule."""
    return _whole(db, number)


@router.post("", name="api_publish_policy", status_code=201, responses=STALE)
def publish(request: Request, response: Response, new: NewPolicy, db: Db, me: Admin) -> Whole:
    """Publish a policy. Assessments that began before keep theirs; an author may move one to the newest."""
    numbers: Numbers = {"thresholds": new.thresholds, "weights": new.weights}
    try:
        row = service.publish(db, numbers, new.reason, new.based_on, me)
    except Invalid as refusal:
        raise refusal.moved(lambda field: _place(field, new)) from refusal
    response.headers["Location"] = url_for(request, "api_policy", number=row.number)
    return _whole(db, row.number)
