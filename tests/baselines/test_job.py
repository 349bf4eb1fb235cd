"""The measuring job, run right here against a real model server on loopback."""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Engine

from app.baselines import answer_store, asking, facts, job, replies, runs, standing, store
from app.datasets import store as dataset_store
from app.datasets.reading.read_as import ReadAs
from app.db import reading, writing
from app.inference import service as inference
from app.inference import store as model_store
from app.jobs import engine as job_engine
from app.jobs import service as jobs
from app.jobs.claims import Cancelled, Claim, Failed, Stopping
from app.settings import Settings
from tests.support.depth import depth
from tests.support.factories import Make
from tests.support.loose import loose
from tests.support.measured import Case, a_case, baseline_of, claim_of, clever, finish_job, number_of, started, target
from tests.support.model_server import ModelServer, Raw, last_user, serving
from tests.support.processes import until
from tests.support.scripted import Scripted


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with serving(clever) as started_server:
        yield started_server


TRAIN, DEV, TEST = 40, depth(20, 30), depth(24, 40)
FIRST_DEV, FIRST_TEST = TRAIN + 1, TRAIN + DEV + 1
NEAR = 3  # arms with examples that the dev rows cannot tell from the best one: `clever` answers them alike
IN_ALL = 5 * DEV + (1 + NEAR) * TEST  # calls of a whole measurement: five arms on dev; the best and the near on test


@pytest.fixture
def case(make: Make, engine: Engine, server: ModelServer) -> Case:
    return a_case(make, engine, server, train=TRAIN, dev=DEV, test=TEST)


@pytest.fixture
def claim(case: Case, engine: Engine, settings: Settings, queue: job_engine.Client) -> Claim:
    return claim_of(engine, settings, queue, started(engine, queue, case).id)


def test_all_arms_are_asked_on_dev_and_on_test_the_best_and_those_within_reach(
    claim: Claim, server: ModelServer, engine: Engine
) -> None:
    job.measure(claim)

    baseline = baseline_of(engine, claim.subject_id)
    assert baseline.concluded_at is not None
    scores = {arm.name: arm.dev.score for arm in baseline.arms if arm.dev}
    assert set(scores) == {arm.name for arm in baseline.arms}
    assert scores["zero_shot"] < scores["few_shot_nearest"]
    assert scores["nearest_answer"] == 0
    best = standing.best(baseline)
    assert best is not None
    assert best.family.startswith("few_shot")
    assert best.test is not None
    assert best.test.n == TEST
    assert best.test.passed == round(TEST * best.test.score)
    assert best.test.low < best.test.score < best.test.high
    asked = [arm.family for arm in baseline.arms if arm.test]
    assert asked == ["trivial", *["few_shot_random"] * 3, "few_shot_nearest"], "not the instructions alone: far behind"
    assert [look["why"] for look in baseline.test_looks] == ["best on dev", *["within reach on dev"] * NEAR]
    assert baseline.test_looks[0]["arm"] == best.name
    assert len(server.calls) == IN_ALL


def test_every_call_is_rendered_alike_and_only_training_rows_are_shown(claim: Claim, server: ModelServer) -> None:
    job.measure(claim)

    train = set(range(1, FIRST_DEV))
    for call in server.calls:
        turns = call.body["messages"]
        assert turns[0] == {"role": "system", "content": "Give the label."}
        shown = [number_of(turn["content"]) for turn in turns[1:-1] if turn["role"] == "user"]
        assert set(shown) <= train
        assert number_of(turns[-1]["content"]) not in train
        assert len(shown) in (0, 3, 5)
        assert call.body["max_tokens"] == 256


def test_the_wanted_answer_of_an_asked_row_never_leaves(claim: Claim, server: ModelServer) -> None:
    job.measure(claim)

    for call in server.calls:
        assert target(number_of(last_user(call.body))) not in str(call.body)


def test_what_is_answered_is_not_asked_again(claim: Claim, server: ModelServer, engine: Engine) -> None:
    def stops_after_40(body: dict[str, Any]) -> str:
        if len(server.calls) >= 40:
            claim.stopping.set()
        return clever(body)

    server.reply = stops_after_40
    with pytest.raises(Stopping):
        job.measure(claim)
    stored = _stored(engine, claim.subject_id)
    first = list(server.questions)
    assert DEV < stored["dev"] <= DEV + 50
    claim.stopping.clear()

    server.reply = clever
    job.measure(claim)

    assert len(server.calls) - len(first) <= IN_ALL - (
        stored["dev"] - DEV
    )  # besides the rows of the arm without a model
    assert len(server.calls) <= IN_ALL + claim.settings.endpoint_concurrency  # those in flight at the stop
    assert _stored(engine, claim.subject_id) == {"dev": 6 * DEV, "test": (2 + NEAR) * TEST}


