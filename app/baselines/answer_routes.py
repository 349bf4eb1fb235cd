"""Pages of answers: those of one arm, one alone, and the words on why they fail."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Form, Query, Request, Response

from app import glossary
from app.assessments import store as assessment_store
from app.baselines import (
    answer_store,
    answers_view,
    causes,
    comparisons,
    facts,
    passage_use,
    passages_view,
    results_view,
    standing,
    store,
    sureness,
    tag_store,
    tagging,
    watching,
)
from app.baselines.answer_store import Selection, Show
from app.baselines.deps import shown_to
from app.baselines.tables import AnswerRow, ArmRow
from app.errors import NotFound
from app.evaluation import metrics
from app.inference.deps import WithBundled
from app.users import store as user_store
from app.users.deps import Me
from app.users.tables import UserRow
from app.web.deps import App, Db
from app.web.pages import page, render, see, wants_fragment
from app.web.params import LARGEST, Id, OneLine, PageNumber

router = APIRouter(include_in_schema=False, dependencies=[WithBundled])

PAGE = 20
Split = Literal["dev", "test"]
Cause = Literal["", "behaviour", "facts", "instructions", "reference"]
RowId = Annotated[int | None, Query(ge=0, le=LARGEST)]
Label = Annotated[OneLine, Query()]
Failure = Literal["", "missed", "unused", "misused", "cut"]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which answers a page is about: the values of its address that it hands on.

    against: the arm that fixed and broke are counted from. expected, output: labels, wanted and given. failure: how
    wrong answers with passages came about.
    """

    split: Split | None = None
    show: Show = "all"
    against: int | None = None
    expected: str = ""
    output: str = ""
    failure: Failure = ""

    @property
    def kept(self) -> dict[str, str]:
        """The values that are set, for the links of a page."""
        values = {
            "split": self.split or "",
            "show": "" if self.show == "all" else self.show,
            "against": str(self.against or ""),
            "expected": self.expected,
            "output": self.output,
            "failure": self.failure,
        }
        return {name: value for name, value in values.items() if value}


def _wanted(
    split: Split | None = None,
    show: Show = "all",
    against: Annotated[int | None, Query(ge=1, le=LARGEST)] = None,
    expected: Label = "",
    output: Label = "",
    failure: Failure = "",
) -> Wanted:
    return Wanted(split, show, against, expected, output, failure)


OfAddress = Annotated[Wanted, Depends(_wanted)]


@dataclass(frozen=True, slots=True)
class PageAt:
    """Which page of the answers. after, before: row ids between which and the end, or the beginning, the page lies. An
    id stays where it is while others tag, which a page's number would not. tagged, was: the answer that was just
    tagged, and what it was tagged before, so that this can be undone."""

    after: RowId = None
    before: RowId = None
    tagged: RowId = None
    was: Cause = ""


@router.get("/baselines/{baseline_id}/arms/{arm_id}", name="arm")
def show_arm(
    request: Request,
    baseline_id: Id,
    arm_id: Id,
    app: App,
    db: Db,
    me: Me,
    wanted: OfAddress,
    at: Annotated[PageAt, Depends()],
) -> Response:
    """A page of answers."""
    arm = _arm(db, baseline_id, arm_id)
    baseline = arm.baseline
    chosen: Split = wanted.split or ("test" if arm.test and not arm.dev else "dev")
    if chosen == "test":
        shown_to(app, db, me, baseline, [arm], "read")
    selection = _selection(db, arm, chosen, wanted)
    if at.before is not None:
        answers = answer_store.page_before(db, selection, before=at.before, limit=PAGE)
    else:
        answers = answer_store.page_of_answers(db, selection, after=at.after or 0, limit=PAGE)
    total = answer_store.number_of(db, selection)
    first = answer_store.number_of(db, selection, up_to=answers[0].example_id) if answers else 0
    examples = answers_view.examples_by_id(db, {answer.example_id for answer in answers})
    masker = answers_view.masking(db, baseline)
    names, own = _taggers(db, answers), tag_store.own_words(db, baseline.id, me.id)
    compared = comparisons.comparisons(db, baseline).get(arm.id) if chosen == "dev" else None
    return page(
        request,
        "baselines/arm.html",
        assessment=assessment_store.get(db, baseline.assessment_id),
        step="measure",
        baseline=baseline,
        arm=arm,
        help=glossary.term(f"variant.{arm.family}").help,
        metric=metrics.get(baseline.metric),
        instructions=standing.instructions_of(baseline, arm),
        split=chosen,
        wanted=wanted,
        kept={**wanted.kept, "split": chosen},
        against=next((row for row in baseline.arms if row.id == wanted.against), None),
        change=compared.change if compared else None,
        sure=sureness.of(db, arm, chosen),
        counted=answer_store.counted(db, Selection(arm_id=arm.id, split=chosen, passing=selection.passing)),
        shown=[answers_view.view(baseline, examples, answer, masker, names, own) for answer in answers],
        passages=passages_view.summary(db, arm, chosen),
        failures=passage_use.FAILURES,
        causes=causes.CAUSES,
        enough=causes.ENOUGH,
        undo={at.tagged: at.was} if at.tagged else {},
        tagged=sum(facts.failure_causes(db, baseline).values()),
        leads=standing.leading(baseline),
        outdated=results_view.outdated(arm),
        total=total,
        first=first,
        last=first + len(answers) - 1,
    )


