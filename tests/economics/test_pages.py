"""Prices, costs and the target through the pages and the REST addresses, and what the gate gets to know."""

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from app.assessments.tables import AssessmentRow
from app.audit.tables import EntryRow
from app.baselines import store as baselines
from app.baselines.tables import ArmRow
from app.datasets.tables import DatasetRow
from app.db import make_engine, reading, utcnow, writing
from app.economics import service, store
from app.settings import Settings
from app.users.tables import UserRow
from tests.support import as_it_stands
from tests.support.factories import Make
from tests.support.loose import loose

People = Callable[[UserRow], TestClient]

PRICE = {"name": "Large", "unit": "input_tokens", "price": "3", "currency": "USD", "dated": "2026-10-01", "source": "x"}
CSV = """name,unit,price,currency,dated,source
Large,input_tokens,3,USD,2026-10-01,contract
Large,output_tokens,15,USD,2026-10-01,contract
GPU,machine_hour,1.5,USD,2026-10-01,contract
Engineer,person_hour,60,USD,2026-10-01,payroll
"""
SAID = {"upkeep_hours": "10", "retrains_year": "1", "minutes_row": "3", "review_hours": "4", "rows_to_write": "0"}
CHEAPER: dict[str, Any] = {"goals": ["efficiency", "classify"], "main_goal": "efficiency", "calls_per_month": 2_000_000}
HOSTILE = "<script>alert(1)</script>"


@pytest.fixture
def author(make: Make) -> UserRow:
    return make.author("Dana")


@pytest.fixture
def page(people: People, author: UserRow) -> TestClient:
    return people(author)


def measured(make: Make, engine: Engine, author: UserRow, model: str = "Large", **answers: Any) -> AssessmentRow:
    """An assessment measured on a model with the name of its prices; its best arm meets the target of 90 %."""
    assessment = make.assessment(author, answers=answers)
    on_model(make, engine, author, assessment, make.dataset(assessment, author), model)
    return assessment


def on_model(
    make: Make,
    engine: Engine,
    author: UserRow,
    assessment: AssessmentRow,
    dataset: DatasetRow,
    name: str,
    passed: int = 215,
) -> None:
    """A measurement with tokens: 2,200 with the nearest examples, 300 without."""
    model = make.model(name=name, kind="endpoint")
    baseline = make.baseline(assessment, dataset, model, author, passed=passed)
    with writing(engine) as session:
        for arm in session.scalars(select(ArmRow).where(ArmRow.baseline_id == baseline.id)):
            tokens = 2200 if arm.family == "few_shot_nearest" else 300
            assert arm.dev is not None
            arm.dev = replace(arm.dev, mean_prompt_tokens=tokens, mean_completion_tokens=150)
            if arm.test:
                low = arm.test.score - 0.02
                arm.test = replace(arm.test, mean_prompt_tokens=tokens, mean_completion_tokens=150, low=low)


def acts(engine: Engine) -> list[str]:
    with reading(engine) as session:
        return list(session.scalars(select(EntryRow.act).order_by(EntryRow.id)))


# ------------------------------------------------------------------ prices


def test_an_empty_list_says_what_to_enter_and_no_price_is_built_in(page: TestClient, engine: Engine) -> None:
    assert "No prices yet" in page.get("/prices").text
    with reading(engine) as session:
        assert store.prices(session) == []


def test_a_price_is_added_changed_and_deleted_and_the_record_keeps_what_it_was(
    page: TestClient, engine: Engine
) -> None:
    assert page.post("/prices", data=PRICE).headers["location"] == "/prices"
    page.post("/prices/1", data={**PRICE, "price": "2.5"})
    page.post("/prices/1", data={**PRICE, "price": "2.5"})  # nothing changed, so nothing is recorded
    assert "2.5 USD" in page.get("/prices").text
    page.post("/prices/1/delete")

    assert acts(engine) == ["price.add", "price.change", "price.delete"]
    with reading(engine) as session:
        changed = session.scalars(select(EntryRow).where(EntryRow.act == "price.change")).one()
        told = loose(changed.detail)
    assert (told["from"]["price"], told["to"]["price"]) == (3.0, 2.5)


