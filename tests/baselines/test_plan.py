"""What a plan offers, what each line would take, and what of it an order takes: over the API and on the page."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine

from app.baselines import arms, catalogue, outlines, shots, store
from app.baselines.arms import Arm, ArmResult, done
from app.baselines.offers import Context
from app.baselines.outlines import Known
from app.baselines.prompts import Shot, question
from app.baselines.tables import ArmRow
from app.chat import Message
from app.datasets import store as dataset_store
from app.datasets.tables import ExampleRow
from app.db import reading, utcnow, writing
from app.economics.tables import PriceRow
from app.inference.tables import ModelRow
from app.settings import Settings
from app.users.tables import UserRow
from tests.support.factories import Make
from tests.support.measured import Case, a_case
from tests.support.model_server import ModelServer, serving

People = Callable[[UserRow], TestClient]
DEV, TEST = 30, 40


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with serving(lambda _: "x") as made:
        yield made


@pytest.fixture
def case(make: Make, engine: Engine, server: ModelServer) -> Case:
    return a_case(make, engine, server, train=80, dev=DEV, test=TEST)


@pytest.fixture
def page(people: People, case: Case) -> TestClient:
    return people(case.author)


@pytest.fixture
def large(make: Make, case: Case, server: ModelServer) -> ModelRow:
    return make.model(name="Large", kind="endpoint", base_url=server.url, reference="large-9", files={})


def offered(page: TestClient, case: Case, **different: Any) -> dict[str, dict[str, Any]]:
    sent = {"model_id": case.model.id, "instructions": "Give the label.", **different}
    answered = page.post(f"/api/v1/assessments/{case.assessment.id}/baselines/offers", json=sent)
    assert answered.status_code == 200, answered.text
    return {offer["key"]: offer for offer in answered.json()["data"]} | {"": answered.json()["estimate"]}


def priced(engine: Engine, by: UserRow, name: str, read: float, write: float) -> None:
    with writing(engine) as session:
        for unit, price in (("input_tokens", read), ("output_tokens", write)):
            row = PriceRow(name=name, unit=unit, price=price, currency="EUR", source="A contract")
            row.dated, row.edited_by, row.edited_at = date(2026, 11, 1), by.id, utcnow()
            session.add(row)


def test_offers_are_cheap_first_and_a_modest_set_is_proposed(page: TestClient, case: Case, large: ModelRow) -> None:
    plan = offered(page, case)
    estimate = plan.pop("")

    keys = list(plan)
    assert keys[:3] == ["nearest_answer", "zero_shot", "few_shot_random/k1"]
    assert keys.index("few_shot_random") < keys.index("few_shot_random/k10")
    able = [key for key, offer in plan.items() if not offer["against"]]
    assert keys[: len(able)] == able, "what can't be run stands at the end"
    assert all(key.startswith("stronger_model/") for key in able[-4:]), "other models last: the run's own comes first"
    proposed = [key for key, offer in plan.items() if offer["proposed"]]
    assert proposed == ["nearest_answer", "zero_shot", "few_shot_random", "few_shot_nearest"]
    assert [key for key, offer in plan.items() if offer["chosen"]] == proposed
    assert plan["few_shot_random/k10"]["names"] == [f"few_shot_random/k10/{draw}" for draw in (1, 2, 3)]
    assert plan["few_shot_random/k10"]["calls"] == 3 * DEV
    assert estimate["calls"] == 5 * DEV + TEST
    assert sum(offer["calls"] for offer in plan.values() if offer["chosen"]) + TEST == estimate["calls"]


def test_many_shot_fills_the_window_that_is_declared_and_says_what_is_missing(
    page: TestClient, case: Case, engine: Engine
) -> None:
    assert "enter its context window under Models" in offered(page, case)["many_shot"]["against"]
    assert offered(page, case)["many_shot"]["mend"] == "/models"
    with writing(engine) as session:
        session.get_one(ModelRow, case.model.id).context_window = 2_000
    k = offered(page, case)["many_shot"]["settings"]["k"]
    assert 20 <= k < 79
    with writing(engine) as session:
        session.get_one(ModelRow, case.model.id).context_window = 500
    assert "that is few-shot" in offered(page, case)["many_shot"]["against"]


def test_money_is_counted_where_a_price_is_known(page: TestClient, case: Case, engine: Engine, large: ModelRow) -> None:
    assert offered(page, case)["zero_shot"]["cost"] is None
    priced(engine, case.author, "Loopback", 1.0, 2.0)
    chosen = ["zero_shot", f"stronger_model/{large.id}/zero_shot"]

    one = offered(page, case, arms=chosen)

    zero = one["zero_shot"]
    assert zero["cost"] == pytest.approx((zero["prompt_tokens"] + 2 * zero["completion_tokens"]) / 1e6, rel=0.01)
    assert one[""]["cost"] is None, "one of the models has no price"
    priced(engine, case.author, "large-9", 10.0, 20.0)
    both = offered(page, case, arms=chosen)
    assert both[chosen[1]]["cost"] == pytest.approx(10 * zero["cost"], rel=0.01)
    assert (both[""]["currency"], both[""]["calls"]) == ("EUR", 2 * DEV + 2 * TEST)
    given = offered(page, case, arms=["zero_shot"], price_in=5.0, price_out=5.0)["zero_shot"]
    assert given["cost"] > zero["cost"]


def test_the_page_takes_what_is_ticked_and_comes_back_with_it(page: TestClient, case: Case, engine: Engine) -> None:
    url = f"/assessments/{case.assessment.id}/measure"
    form = {
        "instructions": "Give the label.",
        "model_id": str(case.model.id),
        f"consent-{case.model.id}": "on",
        "plan": "chosen",
        "arm-zero_shot": "on",
        "arm-few_shot_random/k10": "on",
        "k_nearest": "7",
    }
    drawn = page.post(f"{url}/estimate", data=form, headers={"hx-request": "true"}).text
    assert 'hx-swap-oob="true"' in drawn
    assert 'name="arm-few_shot_random/k10" id="arm-few_shot_random-k10" value="on" hx-preserve checked' in " ".join(
        drawn.split()
    )

    assert page.post(url, data=form).status_code == 303

    with reading(engine) as session:
        baseline = store.current(session, case.assessment.id)
        assert baseline is not None
        assert [arm.name for arm in baseline.arms] == [
            "nearest_answer",
            "zero_shot",
            *(f"few_shot_random/k10/{draw}" for draw in (1, 2, 3)),
        ]
        assert baseline.racing is False, "its box was not ticked"


def test_rows_go_to_another_models_server_only_with_consent_for_it(
    page: TestClient, case: Case, large: ModelRow, engine: Engine, make: Make
) -> None:
    arm = f"stronger_model/{large.id}/best"
    sent = {"model_id": case.model.id, "instructions": "x", "consent": True, "arms": ["zero_shot", arm]}
    address = f"/api/v1/assessments/{case.assessment.id}/baselines"

    assert page.post(address, json=sent).json()["errors"][0]["pointer"] == "#/consents"
    form, asked = f"/assessments/{case.assessment.id}/measure", f'name="also-{large.id}"'
    typed = {"model_id": str(case.model.id), "instructions": "x", "plan": "chosen", "arm-zero_shot": "on"}
    assert asked not in page.get(form).text, "nothing goes there yet"
    assert asked in page.post(f"{form}/estimate", data={**typed, f"arm-{arm}": "on"}).text
    assert page.post(address, json={**sent, "arms": [arm], "consents": [large.id]}).status_code == 422
    far = make.model(name="Far", kind="endpoint", base_url="https://models.example.com/v1", reference="far", files={})
    assert "may not leave your own servers" in offered(page, case)[f"stronger_model/{far.id}/best"]["against"]
    assert offered(page, case)[arm]["against"] == "", "loopback is this machine"
    with reading(engine) as session:
        assert store.current(session, case.assessment.id) is None


def rows(*texts: str) -> list[Shot]:
    return [Shot(at, at, (Message("user", text),), f"answer {at % 2}") for at, text in enumerate(texts)]


def test_nearest_by_meaning_keeps_the_leak_guard_the_order_and_different_answers() -> None:
    """Vectors made by hand: how alike they are is known."""
    asked = "How do I get my money back for the broken lamp?"
    pool = rows("Refunds, please.", "I want a refund.", "Where is the parcel?", asked + " ", "Opening hours?")
    likeness = {0: 0.9, 1: 0.8, 2: 0.1, 3: 0.99, 4: 0.3}

    def embed(texts: Any) -> Any:
        angles = [likeness[pool_texts.index(text)] if text in pool_texts else 1.0 for text in texts]
        return np.array([[angle, np.sqrt(1 - angle**2)] for angle in angles], np.float32)

    pool_texts = [question(shot.messages) for shot in pool]
    ranked = shots.NearestByMeaning(pool, [asked], embed)

    picked = shots.pick_nearest(ranked, asked, 2)

    assert [shot.id for shot in picked] == [1, 0], "the most alike one last; row 3 is nearly the question itself"
    assert [shot.id for shot in ranked.alike(asked, 9)] == [0, 1, 4, 2]


def test_every_draw_of_a_number_counts_for_the_criterion_and_mixed_ones_do_not() -> None:
    result = ArmResult(score=0.5, n=30, errors=0)

    def drawn(k: int, draw: int) -> tuple[Arm, ArmResult]:
        return Arm("few_shot_random", f"few_shot_random/k{k}/{draw}", {"k": k}), result

    assert done([drawn(3, 1), drawn(3, 2), drawn(5, 1)]) == []
    assert done([drawn(5, draw) for draw in (1, 2, 3)]) == ["few_shot_random"]


def test_many_shot_is_counted_without_test_rows_and_fits_a_longer_question_when_it_is_asked(
    page: TestClient, case: Case, engine: Engine
) -> None:
    with writing(engine) as session:
        session.get_one(ModelRow, case.model.id).context_window = 2_000
    before = offered(page, case)["many_shot"]["settings"]
    with writing(engine) as session:
        row = session.query(ExampleRow).filter_by(dataset_id=case.dataset.id, split="test").first()
        assert row is not None
        row.messages = [{"role": "user", "content": "long " * 800}]

    assert offered(page, case)["many_shot"]["settings"] == before, "test rows choose nothing"
    pool = rows(*(f"question {number}, with some words" for number in range(60)))
    room = arms.room(1_000, 100, "Answer.")
    whole = shots.Random(pool, 40, 7)
    fitting = shots.Random(pool, 40, 7, room)
    assert fitting.pick("short") == whole.pick("short")
    longer = fitting.pick("x" * round(room - 500))
    assert longer == whole.pick("x")[: len(longer)], "what all prompts begin with stays the same"
    assert 0 < len(longer) < 40
    assert sum(len(question(shot.messages)) + len(shot.target) for shot in longer) <= 500


def test_scored_labels_take_the_time_of_all_labels(make: Make, engine: Engine, settings: Settings) -> None:
    """Nothing is written, and every label is read for each row; other variants' times say nothing of it, nor it of
    theirs."""
    case = a_case(make, engine, None, train=80, dev=DEV, test=TEST)
    labels = [f"label number {number}, called by a rather long name" for number in range(20)]
    with writing(engine) as session:
        for example in session.query(ExampleRow).filter_by(dataset_id=case.dataset.id):
            example.target = labels[example.line % 20]
        session.get_one(ModelRow, case.model.id).files = {"config.json": "0" * 64}
    with reading(engine) as session:
        examples = {split: dataset_store.rows(session, case.dataset.id, split) for split in ("train", "dev", "test")}
        context = Context(session, case.assessment, case.dataset, examples, case.order())
        made = {offer.arm.name: offer for offer in catalogue.offers(context)}
    scored = made["label_scoring"]

    assert 20 * 3 < scored.label_tokens < sum(map(len, labels)) / 4 + 20, "what labels begin with counts once"
    row = make.baseline(case.assessment, case.dataset, case.model, case.author)
    sha256 = scored.arm.settings["labels"]["sha256"]
    with writing(engine) as session:
        for arm in list(session.query(ArmRow).filter_by(baseline_id=row.id)):
            session.delete(arm)
        session.flush()
        for name, pace, kept in (("zero_shot", 0.5, {}), ("label_scoring", 4.0, {"labels": {"sha256": sha256}})):
            arm = ArmRow(baseline_id=row.id, family=name, name=name, title="", settings=kept)
            arm.dev = ArmResult(score=0.5, n=30, errors=0, pace=pace, mean_prompt_tokens=20, mean_completion_tokens=10)
            session.add(arm)
    with reading(engine) as session:
        drawn = outlines.outline(replace(context, session=session), list(made.values()), Known()).choices
    seconds = {choice.key: choice.cost.seconds for choice in drawn}

    assert seconds["label_scoring"] == pytest.approx(4.0 * DEV, rel=0.3)
    assert seconds["zero_shot"] is not None
    assert seconds["zero_shot"] < 1.0 * DEV
