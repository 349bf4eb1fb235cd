"""The arm that is held to the output constraint: with the examples of what led, asked, counted beside the rest."""

import json
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine

from app.baselines import catalogue, constrained, job, other_models, runs, standing, store, views
from app.baselines.arms import ArmResult
from app.baselines.catalogue import Context
from app.baselines.measured_model import MeasuredModel
from app.baselines.tables import ArmRow
from app.constraints import service as constraints
from app.datasets import store as dataset_store
from app.datasets.tables import ExampleRow
from app.db import reading, writing
from app.jobs import engine as job_engine
from app.jobs import service as jobs
from app.settings import Settings
from app.users.tables import UserRow
from tests.support.factories import Make
from tests.support.measured import Case, a_case, baseline_of, claim_of, finish_job, number_of, started
from tests.support.model_server import ModelServer, last_user, serving

LABELS = ("refund", "bug", "other")
SCHEMA = json.dumps(
    {
        "type": "object",
        "properties": {"label": {"enum": list(LABELS)}},
        "required": ["label"],
        "additionalProperties": False,
    }
)


def wanted(number: int) -> str:
    return json.dumps({"label": LABELS[number % 3]})


def knows(body: dict[str, Any]) -> str:
    """The right label for two rows of three; in JSON only where something keeps it to that, or by luck."""
    asked = last_user(body)
    if asked.startswith("Reply with exactly"):
        return '{"label": "bug"}' if "response_format" in body else asked.rpartition(": ")[2]
    number = number_of(asked)
    label = LABELS[number % 3] if number % 3 else "refund"
    return json.dumps({"label": label}) if "response_format" in body or number % 2 else f"It is {label}."


def ignores(body: dict[str, Any]) -> str:
    """The same from a server that has never heard of `response_format`."""
    return knows({name: value for name, value in body.items() if name != "response_format"})


def a_json_case(make: Make, engine: Engine, server: ModelServer, *, constraint: bool = True) -> Case:
    case = a_case(make, engine, server, train=40, dev=20, test=20)
    with writing(engine) as session:
        for example in session.query(ExampleRow).filter_by(dataset_id=case.dataset.id):
            example.target = wanted(example.line)
        if constraint:
            constraints.save(session, case.assessment.id, "json_schema", SCHEMA, by=case.author)
    return case


def offered(engine: Engine, case: Case) -> dict[str, catalogue.Offer]:
    with reading(engine) as session:
        rows = {split: dataset_store.rows(session, case.dataset.id, split) for split in ("train", "dev", "test")}
        context = Context(session, case.assessment, case.dataset, rows, case.order())
        return {offer.arm.name: offer for offer in catalogue.offers(context) if offer.arm.family == "schema"}


def measured(engine: Engine, settings: Settings, queue: job_engine.Client, case: Case) -> int:
    baseline = started(engine, queue, case)
    claim = claim_of(engine, settings, queue, baseline.id)
    job.measure(claim)
    finish_job(engine, claim)
    return baseline.id


def test_without_a_constraint_it_is_offered_with_what_is_missing(make: Make, engine: Engine) -> None:
    with serving(knows) as server:
        case = a_json_case(make, engine, server, constraint=False)
        offers = offered(engine, case)

    assert [(offer.proposed, offer.against) for offer in offers.values()] == [
        (False, "Set an output constraint first.")
    ]
    assert next(iter(offers.values())).mend.endswith("/constraint")


def test_answers_are_held_and_valid_ones_counted_with_and_without(
    make: Make, engine: Engine, settings: Settings, queue: job_engine.Client, people: Callable[[UserRow], TestClient]
) -> None:
    with serving(knows) as server:
        case = a_json_case(make, engine, server)
        assert {name: offer.proposed for name, offer in offered(engine, case).items()} == {
            "schema/nearest": True,
            "schema": False,
        }
        number = measured(engine, settings, queue, case)
        held = [call.body for call in server.calls if "response_format" in call.body]
    baseline = baseline_of(engine, number)
    by_name = {arm.name: arm for arm in baseline.arms}

    arm = by_name["schema/nearest"]
    assert arm.label == "Constrained decoding, 5 nearest"
    assert arm.settings["constraint"]["version"] == 1
    assert arm.dev is not None
    assert (arm.dev.valid, arm.dev.n) == (20, 20)
    assert arm.dev.remarks is not None
    assert "The server keeps the output constraint (response_format)" in arm.dev.remarks[0]
    assert arm.dev.remarks[0] in views.facts(baseline.arms)
    noted = views.notes(baseline.arms, arm, asked_for="", metric=baseline.metric, max_tokens=64)
    assert arm.dev.remarks[0] not in noted, "it is no warning"
    free = by_name["zero_shot"].dev
    assert free is not None
    assert (free.valid, free.remarks) == (10, None)
    assert by_name["nearest_answer"].dev is not None
    assert by_name["nearest_answer"].dev.valid is None
    assert standing.leading(baseline) is arm
    assert arm.test is not None
    assert arm.test.valid == 20
    assert len(held) == 3 + 20 + 20

    page = " ".join(people(case.author).get(f"/assessments/{case.assessment.id}/measure").text.split())
    assert "With the constraint 100.0 % of 20 dev answers are valid, without it 50.0 % at most." in page
    with writing(engine) as session:
        jobs.bind(session, queue)
        revised = runs.revise(session, number, "Give the label as JSON.", by=case.author)
        assert revised.settings["constraint"] == arm.settings["constraint"], "one thing changes"
        assert revised.settings["shots"] == "nearest"
        adapter = runs.add_adapter_arm(session, number, training_id=1, title="Adapter", instructions="Give it.")
        assert adapter.settings["constraint"] == arm.settings["constraint"], "as it would be used"
        assert "shots" not in adapter.settings
    assert sorted(offered(engine, case)) == ["schema", "schema/nearest"]


