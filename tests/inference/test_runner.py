"""How many calls a server gets at once, and when: the door by a clock of its own, and real calls against loopback."""

import threading
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from app.chat import Message
from app.errors import Invalid
from app.inference import addresses, rate_headers
from app.inference.endpoint import Endpoint
from app.inference.generator import Answer, Request, Unusable
from app.inference.server_client import Limits
from app.inference.traffic import FIRST, Traffic
from tests.support.depth import depth
from tests.support.model_server import Body, ModelServer, Raw, completion, last_user, serving

LOOPBACK = addresses.Policy.read(["127.0.0.0/8"])
NOW = datetime(2026, 11, 30, 12, 0, tzinfo=UTC)


def door(most: int) -> Traffic:
    return Traffic(most, stopped=lambda: False, clock=lambda: 0.0)


def rounds(traffic: Traffic, number: int, *, room: int) -> list[int]:
    """Ask in rounds a server that takes so many calls at once and turns the others away."""
    asked = []
    for _ in range(number):
        at_once = traffic.allowed
        asked.append(at_once)
        for call in range(at_once):
            if call < room:
                traffic.answered()
            else:
                traffic.away("busy", entered=-2.0)
    return asked


def test_calls_double_from_a_few_to_the_ceiling_while_all_are_answered() -> None:
    traffic = door(64)

    assert rounds(traffic, 4, room=64) == [FIRST, 2 * FIRST, 4 * FIRST, 8 * FIRST]
    traffic.most = 5
    assert traffic.allowed == 5


def test_a_number_that_somebody_named_is_where_it_begins_until_calls_are_turned_away() -> None:
    traffic = door(48)
    traffic.wide()

    assert rounds(traffic, 2, room=48) == [48, 48]
    rounds(traffic, 4, room=6)
    found = traffic.allowed
    traffic.wide()
    assert traffic.allowed == found < 48


@pytest.mark.parametrize("room", [3, 6, 13])
def test_the_number_of_calls_settles_at_the_servers_limit(room: int) -> None:
    asked = rounds(door(48), 60, room=room)[20:]

    assert room - 1 <= sum(asked) / len(asked) <= room + 3
    turned_away = sum(max(0, at_once - room) for at_once in asked)
    assert turned_away <= 0.3 * sum(asked)


def test_single_calls_that_are_turned_away_leave_the_number_as_it_is() -> None:
    """One in twenty, whatever is asked at once: that is no sign of load."""
    traffic, calls = door(16), 0
    seen = []
    for _ in range(60):
        for _ in range(traffic.allowed):
            calls += 1
            if calls % 20:
                traffic.answered()
            else:
                assert not traffic.away("429", entered=-2.0, after=1.0)
        seen.append(traffic.allowed)
        assert not traffic.opens_in()

    assert min(seen[4:]) >= 13


def test_a_wave_of_them_holds_everybody_as_long_as_any_of_them_asked_for() -> None:
    traffic = door(16)
    rounds(traffic, 3, room=16)

    waves = [traffic.away("429", entered=0.5, after=after) for after in (3.0, *[1.0] * 7)]

    assert waves == [False] * 7 + [True]
    assert 3.0 <= traffic.opens_in() <= 3.75
    assert traffic.allowed == 1


HELD: dict[str, tuple[dict[str, str], float]] = {
    "openai": ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "6m0s"}, 360.0),
    "openai, bit by bit": (
        {
            "x-ratelimit-limit-requests": "60",
            "x-ratelimit-remaining-requests": "0",
            "x-ratelimit-reset-requests": "1m0s",
        },
        1.0,
    ),
    "some left": ({"x-ratelimit-remaining-requests": "3", "x-ratelimit-reset-requests": "1m0s"}, 0.0),
    "tokens": (
        {
            "x-ratelimit-limit-tokens": "1000",
            "x-ratelimit-remaining-tokens": "0",
            "x-ratelimit-reset-tokens": "10s",
        },
        1.0,
    ),
    "milliseconds": ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "120ms"}, 0.12),
    "anthropic": (
        {
            "anthropic-ratelimit-requests-remaining": "0",
            "anthropic-ratelimit-requests-reset": "2026-11-30T12:00:30Z",
        },
        30.0,
    ),
    "seconds": ({"ratelimit-remaining": "0", "ratelimit-reset": "7"}, 7.0),
    "since 1970": ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(NOW.timestamp() + 9)}, 9.0),
    "nonsense": ({"x-ratelimit-remaining": "lots", "x-ratelimit-reset": "soon"}, 0.0),
}