def test_cancel_ends_in_the_middle_of_calls_and_keeps_what_came(
    case: Case, claim: Claim, server: ModelServer, engine: Engine
) -> None:
    """The server answers nothing more once cancel was pressed, so nobody can have waited for it."""
    over = threading.Event()
    pressed = threading.Lock()

    def reply(body: dict[str, Any]) -> str:
        if len(server.calls) > DEV + 5:  # the first arm is through, and its answers are stored
            if pressed.acquire(blocking=False):
                _press_cancel(engine, claim, case)
            over.wait(60)
        return clever(body)

    server.reply = reply
    with pytest.raises(Cancelled):
        job.measure(claim)
    assert not over.is_set()
    over.set()

    assert _stored(engine, claim.subject_id)["dev"] >= 2 * DEV
    assert baseline_of(engine, claim.subject_id).concluded_at is None


@pytest.mark.alone
def test_cancel_ends_within_two_seconds_and_keeps_what_came(
    case: Case, claim: Claim, server: ModelServer, engine: Engine
) -> None:
    server.delay = 0.2
    pressed: list[float] = []

    def press() -> None:
        until(lambda: _stored(engine, claim.subject_id)["dev"] > 30)
        pressed.append(time.monotonic())
        _press_cancel(engine, claim, case)

    person = threading.Thread(target=press)
    person.start()
    with pytest.raises(Cancelled):
        job.measure(claim)
    ended = time.monotonic()
    person.join()

    assert ended - pressed[0] < 2
    assert _stored(engine, claim.subject_id)["dev"] > 30
    assert baseline_of(engine, claim.subject_id).concluded_at is None


