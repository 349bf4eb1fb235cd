"""An answer that is followed: passed on in pieces that stay, ended before a text, given up when nobody waits."""

import json
from collections.abc import Sequence
from typing import Any

import pytest

from app.inference.following import Dropped, Ended, Follower, followers
from app.inference.local_protocol import AskedRow


class Letters:
    """A tokenizer of one byte a token, so that letters come in halves."""

    def decode(self, token_ids: Sequence[int], **_: Any) -> str:
        return bytes(token_ids).decode("utf-8", "replace")


def follow(text: str, capsys: pytest.CaptureFixture[str], **how: Any) -> tuple[list[str], Ended | None]:
    """The pieces that were passed on, and how it ended."""
    follower, ended = Follower("1", Dropped(), **how), None
    data = text.encode()
    for size in range(1, len(data) + 1):
        if (ended := follower.took(Letters(), list(data[:size]))) is not None:
            break
    said = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    return [event["text"] for event in said], ended


def test_pieces_are_whole_letters(capsys: pytest.CaptureFixture[str]) -> None:
    assert follow("é😀a", capsys, pieces=True) == (["é", "😀", "a"], None)


def test_thinking_that_the_prompt_opened_comes_first(capsys: pytest.CaptureFixture[str]) -> None:
    assert follow("hm", capsys, pieces=True, opened="<think>") == (["<think>h", "m"], None)


@pytest.mark.parametrize(
    ("stops", "pieces", "end"),
    [
        (("###",), ["a", "#", "b"], "a#b"),
        (("b#", "#b"), ["a"], "a"),
        (("zz",), ["a", "#", "b", "#", "#", "#", "c"], None),
    ],
)
def test_nothing_of_a_stop_is_ever_passed_on(
    stops: tuple[str, ...], pieces: list[str], end: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    came, ended = follow("a#b###c", capsys, pieces=True, stops=stops)

    assert "".join(came) == "".join(pieces)
    assert (ended.text if ended else None) == end


def row(name: str, stops: list[str]) -> AskedRow:
    return {"id": name, "messages": [], "max_tokens": 1, "stops": stops, "pieces": False}


def test_whoever_is_dropped_ends_with_nothing_and_others_go_on() -> None:
    dropped = Dropped()
    made = followers([row("1", [""]), row("2", [])], dropped)
    dropped.add("1")

    assert made["1"].took(Letters(), [65]) == Ended(None)
    assert made["2"].took(Letters(), [65]) is None
    assert followers([{"id": "3", "messages": [], "max_tokens": 1}], dropped) == {}
    dropped.forget()
    assert made["1"].took(Letters(), [65]) is None