@pytest.mark.parametrize(("headers", "seconds"), HELD.values(), ids=HELD.keys())
def test_what_is_left_by_the_servers_own_count_is_read(headers: dict[str, str], seconds: float) -> None:
    assert rate_headers.used_up(headers, 100.0, NOW) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "2"}, 2.0),
        ({"retry-after": format_datetime(NOW + timedelta(seconds=5), usegmt=True)}, 5.0),
        ({"retry-after": "2", "retry-after-ms": "350"}, 0.35),
        ({"retry-after": "-3"}, 0.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "nan"}, None),
        ({}, None),
    ],
)
def test_a_pause_that_is_asked_for_is_read(headers: dict[str, str], seconds: float | None) -> None:
    assert rate_headers.retry_after(headers, NOW) == seconds


# ---------------------------------------------------------------- real calls


def endpoint(server: ModelServer, most: int = 16, **settings: Any) -> Endpoint:
    limits = Limits(**{"concurrency": most, "first_wait": 0.02, "total_seconds": 10.0, **settings})
    return Endpoint(server.url, "m", None, LOOPBACK, limits)


def ask(model: Endpoint, number: int) -> dict[str, Answer]:
    requests = [Request(f"q{row}", (Message("user", f"q{row}"),), 16) for row in range(number)]
    try:
        return {one.id: one for one in model.answer(requests, lambda: False)}
    finally:
        model.close()


def test_one_row_that_is_told_to_wait_keeps_no_other_waiting() -> None:
    """Today every thread waited: 8 % of what could be had."""
    moments: dict[str, list[float]] = {}

    def reply(body: Body) -> str | Raw:
        row = last_user(body)
        moments.setdefault(row, []).append(time.monotonic())
        first = row == "q20" and len(moments[row]) == 1
        return Raw(status=429, headers={"Retry-After": "0.4"}) if first else "x"

    with serving(reply) as server:
        came = ask(endpoint(server), 150)

    assert {answer.text for answer in came.values()} == {"x"}
    refused, again = moments.pop("q20")
    assert again - refused >= 0.4
    assert sum(refused < call < again for calls in moments.values() for call in calls) >= 5, "others were asked"
    assert len(server.calls) == 151


def test_a_server_that_turns_away_what_is_too_much_gets_no_more_than_it_takes() -> None:
    lock, inside, turned_away = threading.Lock(), [0], [0]

    def reply(_: Body) -> str | Raw:
        with lock:
            inside[0] += 1
            full = inside[0] > 4
            turned_away[0] += full
        time.sleep(0.0 if full else 0.03)
        with lock:
            inside[0] -= 1
        return Raw(status=429) if full else "x"

    number = depth(120, 400)
    with serving(reply) as server:
        model = endpoint(server, 32)
        came = ask(model, number)

    assert len(came) == number
    assert not [answer for answer in came.values() if answer.error]
    assert model._traffic.allowed <= 8
    assert turned_away[0] <= 0.6 * number


def test_a_count_that_is_used_up_is_waited_for_before_anybody_is_turned_away() -> None:
    """Ten calls a window, as the headers say; without reading them the eleventh is turned away."""
    calls: list[float] = []
    lock = threading.Lock()

    def reply(_: Body) -> str | Raw:
        with lock:
            calls.append(time.monotonic())
            left = 9 - (len(calls) - 1) % 10
        headers = {"x-ratelimit-remaining-requests": str(left), "x-ratelimit-reset-requests": "150ms"}
        return Raw(completion("x"), headers=headers)

    with serving(reply) as server:
        came = ask(endpoint(server, 1), 21)

    assert len(came) == len(calls) == 21
    assert calls[10] - calls[9] >= 0.15
    assert calls[20] - calls[19] >= 0.15


