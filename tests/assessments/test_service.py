"""Saving, versions, four eyes, and what a changed target leaves behind."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from app.advice.evidence import Evidence
from app.advice.policy_file import POLICY
from app.advice.questions import section as find_section
from app.assessments import service, store
from app.assessments.service import Clash, Details, Page
from app.assessments.store import Wanted
from app.assessments.tables import AssessmentRow, ContributionRow
from app.audit.tables import EntryRow
from app.db import make_engine, reading, utcnow, writing
from app.errors import Conflict, Invalid, NotFound
from app.settings import Settings
from app.users.tables import UserRow
from tests.support.factories import Make


def save(
    session: Session,
    row: AssessmentRow,
    slug: str,
    answers: dict[str, Any],
    me: UserRow,
    *,
    version: int | None = None,
    tab: str = "a",
    draft: bool = False,
    has_results: bool = False,
) -> AssessmentRow:
    section = find_section(slug)
    assert section is not None
    page = Page(store.get(session, row.id).version if version is None else version, tab, draft)
    return service.save_section(session, row.id, section, answers, page, me, has_results=has_results)


def acts(session: Session, assessment_id: int) -> list[str]:
    query = select(EntryRow.act).where(EntryRow.subject == "assessment", EntryRow.subject_id == assessment_id)
    return list(session.scalars(query.order_by(EntryRow.id)))


def test_who_begins_an_assessment_has_had_a_hand_in_it(session: Session, make: Make) -> None:
    me = make.author()

    row = service.create(session, Details("  Comments ", "Docs"), me)

    assert row.title == "Comments"
    assert store.contributor_ids(session, row.id) == [me.id]
    assert acts(session, row.id) == ["assessment.create"]
    assert row.metric_set_at is None


@pytest.mark.parametrize(
    ("details", "field"),
    [(Details("  "), "title"), (Details("x" * 201), "title"), (Details("x", "y" * 101), "team"),
     (Details("x", "", "z" * 4001), "note")],
)  # fmt: skip
def test_a_name_that_can_not_be_used_is_refused(session: Session, make: Make, details: Details, field: str) -> None:
    with pytest.raises(Invalid) as caught:
        service.create(session, details, make.author())

    assert [error.field for error in caught.value.errors] == [field]


def test_a_section_is_replaced_and_the_others_stay(session: Session, make: Make) -> None:
    row = make.assessment()

    after = save(session, row, "use", {"recurrence": "months"}, make.author())

    assert after.answers["recurrence"] == "months"
    assert "calls_per_month" not in after.answers
    assert after.answers["goals"] == ["style", "format"]
    assert service.progress(after) == (21, 24)


def test_every_change_makes_the_editor_a_contributor_and_a_new_revision(session: Session, make: Make) -> None:
    row, other = make.assessment(), make.reviewer()

    after = save(session, row, "use", {"recurrence": "months"}, other)

    assert other.id in store.contributor_ids(session, row.id)
    assert (after.version, after.revision) == (2, 2)


def test_saving_what_is_there_already_changes_nothing(session: Session, make: Make) -> None:
    row, other = make.assessment(), make.author()
    keys = ("recurrence", "calls_per_month", "latency", "data_location")

    after = save(session, row, "use", {key: row.answers[key] for key in keys}, other)

    assert (after.version, after.revision) == (1, 1)
    assert other.id not in store.contributor_ids(session, row.id)


def test_somebody_elses_save_in_between_is_a_clash(session: Session, make: Make) -> None:
    row, me, other = make.assessment(), make.author(), make.author()
    save(session, row, "use", {"recurrence": "once"}, other, version=1, tab="theirs")

    with pytest.raises(Clash) as clash:
        save(session, row, "use", {"recurrence": "months"}, me, version=1, tab="mine")

    assert clash.value.theirs.answers["recurrence"] == "once"
    assert clash.value.mine == {"recurrence": "months"}


def test_a_pages_own_autosave_on_its_way_is_no_clash(session: Session, make: Make) -> None:
    row, me = make.assessment(), make.author()
    save(session, row, "use", {"recurrence": "once"}, me, version=1, tab="mine", draft=True)

    after = save(session, row, "use", {"recurrence": "months"}, me, version=1, tab="mine")

    assert after.answers["recurrence"] == "months"


def test_metric_and_target_get_a_time_when_both_are_set(session: Session, make: Make) -> None:
    row = make.assessment(answers={"target": "unknown"}, metric_set_at=None)
    me = make.author()

    assert save(session, row, "success", {"metric": "chrf"}, me).metric_set_at is None
    assert save(session, row, "success", {"metric": "chrf", "target": "9o"}, me).metric_set_at is None
    after = save(session, row, "success", {"metric": "chrf", "target": 0.9}, me)

    assert after.metric_set_at is not None
    assert utcnow() - after.metric_set_at < timedelta(minutes=1)
    assert after.target_changes == 0


def test_a_target_changed_after_a_result_is_counted_and_recorded(session: Session, make: Make) -> None:
    row, me = make.assessment(), make.author()

    after = save(session, row, "success", {"metric": "exact_match", "target": 0.8}, me, has_results=True)

    assert after.target_changes == 1
    entry = session.scalars(select(EntryRow).order_by(EntryRow.id.desc())).first()
    assert entry is not None
    assert entry.detail["target"] == [0.9, 0.8]


def test_an_autosave_leaves_the_target_alone_once_there_is_a_result(session: Session, make: Make) -> None:
    row, me = make.assessment(), make.author()

    after = save(
        session, row, "success", {"metric": "chrf", "target": 0.08, "prompting_tried": "met"}, me, draft=True,
        has_results=True,
    )  # fmt: skip

    assert (after.answers["metric"], after.answers["target"]) == ("exact_match", 0.9)
    assert after.answers["prompting_tried"] == "met"
    assert after.target_changes == 0


def test_one_sitting_is_one_entry_of_the_record(session: Session, make: Make) -> None:
    row, me = make.assessment(), make.author()

    save(session, row, "use", {"recurrence": "once"}, me)
    save(session, row, "use", {"recurrence": "months"}, me)
    save(session, row, "upkeep", {"owner": "Docs"}, me)

    assert acts(session, row.id) == ["assessment.answers", "assessment.answers"]


def test_what_is_archived_can_not_be_changed_until_it_is_taken_out(session: Session, make: Make) -> None:
    row, me = make.assessment(), make.author()
    service.archive(session, row.id, me)

    with pytest.raises(Conflict, match="archived"):
        save(session, row, "use", {"recurrence": "once"}, me)
    with pytest.raises(Conflict, match="archived"):
        service.rename(session, row.id, Details("x"), me)

    service.restore(session, row.id, me)
    assert save(session, row, "use", {"recurrence": "once"}, me).answers["recurrence"] == "once"


def test_a_copy_has_the_answers_and_nothing_measured(session: Session, make: Make) -> None:
    row = make.ready()
    me = make.author()

    made = service.copy(session, row.id, me)

    assert made.title == "Copy of Code comments in our house style"
    assert service.answers(made) == service.answers(row) | {"goals": ["format", "style"]}
    assert made.metric_set_at is not None
    assert store.contributor_ids(session, made.id) == [me.id]


def test_a_name_does_not_start_a_new_revision(session: Session, make: Make) -> None:
    row = make.assessment()

    after = service.rename(session, row.id, Details("Another name"), make.author())

    assert (after.title, after.revision) == ("Another name", 1)


def test_drafts_that_can_not_be_read_are_unknown_to_the_advice(session: Session, make: Make) -> None:
    row = make.assessment(answers={"calls_per_month": "many", "target": "high"})

    assert "calls_per_month" not in service.answers(row)
    gates = {gate.id: gate.state for gate in service.advise(row, None, POLICY).gates}
    assert (gates["G3"], gates["G7"]) == ("unknown", "unknown")


def test_measured_values_reach_the_advice(session: Session, make: Make) -> None:
    row = make.assessment()

    advice = service.advise(row, Evidence(usable_examples=720), POLICY)

    assert next(gate for gate in advice.gates if gate.id == "G1").how == "measured"


def test_the_list_finds_words_literally(session: Session, make: Make) -> None:
    make.assessment(title="100% sure", team="Ops_team")
    make.assessment(title="1000 labels", team="Opsxteam")

    def titles_with(text: str) -> list[str]:
        return [row.title for row in store.page(session, Wanted(text), 1, 20)[0]]

    assert titles_with("100%") == ["100% sure"]
    assert titles_with("ops_team") == ["100% sure"]
    assert titles_with("SURE ops") == ["100% sure"]
    assert titles_with("100") == ["1000 labels", "100% sure"]


def test_a_missing_assessment_is_not_found(session: Session) -> None:
    with pytest.raises(NotFound):
        store.get(session, 4711)
    with pytest.raises(NotFound):
        store.changing(session, 4711)


def test_contributions_of_two_sessions_both_count(engine: Engine, make: Make) -> None:
    row, me = make.assessment(), make.author()
    with writing(engine) as first:
        service.contribute(first, store.get(first, row.id), me, "data, version 1")
    with writing(engine) as second:
        service.contribute(second, store.get(second, row.id), me, "data, version 2")

    with writing(engine) as session:
        assert store.get(session, row.id).revision == 3
        made = session.get(ContributionRow, (row.id, me.id))
        assert made is not None
        assert made.what == "data, version 2"


def test_saving_and_finding_on_both_databases(either: Settings) -> None:
    engine = make_engine(either.url)
    make = Make(engine, either)
    row, me = make.assessment(title="50% café"), make.author()
    with writing(engine) as session:
        save(session, row, "upkeep", {"owner": "Équipe", "stakes": "high"}, me)
        service.copy(session, row.id, me)
    with reading(engine) as session:
        found, total = store.page(session, Wanted("50% CAFÉ" if "postgresql" in either.url else "50%", me.id), 1, 20)
        assert total == 2
        assert {one.answers["owner"] for one in found} == {"Équipe"}
        assert [one.id for one in store.before(session, Wanted(), found[0].id, 5)] == [row.id]
    engine.dispose()
