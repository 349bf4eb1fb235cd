"""Test rows that stand in the upload, as rows of it or inside others; words of the trade are none."""

import io
import json
from typing import Any

import pytest

from app.datasets.checks.outcome import Check
from app.datasets.checks.pipeline import CheckInput, check
from app.datasets.checks.statuses import RowStatus
from app.datasets.checks.working_rows import WorkingRows
from tests.support.examples import questions

ASKED = "How long does it take until a refund for a returned parcel is on my account?"
ANSWER = "It takes three to five working days, counted from the day on which the parcel got back to our store."


def turns(*said: str) -> dict[str, Any]:
    """A conversation; the first is the system prompt where the number is odd."""
    roles = ["system"] * (len(said) % 2) + ["user", "assistant"] * (len(said) // 2)
    return {"messages": [{"role": role, "content": text} for role, text in zip(roles, said, strict=True)]}


def judge(tmp_path: Any, train: list[dict[str, Any]], test: list[dict[str, Any]]) -> Check:
    rest = [turns("", *one)["messages"] for one in questions(20)]
    lines = [*train, *({"messages": messages[1:]} for messages in rest)]
    with WorkingRows(tmp_path / "rows") as rows:
        upload, own = (io.BytesIO("\n".join(json.dumps(one) for one in some).encode()) for some in (lines, test))
        return check(CheckInput(upload, own), rows)


@pytest.mark.parametrize(
    ("train", "leaks"),
    [
        (turns(ASKED, ANSWER), True),
        (turns(ASKED.upper().replace("?", " !"), ANSWER), True),
        (turns(ASKED.replace("until", "before"), ANSWER), True),
        (turns("You are a terse pirate who sells shoes and knows all about returns.", ASKED, ANSWER), True),
        (turns("I bought boots last week.", "Nice ones!", ASKED, "Three to five days."), True),
        (turns(ASKED, "Soon.", "And what about the postage that I paid for it?", "We pay it back too."), True),
        (turns(f"Answer like this.\nQ: {ASKED}\nA: soon\nQ: Where is the shop?", "In the old town."), True),
        (turns(f"Rewrite it politely: {ANSWER}", "Kindly allow us three to five days."), True),
        (turns("How long does it take until a letter from Spain is on my desk?", "A week."), False),
        (turns("Do refunds take three to five working days?", "Yes."), False),
        (turns("What is the name of the shop?", ANSWER), False),  # an answer may serve several questions
    ],
)
def test_a_test_row_is_found_wherever_it_stands(tmp_path: Any, train: dict[str, Any], leaks: bool) -> None:
    outcome = judge(tmp_path, [train], [turns(ASKED, ANSWER), turns("Is it open on Mondays?", "Yes.")])

    assert [(one.line, one.of_line) for one in outcome.report.leaks] == ([(1, 1)] if leaks else [])
    assert (outcome.status[0] is RowStatus.LEAK) is leaks


def test_a_phrase_of_many_conversations_is_no_leak(tmp_path: Any) -> None:
    more = "Please go on and tell me more about it now."
    train = [turns(asked, answer, more, f"{answer} That is all.") for asked, answer in questions(30)[20:]]

    outcome = judge(tmp_path, train, [turns("Who built the mill?", "The monks.", more, "They came from the north.")])

    assert outcome.report.leaks == ()


def test_a_nearly_equal_question_with_another_label_leaks_too(tmp_path: Any) -> None:
    labelled = [(f"{asked} {n}", "shop" if n % 2 else "home") for n, (asked, _) in enumerate(questions(40))]

    with WorkingRows(tmp_path / "rows") as rows:
        upload, own = (
            io.BytesIO("\n".join(json.dumps({"prompt": p, "completion": c}) for p, c in some).encode())
            for some in ([*labelled, ("Has my top up gone through?", "shop")], [("Has my top-up gone through", "home")])
        )
        report = check(CheckInput(upload, own), rows).report

    assert [(one.line, one.of_line) for one in report.leaks] == [(1, 41)]