def test_the_ceiling_can_be_changed_and_the_run_wound_up_while_it_runs() -> None:
    with serving(lambda _: "x", delay=0.01) as server:
        model, going = endpoint(server, 2), [True]
        model.may_begin = lambda _: going[0]
        requests = [Request(f"q{row}", (Message("user", f"q{row}"),), 16) for row in range(200)]
        came: list[str] = []
        for answer in model.answer(requests, lambda: False):
            came.append(answer.id)
            if len(came) == 20:
                assert server.most_at_once == 2
                model.at_once(12)
            if len(came) == 80:
                going[0] = False
        model.close()

    assert server.most_at_once > 6
    assert Counter(came) == Counter(server.questions), "what was under way is answered, and nothing further begun"
    assert 80 <= len(came) <= 80 + 12 + 64


def test_what_came_and_was_not_counted_yet_is_under_way_for_a_budget() -> None:
    """Whoever counts takes longer than the server: by scoring, by a database."""
    with serving(lambda _: "x") as server:
        model, counted = endpoint(server, 16), 0
        model.may_begin = lambda under_way: counted + under_way < 30
        for _ in model.answer([Request(f"q{row}", (Message("user", f"q{row}"),), 16) for row in range(90)], bool):
            time.sleep(0.01)
            counted += 1
        model.close()

    assert len(server.questions) == counted == 30


def test_one_that_is_counted_and_still_under_way_costs_a_budget_no_call() -> None:
    """A result is counted before the next one is asked for, and threads begin questions in between."""
    with serving(lambda _: "x", delay=0.02) as server:
        model, counted = endpoint(server, 2), 0
        model.may_begin = lambda under_way: counted + under_way < 30
        for _ in model.answer([Request(f"q{row}", (Message("user", f"q{row}"),), 16) for row in range(90)], bool):
            counted += 1
            time.sleep(0.05)  # in which it is counted, and under way
        model.close()

    assert len(server.questions) == counted == 30


# ---------------------------------------------------------------- Azure's older addresses

CLASSIC = "/openai/deployments/d/chat/completions?api-version=2024-10-21"
KEY = "0123456789abcdef0123456789abcdef"


def test_the_older_form_of_azure_is_asked_with_its_version_and_its_header() -> None:
    def take(call: Any) -> str | Raw:
        if call.path != CLASSIC:
            return Raw(b'{"error":{"code":"404","message":"Resource not found"}}', status=404)
        if call.headers.get("api-key") != KEY or "authorization" in call.headers:
            return Raw(b'{"error":{"code":"401","message":"Access denied"}}', status=401)
        return "x"

    with serving(lambda _: "x") as server:
        server.take = take  # type: ignore[method-assign]
        typed = server.url.replace("/v1", CLASSIC)
        kept = str(addresses.read(typed))
        model = Endpoint(kept, "d", KEY, LOOPBACK)
        assert ask(model, 3)["q0"].text == "x"

        wrong = Endpoint(kept, "d", "another-key-of-somebody-else", LOOPBACK)
        with pytest.raises(Unusable, match="does not accept the key") as end:
            ask(wrong, 1)
        without = Endpoint(kept.partition("?")[0], "d", KEY, LOOPBACK)
        with pytest.raises(Unusable, match="api-version=2024-10-21") as no_version:
            ask(without, 1)

    assert kept.endswith("/openai/deployments/d?api-version=2024-10-21")
    assert "another-key" not in str(end.value)
    assert KEY not in str(no_version.value)


@pytest.mark.parametrize("more", ["?api-version=2024-10-21&key=x", "?key=x", "?api-version=", "#x"])
def test_nothing_but_a_version_may_follow_an_address(more: str) -> None:
    with pytest.raises(Invalid):
        addresses.read(f"https://name.example.net/openai/deployments/d{more}")
