"""A measurement while it runs: paused, steered, stopped at its budget; and answers that earlier runs have already."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine

from app.baselines import answer_store, controls, job, run_control, runs, standing, store, views
from app.baselines.spending import Budget, Prices, Spent
from app.baselines.tables import BaselineRow
from app.db import reading, writing
from app.economics import service as economics
from app.errors import Conflict, Invalid
from app.inference import store as model_store
from app.inference.findings import Findings, Manner
from app.jobs import engine as job_engine
from app.jobs import service as jobs
from app.jobs import store as job_store
from app.jobs.claims import Claim, Ended
from app.jobs.tables import Status
from app.settings import Settings
from app.users.tables import UserRow
from app.web.protocols import CallPrice
from tests.support.factories import Make
from tests.support.measured import Case, a_case, baseline_of, claim_of, clever, finish_job, number_of, started
from tests.support.model_server import ModelServer, Raw, completion, last_user, serving

DEV, TEST = 20, 20
MET = "2026-11-30T12:00:00+00:00"
ONE_ARM = {"arms": ("zero_shot",)}
ALL = DEV + TEST  # calls of a measurement of one prompt


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with serving(clever) as made:
        yield made


@pytest.fixture
def case(make: Make, engine: Engine, server: ModelServer) -> Case:
    return a_case(make, engine, server, train=30, dev=DEV, test=TEST)


@pytest.fixture
def begin(case: Case, engine: Engine, settings: Settings, queue: job_engine.Client) -> Callable[..., Claim]:
    """Start a measurement of one prompt, and take its job."""

    def begun(**different: Any) -> Claim:
        return claim_of(engine, settings, queue, started(engine, queue, case, **{**ONE_ARM, **different}).id)

    return begun


@pytest.fixture
def go_on(case: Case, engine: Engine, settings: Settings, queue: job_engine.Client) -> Callable[..., Claim]:
    """Resume a measurement, and take its job."""

    def resumed(before: Claim, **different: Any) -> Claim:
        end(engine, before)
        with writing(engine) as session:
            jobs.bind(session, queue)
            runs.resume(session, before.subject_id, by=case.author, **different)
        return claim_of(engine, settings, queue, before.subject_id)

    return resumed


def end(engine: Engine, claim: Claim) -> None:
    with writing(engine) as session:
        job_store.get(session, claim.job_id).status = Status.CANCELLED


def kept(engine: Engine, baseline_id: int) -> int:
    with reading(engine) as session:
        baseline = store.get(session, baseline_id)
        arm = next(arm for arm in baseline.arms if arm.name == "zero_shot")
        return sum(len(answer_store.answers(session, arm.id, split)) for split in ("dev", "test"))


def spent(engine: Engine, baseline_id: int) -> Spent:
    with reading(engine) as session:
        return run_control.spent(session, store.get(session, baseline_id))


# ---------------------------------------------------------------- pause


def test_a_pause_keeps_what_is_under_way_and_nothing_is_asked_twice(
    begin: Callable[..., Claim],
    go_on: Callable[..., Claim],
    case: Case,
    engine: Engine,
    queue: job_engine.Client,
    server: ModelServer,
) -> None:
    claim = begin()
    pressed = threading.Lock()

    def reply(body: dict[str, Any]) -> str:
        if len(server.calls) >= 6 and pressed.acquire(blocking=False):
            with writing(engine) as session:
                jobs.bind(session, queue)
                controls.pause(session, claim.subject_id, by=case.author)
        if pressed.locked():
            threading.Event().wait(0.15)  # so that the look at the pause comes while there are rows left
        return clever(body)

    server.reply = reply
    with pytest.raises(Ended, match="Paused"):
        job.measure(claim)

    asked = len(server.calls)
    assert 6 <= asked < ALL
    assert kept(engine, claim.subject_id) == asked, "every call that was made is kept"
    assert baseline_of(engine, claim.subject_id).paused_at is not None
    server.reply = clever
    job.measure(go_on(claim))

    assert Counter(server.questions).most_common(1)[0][1] == 1
    assert len(server.calls) == ALL
    assert baseline_of(engine, claim.subject_id).paused_at is None


def test_a_run_that_waits_for_a_worker_is_paused_at_once(
    case: Case, engine: Engine, queue: job_engine.Client, server: ModelServer
) -> None:
    baseline = started(engine, queue, case, **ONE_ARM)
    with writing(engine) as session:
        jobs.bind(session, queue)
        controls.pause(session, baseline.id, by=case.author)

    with reading(engine) as session:
        last = runs.last_job(session, store.get(session, baseline.id))
        assert last is not None
        assert (last.status, last.failure) == (Status.CANCELLED, run_control.PAUSED)
    with writing(engine) as session, pytest.raises(Conflict, match="not running"):
        controls.pause(session, baseline.id, by=case.author)


# ---------------------------------------------------------------- budget


def test_a_budget_in_calls_stops_at_that_call_and_a_higher_one_goes_on(
    begin: Callable[..., Claim], go_on: Callable[..., Claim], engine: Engine, server: ModelServer
) -> None:
    claim = begin(budget_calls=13)
    with pytest.raises(Ended, match="The budget of 13 calls is used up"):
        job.measure(claim)

    assert len(server.calls) == 13 == kept(engine, claim.subject_id)
    with pytest.raises(Conflict, match="used up"):
        go_on(claim)
    again = go_on(claim, more=Budget(calls=1_000))
    job.measure(again)
    assert len(server.calls) == ALL == spent(engine, claim.subject_id).calls
    assert baseline_of(engine, claim.subject_id).concluded_at is not None


def test_money_is_counted_at_the_teams_prices_and_the_cap_is_not_passed(
    begin: Callable[..., Claim], case: Case, engine: Engine, server: ModelServer, make: Make
) -> None:
    """11 tokens in at 1,000 a million and 3 out at 3,000: 0.02 a call."""
    with pytest.raises(Invalid) as refused:
        begin(budget_money=0.31)
    assert "There is no price for Loopback" in refused.value.errors[0].detail
    claim = begin(budget_money=0.31, price_in=1000.0, price_out=3000.0)

    with pytest.raises(Ended, match=r"budget of 0\.31 is used up"):
        job.measure(claim)

    came = spent(engine, claim.subject_id)
    assert came.calls == len(server.calls)
    assert came.money == pytest.approx(0.02 * came.calls)
    assert 0.31 - 0.02 * 9 <= (came.money or 0.0) <= 0.31
    assert not came.estimated


def test_tokens_that_nobody_counts_are_estimated_and_called_so(
    begin: Callable[..., Claim],
    engine: Engine,
    server: ModelServer,
    people: Callable[[UserRow], TestClient],
    case: Case,
) -> None:
    server.reply = lambda body: Raw(completion(clever(body), usage=None))
    claim = begin(price_in=1.0, price_out=1.0)
    job.measure(claim)
    finish_job(engine, claim)

    came = spent(engine, claim.subject_id)
    assert came.estimated
    assert came.tokens > 20 * came.calls
    assert (came.money or 0) > 0
    client = people(case.author)
    arm = next(arm for arm in baseline_of(engine, claim.subject_id).arms if arm.name == "zero_shot")
    answer = client.get(f"/api/v1/baselines/{claim.subject_id}/arms/{arm.id}/answers").json()["data"][0]
    assert (answer["prompt_tokens"], answer["cost_from"]) == (None, "estimated")
    assert answer["cost"] > 0
    assert "estimated" in client.get(f"/answers/{answer['id']}").text


# ---------------------------------------------------------------- answers of earlier runs


def again(begin: Callable[..., Claim], engine: Engine, **different: Any) -> BaselineRow:
    claim = begin(**different)
    job.measure(claim)
    finish_job(engine, claim)
    return baseline_of(engine, claim.subject_id)


def test_what_was_asked_before_is_taken_and_said_and_asked_anew_only_on_demand(
    begin: Callable[..., Claim], engine: Engine, server: ModelServer, settings: Settings
) -> None:
    server.reply = lambda body: f"<think>{number_of(last_user(body))}</think>{clever(body)}"
    first = again(begin, engine, fresh=False)
    second = again(begin, engine, fresh=False)

    assert len(server.calls) == ALL
    assert [arm.dev.score for arm in first.arms if arm.dev] == [arm.dev.score for arm in second.arms if arm.dev]
    best = standing.best(second)
    assert best is not None
    assert best.dev is not None
    assert (best.dev.taken, best.dev.pace, best.dev.thought) == (DEV, None, DEV), "no speed of today is made of them"
    came = spent(engine, second.id)
    assert (came.calls, came.taken, came.money) == (0, ALL, 0.0)
    assert any(f"{ALL} of {ALL} answers taken from earlier runs" in one for one in views.facts(second.arms))

    again(begin, engine, fresh=True)
    assert len(server.calls) == 2 * ALL
    again(begin, engine, fresh=False, max_tokens=128)
    assert len(server.calls) == 3 * ALL, "another setting is another question"


def test_nothing_is_taken_from_another_assessment_or_another_model(
    begin: Callable[..., Claim],
    make: Make,
    case: Case,
    engine: Engine,
    settings: Settings,
    queue: job_engine.Client,
    server: ModelServer,
) -> None:
    again(begin, engine, fresh=False)
    other = a_case(make, engine, server, "Elsewhere", train=30, dev=DEV, test=TEST)

    claim = claim_of(engine, settings, queue, started(engine, queue, other, fresh=False, **ONE_ARM).id)
    job.measure(claim)
    claim = begin(fresh=False, model_id=other.model.id)
    job.measure(claim)

    assert len(server.calls) == 3 * ALL


def test_nothing_is_taken_that_was_asked_in_another_manner(
    begin: Callable[..., Claim], case: Case, engine: Engine, server: ModelServer
) -> None:
    """The thinking of a server is switched off between two runs: its answers with thinking are no answers without."""
    again(begin, engine, fresh=False)
    for calls, wire in (
        (2 * ALL, {"reasoning_effort": "none"}),
        (2 * ALL, {"reasoning_effort": "none"}),
        (2 * ALL, None),
    ):
        met = Findings(
            base_url=server.url, model="loopback-1", calls=1, seconds=1.0, manner=Manner(at=MET, wire=wire), lines=()
        )
        with writing(engine) as session:
            model_store.get(session, case.model.id).met = met.to_json()
        again(begin, engine, fresh=False)

        assert len(server.calls) == calls

    assert ["reasoning_effort" in call.body for call in server.calls] == [False] * ALL + [True] * ALL


def test_a_run_that_was_cut_off_takes_its_own_answers_and_asks_the_rest(
    begin: Callable[..., Claim], go_on: Callable[..., Claim], engine: Engine, server: ModelServer
) -> None:
    """Budget and earlier answers together: what is taken costs nothing of it."""
    with pytest.raises(Ended):
        job.measure(first := begin(fresh=False, budget_calls=10))
    end(engine, first)

    claim = begin(fresh=False, budget_calls=ALL - 10)
    job.measure(claim)

    assert len(server.calls) == ALL
    assert Counter(server.questions).most_common(1)[0][1] == 1
    assert spent(engine, claim.subject_id).taken == 10


# ---------------------------------------------------------------- pages and programs


def test_a_program_pauses_steers_and_resumes(
    begin: Callable[..., Claim], case: Case, engine: Engine, people: Callable[[UserRow], TestClient]
) -> None:
    claim = begin(budget_tokens=500)
    client, path = people(case.author), f"/api/v1/baselines/{claim.subject_id}"

    steered = client.patch(path, json={"at_once": 3, "budget_tokens": 900})
    wrong = client.patch(path, json={"at_once": 65})
    paused = client.post(f"{path}/pause")
    end(engine, claim)
    resumed = client.post(f"{path}/go-on", json={"budget_tokens": 5_000})

    assert steered.status_code == 200
    assert (steered.json()["at_once"], steered.json()["budget"]["tokens"]) == (3, 900)
    assert (wrong.status_code, wrong.json()["errors"][0]["pointer"]) == (422, "#/at_once")
    assert paused.json()["paused_at"] is not None
    assert (resumed.status_code, resumed.json()["paused_at"]) == (202, None)
    assert resumed.json()["budget"]["tokens"] == 5_000
    assert client.post("/api/v1/baselines/999/pause").status_code == 404


def test_the_page_of_a_run_has_its_buttons_and_says_why_it_stopped(
    begin: Callable[..., Claim], case: Case, engine: Engine, people: Callable[[UserRow], TestClient]
) -> None:
    claim = begin(budget_calls=5, price_in=1.0, price_out=1.0)
    client, page = people(case.author), f"/assessments/{case.assessment.id}/measure"

    running = client.get(page).text
    assert "Pause run" in running
    assert 'name="at_once"' in running
    steered = client.post(f"/baselines/{claim.subject_id}/steer", data={"at_once": "seventy"})
    assert steered.status_code == 422
    assert "Use a whole number" in steered.text
    with pytest.raises(Ended) as why:
        job.measure(claim)
    with writing(engine) as session:
        row = job_store.get(session, claim.job_id)
        row.status, row.failure = Status.CANCELLED, str(why.value)

    stopped = client.get(page).text
    assert "stopped at its budget" in stopped
    assert "Baselines stopped" in stopped
    assert "5 calls" in stopped
    assert 'name="budget_calls"' in stopped
    refused = client.post(f"/baselines/{claim.subject_id}/go-on", data={"budget_calls": "many"})
    assert refused.status_code == 422
    assert client.post(f"/baselines/{claim.subject_id}/go-on", data={"budget_calls": "500"}).status_code == 303


def test_prices_are_those_of_the_teams_list(
    case: Case, engine: Engine, queue: job_engine.Client, settings: Settings
) -> None:
    from app.baselines.outlines import Known

    with writing(engine) as session:
        for unit, price in (("input_tokens", "2"), ("output_tokens", "6")):
            sent = {"name": case.model.name, "unit": unit, "price": price, "currency": "EUR"}
            economics.add_price(session, {**sent, "dated": "2026-11-01", "source": "contract"}, case.author)
    with writing(engine) as session:
        jobs.bind(session, queue)
        known = Known(settings, economics.call_prices)
        baseline = runs.start(session, case.assessment.id, case.order(**ONE_ARM), by=case.author, known=known)

    assert baseline.prices == {str(case.model.id): [2.0, 6.0, "EUR"]}


@pytest.mark.parametrize(
    ("listed", "known", "of_run"),
    [
        ({}, {1: 5.0, 2: 7.0}, True),  # of no model that was asked: as it was when the run began
        ({9: 1.0}, {1: 5.0, 2: 7.0}, True),
        ({1: 3.0}, {1: 3.0, 2: 7.0}, False),  # today's list first
    ],
)
def test_what_todays_list_does_not_price_counts_at_the_prices_of_the_run(
    listed: dict[int, float], known: dict[int, float], of_run: bool
) -> None:
    kept = Prices({1: CallPrice(5.0, 5.0, "EUR"), 2: CallPrice(7.0, 7.0, "EUR")})

    prices, of_the_run = kept.with_todays(
        {name: CallPrice(price, price, "EUR") for name, price in listed.items()}, [1, 2]
    )

    assert ({name: price.input for name, price in prices.items()}, of_the_run) == (known, of_run)
    assert set(kept.with_todays({1: CallPrice(3.0, 3.0, "USD")}, [1, 2])[0]) == {1}  # never two currencies