def test_a_faulty_price_comes_back_filled_in_with_its_faults(page: TestClient) -> None:
    answer = page.post("/prices", data={**PRICE, "price": "much", "source": ""})

    assert answer.status_code == 422
    assert "Use an amount of 0 or more" in answer.text
    assert 'value="much"' in answer.text


def test_the_same_thing_has_one_price(page: TestClient) -> None:
    page.post("/prices", data=PRICE)
    page.post("/prices", data={**PRICE, "unit": "output_tokens"})

    assert page.post("/prices", data=PRICE).status_code == 422
    assert page.post("/prices/2", data=PRICE).status_code == 422


def test_old_prices_are_marked(page: TestClient) -> None:
    page.post("/prices", data={**PRICE, "dated": "2020-01-01"})

    assert '<span class="tag unknown">old</span>' in page.get("/prices").text


def test_a_list_goes_out_and_comes_in_again(page: TestClient, engine: Engine) -> None:
    page.post("/prices/import", files={"file": ("p.csv", CSV.encode())})
    out = page.get("/prices.csv")
    dearer = out.content.replace(b",1.5,", b",2,")
    page.post("/prices/import", data={"text": dearer.decode("utf-8-sig")})

    assert "attachment" in out.headers["content-disposition"]
    assert acts(engine) == ["price.add"] * 4 + ["price.change"]


def test_a_faulty_list_changes_nothing(page: TestClient, engine: Engine) -> None:
    answer = page.post("/prices/import", data={"text": CSV + "Bad,input_tokens,x,USD,2026-10-01,y\n"})

    assert answer.status_code == 422
    assert "Line 6." in answer.text
    with reading(engine) as session:
        assert store.prices(session) == []


def test_what_people_type_is_never_markup(page: TestClient) -> None:
    page.post("/prices", data={**PRICE, "name": HOSTILE, "source": "javascript:alert(1)"})

    shown = page.get("/prices").text

    assert HOSTILE not in shown
    assert 'href="javascript' not in shown


# ------------------------------------------------------------------ what a use case costs


def test_the_page_says_what_is_missing_before_anything_is_there(page: TestClient, make: Make, author: UserRow) -> None:
    shown = page.get(f"/assessments/{make.assessment(author).id}/costs")

    assert shown.status_code == 200
    assert "Not known yet whether a trained model would pay." in shown.text
    assert "The list of prices is empty" in shown.text


def test_saved_figures_come_to_a_case_that_the_gate_reads(
    page: TestClient, make: Make, engine: Engine, author: UserRow
) -> None:
    page.post("/prices/import", data={"text": CSV})
    row = measured(make, engine, author, **CHEAPER)
    before = page.get(f"/assessments/{row.id}/costs").text

    page.post(f"/assessments/{row.id}/costs", data=SAID)
    after = page.get(f"/assessments/{row.id}/costs").text

    assert "It may pay" in before
    assert "It pays: about" in after
    assert "meets the target" in after
    with reading(engine) as session:
        assessment = session.get_one(AssessmentRow, row.id)
        assert as_it_stands.evidence(session, assessment)["cost_case"] == "pass"
        g12 = next(one for one in as_it_stands.advice(session, assessment).gates if one.id == "G12")
        assert (g12.state, g12.how) == ("pass", "estimated")
        assert "less a month than with" in g12.measured
        assert assessment.revision == 2
    assert acts(engine)[-1] == "economics.costs"


def test_a_volume_below_the_break_even_fails_the_case(
    page: TestClient, make: Make, engine: Engine, author: UserRow
) -> None:
    page.post("/prices/import", data={"text": CSV})
    row = measured(make, engine, author, **{**CHEAPER, "calls_per_month": 20_000})
    page.post(f"/assessments/{row.id}/costs", data=SAID)

    shown = page.get(f"/assessments/{row.id}/costs").text

    assert "It does not pay: a trained model costs less only from about" in shown
    with reading(engine) as session:
        assert as_it_stands.costs(session, row.id)["cost_case"] == "fail"