def test_a_server_that_ignores_it_costs_the_arm_and_says_why(
    make: Make, engine: Engine, settings: Settings, queue: job_engine.Client, people: Callable[[UserRow], TestClient]
) -> None:
    with serving(ignores) as server:
        case = a_json_case(make, engine, server)
        number = measured(engine, settings, queue, case)
    baseline = baseline_of(engine, number)

    arm = next(arm for arm in baseline.arms if arm.family == "schema")
    assert arm.dev is not None
    assert (arm.dev.n, arm.dev.errors, arm.dev.known) == (0, 20, False)
    leading = standing.leading(baseline)
    assert leading is not None
    assert leading.family != "schema"
    assert baseline.concluded_at is not None
    shown = people(case.author).get(f"/baselines/{number}/arms/{arm.id}?show=error").text
    assert "This server does not keep the output constraint" in shown
    assert constrained.validity(baseline) is None


@pytest.mark.parametrize("change", ["rows", "nothing"])
def test_a_constraint_of_other_rows_is_checked_again_first(make: Make, engine: Engine, change: str) -> None:
    with serving(knows) as server:
        case = a_json_case(make, engine, server)
        if change == "rows":
            case.dataset = make.dataset(case.assessment, case.author, version=2, train=40, dev=20, test=20)
        offers = offered(engine, case)

    against = {offer.against for offer in offers.values()}
    assert all(("earlier version of the data" in why) == (change == "rows") for why in against)


def test_the_best_prompt_on_another_model_is_held_to_the_same(
    make: Make, engine: Engine, settings: Settings, queue: job_engine.Client
) -> None:
    """All of what won, or two things would differ at once: the model, and whether anything holds its answers."""
    with serving(knows) as server:
        case = a_json_case(make, engine, server)
        other = make.model(name="Large", kind="endpoint", base_url=server.url, reference="large", files={})
        names = ("zero_shot", "schema/nearest", f"stronger_model/{other.id}/best")
        baseline = started(engine, queue, case, arms=names, consents=(other.id,))
        job.measure(claim_of(engine, settings, queue, baseline.id))
        rows = [
            call.body for call in server.calls if call.body["model"] == "large" and "Reply with" not in str(call.body)
        ]
    by_name = {arm.name: arm for arm in baseline_of(engine, baseline.id).arms}

    held, followed = by_name["schema/nearest"], by_name[names[2]]
    assert followed.settings["followed"] == held.name
    assert followed.settings["constraint"] == held.settings["constraint"]
    assert len(rows) == 40
    assert all("response_format" in body for body in rows)
    assert followed.dev is not None
    assert followed.dev.valid == 20
    shown = constrained.validity(baseline_of(engine, baseline.id))
    assert shown is not None
    assert sum(not line.own for line in shown.lines) == 1


def test_where_scored_labels_win_a_server_is_asked_the_best_prompt_that_writes(
    make: Make, engine: Engine, queue: job_engine.Client
) -> None:
    with serving(knows) as server:
        case = a_json_case(make, engine, server, constraint=False)
    won = ArmResult(score=0.9, n=20, errors=0)
    with writing(engine) as session:
        other = make.model(name="Large", kind="endpoint", base_url="http://127.0.0.1:9/v1", reference="l", files={})
        row = make.baseline(case.assessment, case.dataset, case.model, case.author)
        kept = {"scoring": "labels", "labels": {"number": 3, "sha256": "x"}, "shots": "nearest", "k": 5}
        asked = {"model_id": other.id, "model_as": asdict(MeasuredModel.of(other)), "follows": "best"}
        scored = ArmRow(baseline_id=row.id, family="label_scoring", name="label_scoring", title="", settings=kept)
        scored.dev = won
        follows = ArmRow(
            baseline_id=row.id,
            family="stronger_model",
            name=f"stronger_model/{other.id}/best",
            title="",
            settings=asked,
        )
        session.add_all([scored, follows])
        session.flush()
        session.expire_all()
        baseline = store.get(session, row.id)
        assert standing.leading(baseline) is scored
        other_models.settle(session, baseline, other.id)

        assert "scoring" not in follows.settings
        assert follows.settings["followed"] != "label_scoring"
