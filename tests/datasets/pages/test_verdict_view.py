"""What one reads first of a report."""

from typing import Any

import pytest

from app.datasets.checks.report import TOO_FEW, Report
from app.datasets.pages import verdict_view
from app.datasets.pages.verdict_view import Situation
from tests.support.reports import REPORT, report_with

STATE: dict[str, Any] = {
    "state": "ready", "usable": 70, "needed": 1000, "test": 20, "decided": (), "frozen": False,
    "after": ("Run baselines", "/m"), "page": "/datasets/1", "reading": "/r", "newer": None,
}  # fmt: skip

DECIDED = {"e-mail address": 1}


@pytest.mark.parametrize(
    ("different", "text", "url"),
    [
        (
            {},
            "Decide on personal data, then freeze: 70 usable examples (1,000 needed), 20 test rows.",
            "/datasets/1?tab=personal",
        ),
        (
            {"usable": 1, "test": 1, "decided": DECIDED},
            "Ready to freeze for baselines: 1 usable example (1,000 needed), 1 test row.",
            "/datasets/1?tab=split",
        ),
        ({"usable": 7648, "decided": DECIDED}, "Ready to freeze: 7,648 usable examples", "/datasets/1?tab=split"),
        ({"decided": DECIDED, "frozen": True}, "Frozen: 70 usable examples", "/m"),
        ({"frozen": True}, "Frozen: 70 usable examples", "/datasets/1?tab=personal"),
        ({"newer": (3, "/datasets/9")}, "70 usable", "/datasets/9"),
        ({"state": "rejected"}, "This upload can't be used.", "#upload"),
    ],
)
def test_the_verdict_names_the_one_thing_to_do_next(different: dict[str, Any], text: str, url: str) -> None:
    found = verdict_view.verdict(REPORT, Situation(**STATE | different))

    assert found.text.startswith(text)
    assert found.url == url
    assert found.freeze == text.startswith("Ready")


def test_a_file_with_names_of_its_own_is_not_to_be_corrected_but_explained() -> None:
    unknown: dict[str, Any] = {"format": "unknown", "columns": [{"name": "frage", "samples": []}], "layout": "CSV"}
    refused = Situation(**STATE | {"state": "rejected"})

    first = verdict_view.verdict(report_with(**unknown), refused)

    assert (first.text, first.url, first.link) == ("This upload can't be used yet.", "/r", "Choose the columns")
    lines = report_with(**unknown | {"layout": "JSON lines"})
    assert verdict_view.verdict(lines, refused).link == "Choose the keys"
    assert verdict_view.verdict(report_with(**unknown | {"columns": []}), refused).url == "#upload"


def test_a_verdict_on_too_few_examples_says_how_many_are_missing() -> None:
    assert "about 930 more" in verdict_view.verdict(REPORT, Situation(**STATE | {"decided": DECIDED})).why
    assert "about 930 more" in verdict_view.verdict(REPORT, Situation(**STATE)).next
    enough = verdict_view.verdict(REPORT, Situation(**STATE | {"usable": 1000, "decided": DECIDED}))
    assert (enough.why, enough.tone) == ("", "ready")


def test_rows_in_which_nothing_can_be_learnt_are_not_called_ready() -> None:
    random = report_with(learnability={"verdict": "unlearnable"})

    first = verdict_view.verdict(random, Situation(**STATE | {"usable": 80_000}))

    assert (first.tone, first.url, first.freeze) == ("", "/datasets/1?tab=learnability", False)
    assert first.next.startswith("No link was found between questions and answers.")
    frozen = Situation(**STATE | {"usable": 80_000, "frozen": True})
    assert verdict_view.verdict(random, frozen).url == "/m"


def test_a_refusal_says_why_in_the_words_of_the_first_fault() -> None:
    refused = STATE | {"state": "rejected", "newer": (1, "/datasets/1")}
    alone = Situation(**refused | {"newer": None})

    assert verdict_view.verdict(REPORT, Situation(**refused)).why == (
        "Line 3: It is broken. The upload replaces nothing: version 1 is still the one that counts."
    )
    waiting = Situation(**refused, newer_waits=True)
    assert verdict_view.verdict(REPORT, waiting).why.endswith("the check of version 1 has not ended.")
    conflict = report_with(uploaded=30, counts={"contradiction": 30})
    assert verdict_view.verdict(conflict, alone).why == "30 of 30 rows contradict another row."
    one = report_with(uploaded=30, counts={"leak": 1})
    assert verdict_view.verdict(one, alone).why == "1 of 30 rows stands in the test file, or nearly."
    assert verdict_view.verdict(Report(), alone).why.startswith("Too few rows")


def test_the_reason_that_too_few_are_usable_is_said_once() -> None:
    """The verdict says it in words of its own; the stored reason is left out."""
    why = ["Every row is longer than 10 tokens.", f"70 usable examples; training needs 1,000. {TOO_FEW}"]

    said = verdict_view.verdict(report_with(why=why), Situation(**STATE)).why

    assert said.startswith("Every row is longer than 10 tokens. Training needs about 930 more: ")
    assert TOO_FEW not in said