@router.post("/answers/{answer_id}/cause", name="tag_answer")
def tag_answer(
    request: Request,
    answer_id: Id,
    db: Db,
    me: Me,
    wanted: OfAddress,
    cause: Annotated[Cause, Form()] = "",
    before: Annotated[Cause, Form()] = "",
    after: RowId = None,
    number: PageNumber = None,
) -> Response:
    """Store why one answer failed. before: the cause that the page showed; after: where its page began, number: which
    page of a second person's round it was."""
    given = tagging.tag_one(db, answer_id, cause, before=before, by=me)
    answer = answer_store.answer(db, answer_id)
    arm = store.arm(db, answer.arm_id)
    baseline = arm.baseline
    row = tag_store.open_round(db, baseline.id, me.id)
    second = row is not None and answer_id in row.answers
    if not wants_fragment(request) and second:
        last = {"tagged": answer_id, "was": before, **({"page": number} if number else {})}
        return see(request, "second_tags", query=last, baseline_id=baseline.id, anchor=f"answer-{answer_id}")
    if not wants_fragment(request):
        kept = {**wanted.kept, "split": answer.split, "after": after or "", "tagged": answer_id, "was": before}
        anchor = f"answer-{answer_id}"
        return see(request, "arm", baseline_id=baseline.id, arm_id=arm.id, query=kept, anchor=anchor)
    other = user_store.get(db, given.replaced_by_user) if given.replaced_by_user else None
    html = render(
        request,
        "baselines/_tagged.html",
        one=_view(db, arm, answer, me),
        causes=causes.CAUSES,
        kept=wanted.kept,
        after=after,
        undo={answer_id: before},
        replaced=causes.CAUSES[given.replaced][0] if given.replaced else "",
        replaced_by=other.name if other else "",
        enough=len(row.answers) if row and second else causes.ENOUGH,
        there=None if second else answer_store.number_of(db, _failures(arm, answer.split)),
        tagged=_own(db, baseline.id, me) if second else sum(facts.failure_causes(db, baseline).values()),
    )
    return Response(html, media_type="text/html")


@router.get("/answers/{answer_id}", name="answer")
def show_answer(request: Request, answer_id: Id, app: App, db: Db, me: Me, wanted: OfAddress) -> Response:
    answer, arm, shots, rendered, same = answers_view.prompt_of(db, app.blobs, answer_id, me.id)
    if answer.split == "test":
        shown_to(app, db, me, arm.baseline, [arm], "read")
    selection = _selection(db, arm, answer.split, wanted)
    following = answer_store.page_of_answers(db, selection, after=answer.example_id, limit=1)
    preceding = answer_store.page_before(db, selection, before=answer.example_id, limit=1)
    return page(
        request,
        "baselines/answer.html",
        assessment=assessment_store.get(db, arm.baseline.assessment_id),
        step="measure",
        baseline=arm.baseline,
        arm=arm,
        answer=answer,
        shown=shots,
        rendered=rendered,
        hide=answers_view.masking(db, arm.baseline),
        same=same,
        kept={**wanted.kept, "split": answer.split},
        passages=passages_view.given(db, app.blobs, arm, answer) if arm.settings.get("passages") else [],
        written=answers_view.masking(db, arm.baseline).text((answer.details or {}).get("written", "")),
        failures=passage_use.FAILURES,
        causes=causes.CAUSES,
        following=following[0] if following else None,
        preceding=preceding[0] if preceding else None,
        number=answer_store.place_of(db, selection, answer.example_id),
        total=answer_store.number_of(db, selection),
        watched=watching.of_answers(db, arm.baseline, [answer.id]).get(answer.id, []),
    )


def _arm(session: Db, baseline_id: int, arm_id: int) -> ArmRow:
    arm = store.arm(session, arm_id)
    if arm.baseline_id != baseline_id:
        raise NotFound("There is no such variant.")
    return arm


def _failures(arm: ArmRow, split: str) -> Selection:
    """All answers of an arm that are wrong."""
    return Selection(arm_id=arm.id, split=split, passing=standing.passing(arm.baseline), show="wrong")


def _selection(session: Db, arm: ArmRow, split: str, wanted: Wanted) -> Selection:
    rows = answers_view.rows_answered(session, arm, split, expected=wanted.expected, output=wanted.output)
    if wanted.failure:
        failed = passages_view.rows_failed(session, arm, split, wanted.failure)
        rows = failed if rows is None else rows & failed
    return Selection(
        arm_id=arm.id,
        split=split,
        passing=standing.passing(arm.baseline),
        show=wanted.show,
        against=wanted.against,
        rows=rows,
    )


def _view(session: Db, arm: ArmRow, answer: AnswerRow, me: UserRow) -> answers_view.AnswerView:
    examples = answers_view.examples_by_id(session, {answer.example_id})
    hide = answers_view.masking(session, arm.baseline)
    own = tag_store.own_words(session, arm.baseline_id, me.id)
    return answers_view.view(arm.baseline, examples, answer, hide, _taggers(session, [answer]), own)


def _own(session: Db, baseline_id: int, me: UserRow) -> int:
    """How many failures of a round this person has tagged."""
    return sum(bool(word) for word in tag_store.own_words(session, baseline_id, me.id).values())


def _taggers(session: Db, answers: Sequence[AnswerRow]) -> dict[int, str]:
    people = {by for answer in answers for by in (answer.tagged_by, answer.settled_by) if by}
    return user_store.names(session, sorted(people))
