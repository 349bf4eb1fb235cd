"""What people do with an assessment: begin it, answer, rename, copy, put away.

Two people, two tabs: every page of the questionnaire carries the `version` it was made from and a random `tab`. A save
is refused only if the version has moved on *and* another page moved it: a page's own autosave, on its way while "Save"
is pressed, raises the version too and is no conflict.

A target changed after a result was seen is counted, since it may be changed once. An autosave therefore leaves metric
and target alone once there is a result: half-typed numbers would use the one change up.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import update
from sqlalchemy.orm import Session

from app.advice import case, schema, starting_points, verdict
from app.advice.evidence import Evidence
from app.advice.policy import Policy
from app.advice.policy_file import POLICY
from app.advice.questions import ASKED, SECTIONS, Section
from app.advice.schema import Answer, AnswersByKey
from app.assessments import store, typed
from app.assessments.tables import AssessmentRow, ContributionRow, LateTargetRow
from app.audit import service as audit
from app.db import utcnow
from app.errors import Conflict, FieldError, Forbidden, Invalid
from app.json_types import JsonDict
from app.policies import service as policies
from app.users.tables import Role, UserRow

LONGEST_TITLE = 200
LONGEST_TEAM = 100
LONGEST_NOTE = 4000
MEASURED_AGAINST = ("metric", "target")
ONE_SITTING = timedelta(minutes=15)
"""Saves of one section by one person within this time are one entry of the record, not one for each pause in typing."""


class Clash(Conflict):
    """Somebody else saved since the page was opened; `theirs` is what is stored, `mine` what was sent."""

    def __init__(self, row: AssessmentRow, mine: AnswersByKey) -> None:
        super().__init__("Somebody else saved this section since you opened it. Look at both and save again.")
        self.theirs = row
        self.mine = mine


# ------------------------------------------------------------------ reading


def answers(assessment: AssessmentRow) -> dict[str, Answer]:
    """The answers that can be read, as the case file has them; half-done drafts are left out."""
    return typed.readable(assessment.answers)


def progress(assessment: AssessmentRow) -> tuple[int, int]:
    """How many questions are answered, and how many there are. "I don't know" is an answer."""
    return typed.progress(assessment.answers, ASKED.values())


def policy_of(session: Session, assessment: AssessmentRow) -> Policy:
    """The policy that it began with, or was moved to since."""
    return policies.of(session, assessment.policy_id)


def advise(assessment: AssessmentRow, measured: Evidence | None, policy: Policy) -> verdict.Advice:
    """The advice as it stands; `measured` comes from the concepts above (`AppContext.evidence`)."""
    return verdict.advise(
        case.parse({"answers": answers(assessment), "measured": measured.to_json() if measured else {}}), policy
    )


# ------------------------------------------------------------------ beginning and naming


@dataclass(frozen=True, slots=True)
class Details:
    """What an assessment is called."""

    title: str
    team: str = ""
    note: str = ""

    def checked(self) -> "Details":
        """The same, trimmed.

        Raises:
            Invalid: the title is missing, or something is too long.
        """
        title, team, note = typed.one_line(self.title), typed.one_line(self.team), typed.lines(self.note)
        errors = []
        if not title:
            errors.append(FieldError("#/title", "Give it a name, for example what the model should do."))
        for name, value, most in (
            ("title", title, LONGEST_TITLE),
            ("team", team, LONGEST_TEAM),
            ("note", note, LONGEST_NOTE),
        ):
            if len(value) > most:
                errors.append(FieldError(f"#/{name}", f"At most {most:,} characters; these are {len(value):,}."))
        if errors:
            raise Invalid("Please look at the name again.", errors)
        return Details(title, team, note)


def create(
    session: Session,
    details: Details,
    me: UserRow,
    *,
    first_answers: AnswersByKey | None = None,
    starting_point: str = "",
) -> AssessmentRow:
    """Begin an assessment. `first_answers` are answers to start with, as the case file has them.

    A starting point gives its answers where `first_answers` says nothing, and its name where there is no title.

    Raises:
        Invalid: the details or the answers can't be used, or there is no such starting point.
    """
    assumed: list[str] = []
    if starting_point:
        point, own = _starting_point(starting_point), first_answers or {}
        details = Details(details.title.strip() or point.title, details.team, details.note)
        first_answers = _begun_with(starting_points.usual_answers(point), own)
        assumed = sorted(first_answers.keys() - own.keys())
    details, now = details.checked(), utcnow()
    row = AssessmentRow(
        title=details.title,
        team=details.team,
        note=details.note,
        answers=_checked(first_answers or {}),
        assumed=assumed,
        questions_version=POLICY.sha256,
        policy_id=policies.todays_id(session),
        created_by=me.id,
        created_at=now,
        updated_at=now,
    )
    _note_target(session, row, {}, me, has_results=False)
    session.add(row)
    session.flush()
    session.add(ContributionRow(assessment_id=row.id, user_id=me.id, what="created", at=now))
    detail = {"title": row.title} | ({"starting_point": starting_point} if starting_point else {})
    audit.record(session, me, "assessment.create", "assessment", row.id, detail)
    return row


def _begun_with(usual: dict[str, Answer], own: AnswersByKey) -> dict[str, Answer]:
    """The usual answers with a person's own over them; own goals take the usual main goal with them."""
    if "goals" in own:
        usual.pop("main_goal", None)
    return usual | dict(own)