def test_cost_decides_nothing_where_it_is_no_goal(
    page: TestClient, make: Make, engine: Engine, author: UserRow
) -> None:
    page.post("/prices/import", data={"text": CSV})
    row = measured(make, engine, author)
    with reading(engine) as session:
        assert as_it_stands.costs(session, row.id) == {}

    page.post(f"/assessments/{row.id}/costs", data=SAID)

    with reading(engine) as session:
        assert as_it_stands.costs(session, row.id) == {"cost_case": "not_goal"}


def test_a_price_that_rises_is_news_for_the_case(page: TestClient, make: Make, engine: Engine, author: UserRow) -> None:
    page.post("/prices/import", data={"text": CSV})
    row = measured(make, engine, author, **CHEAPER)
    page.post(f"/assessments/{row.id}/costs", data=SAID)

    page.post("/prices/import", data={"text": CSV.replace("1.5", "150")})

    with reading(engine) as session:
        assert as_it_stands.costs(session, row.id)["cost_case"] == "fail"


def test_the_cheapest_model_that_was_measured_counts_also_from_an_earlier_measurement(
    page: TestClient, make: Make, engine: Engine, author: UserRow
) -> None:
    small = "Small,input_tokens,0.25,USD,2026-10-01,x\nSmall,output_tokens,2,USD,2026-10-01,x\n"
    page.post("/prices/import", data={"text": CSV + small})
    row = measured(make, engine, author, model="Small", **CHEAPER)
    page.post(f"/assessments/{row.id}/costs", data=SAID)
    with writing(engine) as session:
        first = baselines.current(session, row.id)
        assert first is not None
        first.archived_at = utcnow()
        dataset = session.get_one(DatasetRow, first.dataset_id)
    on_model(make, engine, author, row, dataset, "Large")

    found = page.get(f"/api/v1/assessments/{row.id}/costs").json()

    assert found["compared_with"] == "few_shot_nearest, Small"
    assert found["comparison"]["break_even"] > 1_900_000


def test_a_larger_model_measured_before_is_the_teacher_where_cost_is_the_goal(
    page: TestClient, make: Make, engine: Engine, author: UserRow
) -> None:
    row = measured(make, engine, author, model="Large", **CHEAPER)
    with reading(engine) as session:
        first = baselines.current(session, row.id)
        assert first is not None
        dataset = session.get_one(DatasetRow, first.dataset_id)
        assert "teacher" not in as_it_stands.costs(session, row.id)
    on_model(make, engine, author, row, dataset, "Small", passed=150)

    with reading(engine) as session:
        assert as_it_stands.costs(session, row.id)["teacher"] == {"passed": 215, "total": 220}
        g6 = next(
            one for one in as_it_stands.advice(session, session.get_one(AssessmentRow, row.id)).gates if one.id == "G6"
        )
        assert g6.state == "pass"
    on_model(make, engine, author, row, dataset, "Larger", passed=218)
    with reading(engine) as session:
        assert "teacher" not in as_it_stands.costs(session, row.id)


def test_faulty_figures_come_back_and_nothing_is_saved(
    page: TestClient, make: Make, engine: Engine, author: UserRow
) -> None:
    row = make.assessment(author)

    answer = page.post(f"/assessments/{row.id}/costs", data={**SAID, "hours": "9000"})

    assert answer.status_code == 422
    assert "Use a number from 0 to 744." in answer.text
    with reading(engine) as session:
        assert store.find_costs(session, row.id) is None


def test_an_archived_assessment_is_left_alone(page: TestClient, make: Make, author: UserRow) -> None:
    row = make.assessment(author, archived_at=utcnow())

    assert page.get(f"/assessments/{row.id}/costs").status_code == 200
    assert page.post(f"/assessments/{row.id}/costs", data=SAID).status_code == 409
    assert page.post(f"/assessments/{row.id}/target", data={"success": "1", "cost_1": "1"}).status_code == 409


# ------------------------------------------------------------------ the target from money