def test_errors_are_kept_apart_and_the_arm_counts_for_nothing(
    case: Case, claim: Claim, server: ModelServer, engine: Engine
) -> None:
    def spoilt(body: dict[str, Any]) -> str | Raw:
        examples = sum(turn["role"] == "assistant" for turn in body["messages"])
        return Raw(b"<html>") if examples == 5 and number_of(last_user(body)) % 10 == 0 else clever(body)

    server.reply = spoilt
    job.measure(claim)

    baseline = baseline_of(engine, claim.subject_id)
    nearest = next(arm for arm in baseline.arms if arm.name == "few_shot_nearest")
    assert nearest.dev is not None
    assert (nearest.dev.n, nearest.dev.errors) == (DEV - DEV // 10, DEV // 10)
    best = standing.best(baseline)
    assert best is not None
    assert best.family == "few_shot_random"
    with reading(engine) as session:
        assert (
            "few_shot_nearest" not in loose(facts.measured(session, case.assessment.id).to_json())["baseline"]["arms"]
        )


def test_going_on_asks_the_errors_again_and_nothing_else(
    case: Case, claim: Claim, server: ModelServer, engine: Engine, settings: Settings, queue: job_engine.Client
) -> None:
    server.reply = lambda body: Raw(b"") if number_of(last_user(body)) == FIRST_DEV else clever(body)
    with pytest.raises(Failed, match="No variant can be evaluated"):
        job.measure(claim)
    finish_job(engine, claim)
    server.reply, server.calls = clever, []

    with writing(engine) as session:
        jobs.bind(session, queue)
        runs.resume(session, claim.subject_id, by=case.author)
    job.measure(claim_of(engine, settings, queue, claim.subject_id))

    dev_calls = Counter(number_of(asked) for asked in server.questions)
    assert dev_calls[FIRST_DEV] == 5
    assert set(dev_calls) <= {FIRST_DEV} | set(range(FIRST_TEST, FIRST_TEST + TEST)), (
        "only the errors, and the test rows if another arm leads now"
    )
    assert all(arm.dev and arm.dev.errors == 0 for arm in baseline_of(engine, claim.subject_id).arms)


def test_a_server_that_only_fails_ends_the_run_with_its_cause(claim: Claim, server: ModelServer) -> None:
    server.reply = lambda _: Raw(b'{"error": {"message": "quota used up"}}', status=400)

    with pytest.raises(Failed, match=r"first 20 rows all failed.*quota used up"):
        job.measure(claim)

    assert len(server.calls) <= job.HOPELESS + claim.settings.endpoint_concurrency


def test_a_wrong_key_ends_the_run_at_once_and_the_server_is_failing_until_it_answers(
    claim: Claim, server: ModelServer, engine: Engine
) -> None:
    answering, server.reply = server.reply, lambda _: Raw(status=401)

    with pytest.raises(Failed, match="does not accept the key"):
        job.measure(claim)

    assert len(server.calls) <= claim.settings.endpoint_concurrency
    assert server_state(engine, claim) == "failing"
    server.reply = answering
    job.measure(claim)
    assert server_state(engine, claim) == "ready"


def server_state(engine: Engine, claim: Claim) -> str:
    """The state of a measurement's server; forms offer none that is failing."""
    with reading(engine) as session:
        model = model_store.get(session, store.get(session, claim.subject_id).model_id)
        return inference.state(session, model)[0]


def test_a_revision_is_one_more_arm_and_a_further_look_only_if_it_leads(
    case: Case, claim: Claim, server: ModelServer, engine: Engine, settings: Settings, queue: job_engine.Client
) -> None:
    job.measure(claim)
    finish_job(engine, claim)
    server.calls = []
    server.reply = lambda body: target(number_of(last_user(body)))

    with writing(engine) as session:
        jobs.bind(session, queue)
        arm = runs.revise(session, claim.subject_id, "Give the label as in the examples.", by=case.author)
    job.measure(claim_of(engine, settings, queue, claim.subject_id))

    baseline = baseline_of(engine, claim.subject_id)
    assert arm.name == "revised_prompt/1"
    assert len(server.calls) == DEV + TEST, "only the new arm on dev, and once on test"
    assert {call.body["messages"][0]["content"] for call in server.calls} == {"Give the label as in the examples."}
    assert baseline.test_looks[-1]["why"] == "best on dev after a revision"
    assert len(baseline.test_looks) == 1 + NEAR + 1
    with reading(engine) as session:
        said = loose(facts.measured(session, case.assessment.id).to_json())
    assert said["baseline"]["revised"] is True
    assert said["baseline"]["best_arm"] == "revised_prompt"
    assert (said["baseline"]["passed"], said["baseline"]["total"]) == (TEST, TEST)
    assert said["arms"]["revised_prompt"] | {"prompt_tokens": 0} == {
        "passed": DEV,
        "total": DEV,
        "prompt_tokens": 0,
    }
    assert "trivial" in said["arms"], "what needs no model stands beside what does"


def test_a_worse_revision_is_no_further_look(
    case: Case, claim: Claim, server: ModelServer, engine: Engine, settings: Settings, queue: job_engine.Client
) -> None:
    job.measure(claim)
    finish_job(engine, claim)
    looks = len(baseline_of(engine, claim.subject_id).test_looks)
    server.reply = lambda _: "nonsense"

    with writing(engine) as session:
        jobs.bind(session, queue)
        runs.revise(session, claim.subject_id, "Say nonsense.", by=case.author)
    job.measure(claim_of(engine, settings, queue, claim.subject_id))

    baseline = baseline_of(engine, claim.subject_id)
    assert len(baseline.test_looks) == looks
    assert baseline.concluded_at is not None


def test_an_adapter_answers_the_same_test_rows_with_the_same_instructions(claim: Claim, engine: Engine) -> None:
    job.measure(claim)
    with writing(engine) as session:
        baseline = store.get(session, claim.subject_id)
        told = standing.winning_instructions(baseline)
        arm = runs.add_adapter_arm(session, baseline.id, training_id=7, title="Adapter", instructions=told)
        assert runs.add_adapter_arm(session, baseline.id, training_id=7, title="", instructions="").id == arm.id
    tuned = Scripted(lambda request: target(number_of(request.messages[-1].content)))

    found = job.answer_arm(claim, arm.id, "test", tuned)

    assert (found.passed, found.n) == (TEST, TEST)
    assert all(request.messages[0].content == "Give the label." for request in tuned.asked)
    assert all(len(request.messages) == 2 for request in tuned.asked)
    with reading(engine) as session:
        best = standing.best(store.get(session, claim.subject_id))
        assert best is not None
        ours = {answer.example_id for answer in answer_store.answers(session, arm.id, "test")}
        theirs = {answer.example_id for answer in answer_store.answers(session, best.id, "test")}
    assert ours == theirs
    assert baseline_of(engine, claim.subject_id).test_looks[-1]["why"] == "adapter"


def test_a_sample_asks_the_same_rows_of_every_arm(
    make: Make, engine: Engine, settings: Settings, queue: job_engine.Client, server: ModelServer
) -> None:
    case = a_case(make, engine, server, train=TRAIN, dev=30, test=26)
    claim = claim_of(engine, settings, queue, started(engine, queue, case, dev_rows=20, test_rows=25).id)

    job.measure(claim)

    asked = Counter(number_of(asked) for asked in server.questions if number_of(asked) <= 70)
    assert len(asked) == 20
    assert set(asked.values()) == {5}
    on_test = Counter(number_of(asked) for asked in server.questions if number_of(asked) > 70)
    assert len(on_test) == 25
    assert len(set(on_test.values())) == 1


def _stored(engine: Engine, baseline_id: int) -> dict[str, int]:
    with reading(engine) as session:
        baseline = store.get(session, baseline_id)
        return {
            split: sum(len(answer_store.answers(session, arm.id, split)) for arm in baseline.arms)
            for split in ("dev", "test")
        }


def _press_cancel(engine: Engine, claim: Claim, case: Case) -> None:
    with writing(engine) as session:
        jobs.cancel(session, claim.job_id, case.author)


def test_models_think_before_they_answer_where_the_data_trains_reasoning(
    case: Case, engine: Engine, queue: job_engine.Client
) -> None:
    with writing(engine) as session:
        dataset_store.get(session, case.dataset.id).read_as = ReadAs(reasoning="train")
    baseline = started(engine, queue, case)

    with reading(engine) as session:
        arm = store.arm(session, store.get(session, baseline.id).arms[0].id)
        prepared = asking.preparation(arm, [])
        example = dataset_store.rows(session, case.dataset.id, "dev")[0]
        held = replace(prepared, thinks=False)
    assert prepared.ask(example).request("1", 64).thinks
    model = {"of": "it"}
    keys = {replies.key(model, each.ask(example).request("1", 64)) for each in (prepared, held)}
    assert len(keys) == 2, "an answer that was not thought about is not taken for one that was"