def _starting_point(slug: str) -> starting_points.StartingPoint:
    point = starting_points.BY_SLUG.get(slug)
    if point is None:
        raise Invalid(
            "There is no such starting point.",
            [FieldError("#/starting_point", "Pick one of the situations in the list.")],
        )
    return point


def rename(session: Session, assessment_id: int, details: Details, me: UserRow) -> AssessmentRow:
    """Change title, team and note. A reviewer approves content, so a name doesn't void an approval."""
    details = details.checked()
    row = store.opened(session, assessment_id)
    if (row.title, row.team, row.note) != (details.title, details.team, details.note):
        before = row.title
        row.title, row.team, row.note = details.title, details.team, details.note
        row.updated_at = utcnow()
        audit.record(session, me, "assessment.rename", "assessment", row.id, {"from": before, "to": row.title})
    return row


def copy(session: Session, assessment_id: int, me: UserRow) -> AssessmentRow:
    """A new assessment with the same answers and nothing measured."""
    row = store.get(session, assessment_id)
    title = f"Copy of {row.title}"[:LONGEST_TITLE]
    # What the finished example notes is how it was measured, and nothing of that is true of a copy.
    note = "" if row.recorded else row.note
    made = create(session, Details(title, row.team, note), me, first_answers=answers(row))
    made.assumed = [key for key in row.assumed if key in made.answers]
    return made


def archive(session: Session, assessment_id: int, me: UserRow) -> AssessmentRow:
    """Put it away: it leaves the list and can't be changed until it is taken out again.

    Raises:
        Forbidden: it is the finished example, which everybody is shown; an administrator may.
    """
    row = store.changing(session, assessment_id)
    _keep_for_everybody(row, me)
    if row.archived_at is None:
        row.archived_at = utcnow()
        audit.record(session, me, "assessment.archive", "assessment", row.id, {})
    return row


def restore(session: Session, assessment_id: int, me: UserRow) -> AssessmentRow:
    row = store.changing(session, assessment_id)
    _keep_for_everybody(row, me)
    if row.archived_at is not None:
        row.archived_at = None
        audit.record(session, me, "assessment.restore", "assessment", row.id, {})
    return row


def _keep_for_everybody(row: AssessmentRow, me: UserRow) -> None:
    if row.recorded and me.role != Role.ADMIN:
        raise Forbidden("Everybody is shown the finished example. An admin can archive or restore it.")


def take_todays_policy(session: Session, assessment_id: int, me: UserRow) -> AssessmentRow:
    """Judge it by the newest policy from now on. This is an edit like any other: an approval is void after it.

    Raises:
        Conflict: it is judged by the newest one already, or the assessment is archived.
    """
    row = store.opened(session, assessment_id)
    before, today = policy_of(session, row), policies.todays_id(session)
    if row.policy_id == today:
        raise Conflict(f"This assessment is under the current policy, {before.version}, already.")
    row.policy_id = today
    detail = {"from": before.version, "to": policy_of(session, row).version}
    audit.record(session, me, "assessment.policy", "assessment", row.id, detail)
    contribute(session, row, me, "policy")
    return row


# ------------------------------------------------------------------ answering


@dataclass(frozen=True, slots=True)
class Page:
    """The page that a save came from. `draft` is an autosave."""

    version: int
    tab: str
    draft: bool = False


def save_section(
    session: Session,
    assessment_id: int,
    section: Section,
    sent: AnswersByKey,
    page: Page,
    me: UserRow,
    *,
    has_results: bool,
) -> AssessmentRow:
    """Keep a section's answers as typed; what can't be read yet is kept as well.

    Raises:
        Clash: somebody else saved since the page was opened.
        Conflict: the assessment is archived.
        Invalid: a metric that the form does not offer.
    """
    if fault := typed.metric_fault(sent.get("metric")):
        raise Invalid("Some answers can't be used.", [FieldError("#/metric", fault)])
    row = store.opened(session, assessment_id)
    if row.version != page.version and row.last_tab != page.tab:
        raise Clash(row, sent)
    before = row.version
    keys = {question.key for question in section.asked}
    has_results = has_results or row.result_seen_at is not None
    if page.draft and has_results:
        keys -= set(MEASURED_AGAINST)
    kept = {key: value for key, value in row.answers.items() if key not in keys}
    new = kept | {key: value for key, value in sent.items() if key in keys}
    _replace(session, row, new, me, what=f"answers: {section.slug}", has_results=has_results)
    if not page.draft:  # whoever presses the button has the whole section before them
        _looked_at(row, keys)
    if row.version != before:
        row.last_tab = page.tab
    return row