def test_the_target_is_worked_out_without_storing_and_then_used(
    page: TestClient, make: Make, engine: Engine, author: UserRow
) -> None:
    row = make.assessment(author)
    given = {"success": "20", "share_1": "95", "cost_1": "40", "share_2": "5", "cost_2": "1000"}

    shown = page.get(f"/assessments/{row.id}/target", params=given)
    assert "81.5 % right answers, and it is worth it." in shown.text
    assert acts(engine) == []
    sent = page.post(f"/assessments/{row.id}/target", data=given)

    assert sent.headers["location"].startswith(f"/assessments/{row.id}/describe/success")
    with reading(engine) as session:
        assert session.get_one(AssessmentRow, row.id).answers["target"] == 0.815
    assert acts(engine) == ["economics.target", "assessment.answers"]
    assert 'value="1000"' in page.get(f"/assessments/{row.id}/target").text


def test_the_question_leads_to_the_helper_and_keeps_what_was_typed(
    page: TestClient, make: Make, author: UserRow
) -> None:
    row = make.assessment(author)
    shown = page.get(f"/assessments/{row.id}/describe/success").text

    sent = page.post(
        f"/assessments/{row.id}/describe/success", data={"metric": "chrf", "target": "", "version": "1", "go": "target"}
    )

    assert 'name="go" value="target"' in shown
    assert sent.headers["location"] == f"/assessments/{row.id}/target"
    assert re.search(r'value="chrf"\s+checked', page.get(f"/assessments/{row.id}/describe/success").text)


def test_a_target_changed_after_results_is_counted(
    page: TestClient, make: Make, engine: Engine, author: UserRow
) -> None:
    row = measured(make, engine, author)

    page.post(f"/assessments/{row.id}/target", data={"success": "20", "cost_1": "80"})

    with reading(engine) as session:
        assert session.get_one(AssessmentRow, row.id).target_changes == 1


def test_costs_and_worth_do_not_overwrite_each_other(
    page: TestClient, make: Make, engine: Engine, author: UserRow
) -> None:
    row = make.assessment(author)
    page.post(f"/assessments/{row.id}/target", data={"success": "20", "cost_1": "80"})
    page.post(f"/assessments/{row.id}/costs", data=SAID)
    page.post(f"/assessments/{row.id}/target", data={"success": "10", "cost_1": "80"})

    with reading(engine) as session:
        said = service.assumed(session, row.id)
    assert (said.success, said.upkeep_hours) == (10, 10)


# ------------------------------------------------------------------ the REST side


def test_programs_keep_prices(page: TestClient) -> None:
    made = page.post("/api/v1/prices", json={**PRICE, "price": 3})
    changed = page.put(f"/api/v1/prices/{made.json()['id']}", json={**PRICE, "price": 4})
    imported = page.post("/api/v1/prices/import", json={"csv": CSV})
    listed = page.get("/api/v1/prices").json()["data"]

    assert (made.status_code, changed.json()["price"]) == (201, 4)
    assert imported.json() == {"added": 3, "changed": 1}
    assert {(one["name"], one["unit"], one["price"]) for one in listed} >= {("Large", "input_tokens", 3)}
    assert page.delete(f"/api/v1/prices/{made.json()['id']}").status_code == 204
    assert page.post("/api/v1/prices/import", json={"csv": "x"}).status_code == 422


def test_programs_get_the_same_answer_as_the_page(
    page: TestClient, make: Make, engine: Engine, author: UserRow
) -> None:
    page.post("/prices/import", data={"text": CSV})
    row = measured(make, engine, author, **CHEAPER)
    said = {name: float(value) for name, value in SAID.items()}

    found = page.put(f"/api/v1/assessments/{row.id}/costs", json=said).json()

    assert found == page.get(f"/api/v1/assessments/{row.id}/costs").json()
    assert found["answer"] in page.get(f"/assessments/{row.id}/costs").text.replace("&#39;", "'")
    assert (found["case"], found["compared_with"], found["said"]) == ("pass", "few_shot_nearest", said)
    assert found["comparison"]["saved"] > 0


