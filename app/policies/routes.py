"""Pages: the policy to read, its versions, and publishing another one in two steps: change numbers, then look at the
difference, say why, and publish. Both steps are plain forms."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response

from app.advice.policy import MARKS, Factor, Policy, Weight
from app.advice.policy_file import POLICY
from app.advice.questions import SECTIONS
from app.advice.sentences import gates as gate_sentences
from app.errors import Conflict, Invalid, Stale
from app.glossary import todays
from app.json_types import JsonObject
from app.policies import changes, service, store
from app.policies.service import BUILT_IN
from app.policies.tables import PolicyRow
from app.users import store as user_store
from app.users.deps import Admin, Me
from app.web.context import AppContext
from app.web.deps import App, Db, KeptDb
from app.web.forms import by_field
from app.web.pages import page, see
from app.web.params import LARGEST, OneLine
from app.web.params import Form as SentForm

router = APIRouter(include_in_schema=False)

Number = Annotated[int, Path(ge=BUILT_IN, le=LARGEST)]


@dataclass(frozen=True, slots=True)
class Version:
    """One line of the history: a published policy and what it changed. The built-in one has no row."""

    number: int
    policy: Policy
    row: PolicyRow | None
    changes: Sequence[changes.Change]


# ------------------------------------------------------------------ reading


TABS = (
    ("decision", "Decision"),
    ("criteria", "Criteria"),
    ("thresholds", "Thresholds"),
    ("weights", "Weights"),
    ("sources", "Sources"),
    ("versions", "Versions"),
)
Tab = Annotated[str, Query(max_length=20, pattern=r"^[a-z]*$")]
Searched = Annotated[OneLine, Query(max_length=200)]


@router.get("/policy", name="policy")
def show_policy(request: Request, db: KeptDb, me: Me, tab: Tab = "", q: Searched = "") -> Response:
    newest = store.newest(db)
    return _policy(request, db, newest.number if newest else BUILT_IN, tab, q)


@router.get("/policy/edit", name="edit_policy")
def show_form(request: Request, db: Db, me: Admin) -> Response:
    return _form(request, db, {}, {}, "", 200)


@router.get("/policy/{number}", name="policy_version")
def show_version(request: Request, number: Number, db: KeptDb, me: Me, tab: Tab = "", q: Searched = "") -> Response:
    return _policy(request, db, number, tab, q)


def _policy(request: Request, db: Db, number: int, tab: str, q: str) -> Response:
    """One tab of a policy, or whatever holds the searched text, of all tabs."""
    policy = service.numbered(db, number)
    versions = _versions(db)
    words = q.casefold().split()
    return page(
        request,
        "policies/policy.html",
        policy=policy,
        shown=next(version for version in versions if version.number == number),
        newest=versions[0],
        versions=versions,
        tabs=TABS,
        tab=tab if tab in dict(TABS) else TABS[0][0],
        q=q.strip(),
        rules=[rule for rule in policy.verdict.values() if _holds(words, rule.when, rule.then, rule.because)],
        gates=[gate for gate in policy.gates.values() if _holds(words, gate.id, gate.label, gate.why, gate.meanwhile)],
        thresholds=[one for one in policy.thresholds if _holds(words, one.label, one.title, one.because)],
        sections=_searched(policy, words),
        sources=sorted(
            (one for one in policy.sources.values() if one.mark != "J" and _holds(words, one.title, one.year)),
            key=lambda one: one.title,
        ),
        marks=MARKS,
        changes_of=gate_sentences.changes_in_general,
        with_unit=changes.with_unit,
        names=user_store.names(db, sorted({version.row.published_by for version in versions if version.row})),
    )


def _versions(db: Db) -> list[Version]:
    """The newest first, the built-in policy last."""
    rows = store.everything(db)
    policies = [*(service.made(row) for row in rows), POLICY]
    versions = [
        Version(row.number, after, row, changes.differences(before, after))
        for row, after, before in zip(rows, policies, policies[1:], strict=False)
    ]
    return [*versions, Version(BUILT_IN, POLICY, None, ())]


def _sections(policy: Policy) -> list[tuple[str, list[Factor]]]:
    """The factors under the headings of the questionnaire, each once."""
    sections = []
    for section in SECTIONS:
        names = dict.fromkeys(question.factor for question in section.questions)
        sections.append((section.title, [policy.factors[name] for name in names if name in policy.factors]))
    return sections


def _searched(policy: Policy, words: Sequence[str]) -> list[tuple[str, list[Factor]]]:
    """The factors that hold all the words, themselves or in one of their answers; headings without any are left out."""
    found = [
        (title, [factor for factor in factors if _factor_holds(policy, factor, words)])
        for title, factors in _sections(policy)
    ]
    return [(title, factors) for title, factors in found if factors]


def _factor_holds(policy: Policy, factor: Factor, words: Sequence[str]) -> bool:
    answers = (text for answer in policy.answers(factor.id) for text in (answer.label, answer.because))
    return _holds(words, factor.id, factor.title, factor.why, *answers)


def _holds(words: Sequence[str], *texts: object) -> bool:
    """Whether the texts hold all the words, as they are stored or as pages say them."""
    whole = " ".join(map(str, texts))
    both = f"{whole} {todays(whole)}".casefold()
    return all(word in both for word in words)


# ------------------------------------------------------------------ publishing


@router.post("/policy/preview", name="preview_policy")
def preview(request: Request, sent: SentForm, app: App, db: Db, me: Admin) -> Response:
    """Show what would be different, or the form again with what is wrong."""
    return _preview(request, app, db, sent, go_back=sent.get("go") == "back")


@router.post("/policy", name="publish_policy")
def publish(request: Request, sent: SentForm, app: App, db: Db, me: Admin) -> Response:
    numbers, faults = changes.read_form(sent, service.today(db))
    if faults:
        return _form(request, db, sent, by_field(faults), "", 422)
    try:
        service.publish(db, numbers, str(sent.get("reason", "")), _whole(sent.get("based_on")), me)
    except Invalid as refusal:
        errors = by_field(refusal)
        if set(errors) == {"reason"}:
            return _preview(request, app, db, sent, errors=errors)
        return _form(request, db, sent, errors, refusal.detail, 422)
    except Stale as refusal:
        return _form(request, db, sent, {}, refusal.detail, 412)
    except Conflict as refusal:
        return _form(request, db, sent, {}, refusal.detail, 409)
    return see(request, "policy", notice="published")


def _preview(
    request: Request,
    app: AppContext,
    db: Db,
    sent: JsonObject,
    errors: dict[str, str] | None = None,
    *,
    go_back: bool = False,
) -> Response:
    today = service.today(db)
    numbers, faults = changes.read_form(sent, today)
    faults = faults or changes.field_errors(list(POLICY.faults_of(numbers)), POLICY)
    if faults or go_back:
        return _form(request, db, sent, by_field(faults), "", 422 if faults else 200)
    newest = store.newest(db)
    number = newest.number if newest else BUILT_IN
    after = POLICY.with_numbers(f"{POLICY.version}.{number + 1}", numbers)
    differences = changes.differences(today, after)
    if not differences:
        return _form(request, db, sent, {}, f"These are the numbers of policy {today.version}.", 422)
    now, then = changes.form_values(today), changes.form_values(after)
    return page(
        request,
        "policies/preview.html",
        status=422 if errors else 200,
        today=today,
        after=after,
        based_on=number,
        changes=differences,
        effects=app.effects(db, after),
        kept={name: value for name, value in then.items() if value != now[name]},
        reason=str(sent.get("reason", "")),
        errors=errors or {},
    )


def _form(request: Request, db: Db, sent: JsonObject, errors: dict[str, str], detail: str, status: int) -> Response:
    today = service.today(db)
    values = changes.form_values(today)
    return page(
        request,
        "policies/edit.html",
        status=status,
        policy=today,
        values=values | {name: str(sent[name])[: changes.LONGEST] for name in values if name in sent},
        sections=_sections(today),
        choices_of=_choices_of,
        wrong=_wrong(today, errors),
        field_of=changes.field_of,
        reason=str(sent.get("reason", "")),
        errors=errors,
        detail=detail,
    )


@dataclass(frozen=True, slots=True)
class Choice:
    """The field for one approach's points of a weight. heading: of its column; points: those that may be chosen."""

    name: str
    heading: str
    approach: str
    points: Sequence[int]


# Heading and words, in the order of `changes.fields_of`.
APPROACHES = (("Prompt", "the prompt"), ("RAG", "RAG"), ("Train", "training"))


def _choices_of(weight: Weight) -> list[Choice]:
    bounds = POLICY.weight(weight.factor, weight.answer).bounds
    return [
        Choice(name, heading, approach, range(low, high + 1))
        for name, (heading, approach), (low, high) in zip(changes.fields_of(weight), APPROACHES, bounds, strict=True)
    ]


def _wrong(policy: Policy, errors: Mapping[str, str]) -> set[str]:
    """Factors with a field that has an error."""
    return {weight.factor for weight in policy.weights if any(name in errors for name in changes.fields_of(weight))}


def _whole(value: object) -> int:
    """The number in a form; what is no number is none that we ever had."""
    text = str(value)
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else -1