def patch(
    session: Session,
    assessment_id: int,
    sent: AnswersByKey,
    me: UserRow,
    *,
    has_results: bool,
) -> AssessmentRow:
    """Replace some answers, as the case file has them; null takes one back (for the owner: nobody).

    Raises:
        Invalid: an answer can't be used; then none is kept.
    """
    row = store.opened(session, assessment_id)
    new = {key: value for key, value in row.answers.items() if key not in sent} | _checked(sent)
    if "main_goal" in new and typed.fault(ASKED["main_goal"], new):
        raise Invalid(
            "The answers contradict each other.",
            [FieldError("#/answers/main_goal", "The main goal has to be one of the goals.")],
        )
    seen = has_results or row.result_seen_at is not None
    _replace(session, row, new, me, what="answers", has_results=seen)
    _looked_at(row, sent)
    return row


def _checked(sent: AnswersByKey) -> dict[str, Answer]:
    """Answers as the case file has them, each looked at for itself.

    Raises:
        Invalid: with every fault.
    """
    errors: list[FieldError] = []
    checked: dict[str, Answer] = {}
    for key, value in sent.items():
        try:
            read = case.answers_json(case.parse({"answers": {key: value}}).answers)
        except case.NotACase as refusal:
            errors += refusal.errors
        else:
            if key == "metric" and (fault := typed.metric_fault(read.get(key))):
                errors.append(FieldError("#/answers/metric", fault))
            checked |= {key: read[key]} if key in read else {key: value} if value == schema.UNKNOWN else {}
    if errors:
        raise Invalid("Some answers can't be used.", errors)
    return checked


def _replace(
    session: Session, row: AssessmentRow, new: dict[str, Answer], me: UserRow, *, what: str, has_results: bool
) -> None:
    """Store new answers and everything that follows from a change; nothing at all happens if there is none."""
    old = row.answers
    if new == old:
        return
    row.answers = new
    row.version += 1
    row.last_tab = ""
    says_more = typed.readable(old) != typed.readable(new)
    if says_more:  # a half-typed answer is kept, and says nothing yet
        row.questions_version = POLICY.sha256
    _note_target(session, row, old, me, has_results=has_results)
    changed = sorted(key for key in old.keys() | new.keys() if old.get(key, ...) != new.get(key, ...))
    _looked_at(row, changed)
    measured = {key: [old.get(key), new.get(key)] for key in changed if key in MEASURED_AGAINST}
    last = store.contribution(session, row.id, me.id)
    same_sitting = last is not None and last.what == what and utcnow() - last.at < ONE_SITTING
    if measured or not same_sitting:
        detail = {"what": what, "changed": changed, **measured}
        audit.record(session, me, "assessment.answers", "assessment", row.id, detail)
    contribute(session, row, me, what, changed=says_more)


def _looked_at(row: AssessmentRow, keys: Iterable[str]) -> None:
    """Somebody saved these answers or changed them: no template answers for them any more."""
    if left := set(row.assumed):
        row.assumed = sorted(left - set(keys))


def _note_target(session: Session, row: AssessmentRow, old: AnswersByKey, me: UserRow, *, has_results: bool) -> None:
    """When metric and target were set, which G7 asks for; and how often they were changed after a result was seen."""
    before = {key: typed.readable(old).get(key) for key in MEASURED_AGAINST}
    after = {key: answers(row).get(key) for key in MEASURED_AGAINST}
    if before == after:
        return
    settled = all(value not in (None, schema.UNKNOWN) for value in after.values())
    row.metric_set_at = utcnow() if settled else None
    if has_results:
        row.target_changes = (row.target_changes or 0) + 1
        session.add(
            LateTargetRow(
                assessment_id=row.id,
                metric=str(after["metric"] or "")[:100],
                target=str(after["target"] if after["target"] is not None else "")[:40],
                metric_before=str(before["metric"] or "")[:100],
                target_before=str(before["target"] if before["target"] is not None else "")[:40],
                changed_by=me.id,
                changed_at=row.metric_set_at or utcnow(),
            )
        )


# ------------------------------------------------------------------ four eyes


def contribute(session: Session, assessment: AssessmentRow, user: UserRow, what: str, *, changed: bool = True) -> None:
    """Note that somebody had a hand in it, and start a new revision: who contributed can't approve, and an approval
    holds for the revision it was given for. Every edit of any part comes through here.

    changed: False for what a reviewer would not see (a half-typed answer, a word that the next version will follow):
    the hand is noted, the revision stays, and no approval is lost by it.
    """
    now = utcnow()
    revised: JsonDict = {"revision": AssessmentRow.revision + 1, "revised_at": now} if changed else {}
    done = store.contribution(session, assessment.id, user.id)
    if done is None:
        session.add(ContributionRow(assessment_id=assessment.id, user_id=user.id, what=what[:60], at=now))
    else:
        done.what, done.at = what[:60], now
    session.flush()
    session.execute(
        update(AssessmentRow)
        .where(AssessmentRow.id == assessment.id)
        .values(updated_at=now, **revised)
        .execution_options(synchronize_session=False)
    )
    session.refresh(assessment, ["revision", "revised_at", "updated_at"])


def sections(assessment: AssessmentRow) -> list[tuple[Section, int, int]]:
    """Each section with how many of its questions are answered."""
    return [(section, *typed.progress(assessment.answers, section.asked)) for section in SECTIONS]