def test_programs_work_out_and_use_a_target(page: TestClient, make: Make, author: UserRow) -> None:
    worth = {"success": 20, "kinds": [{"share": 0.95, "cost": 40}, {"share": 0.05, "cost": 1000}]}
    row = make.assessment(author)

    found = page.post("/api/v1/target", json=worth).json()
    used = page.put(f"/api/v1/assessments/{row.id}/target", json=worth).json()

    assert found["target"] == pytest.approx(88 / 108)
    assert used["target"] == 0.815
    assert page.get(f"/api/v1/assessments/{row.id}").json()["answers"]["target"] == 0.815


# ------------------------------------------------------------------ both databases


def test_prices_and_figures_are_kept_on_both_databases(either: Settings) -> None:
    engine = make_engine(either.url)
    make = Make(engine, either)
    author = make.author()
    row = make.assessment(author)

    def keep(session: Session) -> None:
        service.import_prices(session, CSV.encode(), author)
        service.assume(session, row.id, SAID, author)

    with writing(engine) as session:
        keep(session)

    with reading(engine) as session:
        assert [price.value.price for price in store.prices(session)] == [60, 1.5, 3, 15]
        assert service.assumed(session, row.id).upkeep_hours == 10
        assert service.of(session, session.get_one(AssessmentRow, row.id)).currency == "USD"
    engine.dispose()


def test_five_figures_are_asked_first_and_usual_ones_stand_in_grey(
    make: Make, page: TestClient, author: UserRow
) -> None:
    row = make.ready(author)

    form = page.get(f"/assessments/{row.id}/costs").text.partition('id="assumptions"')[2]
    first, _, rest = form.partition('id="more-assumptions"')

    assert first.count("<input") == 5
    assert all(f'name="{name}"' in first for name in ("calls_per_second", "upkeep_hours", "retrains_year"))
    assert 'name="hours" class="short" inputmode="decimal" autocomplete="off"' in rest
    assert re.search(r'name="hours"[^>]*value=""[^>]*placeholder="730"', rest)
    assert "9 with a usual value that counts while empty" in rest


def test_a_usual_value_in_grey_is_not_stored(make: Make, engine: Engine, page: TestClient, author: UserRow) -> None:
    row = make.ready(author)

    page.post(f"/assessments/{row.id}/costs", data={"upkeep_hours": "10", "hours": ""})

    with reading(engine) as session:
        assert service.assumed(session, row.id).to_json() == {"upkeep_hours": 10}


def test_an_error_among_the_folded_figures_unfolds_them(make: Make, page: TestClient, author: UserRow) -> None:
    row = make.ready(author)

    answer = page.post(f"/assessments/{row.id}/costs", data={"hours": "900", "upkeep_hours": "10"})

    assert answer.status_code == 422
    assert '<details class="more" id="more-assumptions" open>' in answer.text
    assert 'value="900"' in answer.text


def test_a_thousand_calls_are_priced(make: Make, engine: Engine, page: TestClient, author: UserRow) -> None:
    row = measured(make, engine, author)
    with writing(engine) as session:
        service.import_prices(session, CSV.encode(), author)

    text = page.get(f"/assessments/{row.id}/costs").text

    assert "Per 1,000 calls" in text
    assert "Per call" not in text
    with reading(engine) as session:
        priced = [line for line in service.of(session, row).lines if line.per_call]
    assert priced
    assert all(line.per_thousand == pytest.approx(1000 * (line.per_call or 0)) for line in priced)


def test_figures_that_no_criterion_rests_on_keep_an_approval(
    make: Make, engine: Engine, page: TestClient, author: UserRow
) -> None:
    """Cost is no goal here: the first figure says that there are some, later ones change nothing that is approved."""
    row = make.ready(author)
    page.post(f"/assessments/{row.id}/costs", data={"upkeep_hours": "10"})
    before = page.get(f"/api/v1/assessments/{row.id}/subject").json()

    page.post(f"/assessments/{row.id}/costs", data={"upkeep_hours": "20", "hours": "100"})

    assert page.get(f"/api/v1/assessments/{row.id}/subject").json() == before
    assert "An approval stays valid as long as" in page.get(f"/assessments/{row.id}/costs").text
