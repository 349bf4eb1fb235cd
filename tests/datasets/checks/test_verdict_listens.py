"""The verdict listens to what was measured, and means one thing on page, API, command line and in the split."""

import json
import random
from pathlib import Path
from typing import Any

import pytest

from app.__main__ import main
from app.datasets.checks import lengths
from app.datasets.checks.outcome import Check
from tests.support.examples import judge, pairs, questions

Pairs = list[tuple[str, str]]


def prose(number: int) -> Pairs:
    """That many different questions with different answers, of which none asks back."""
    return [(f"{asked.rstrip('?')} {n}?", f"Answer number {n}: take the {n * 37 % 991}th door and {answer}.")
            for n, (asked, answer) in enumerate(questions(number))]  # fmt: skip


def labelled(number: int, *labels: str) -> Pairs:
    return [(f"{asked} {n}", labels[n % len(labels)]) for n, (asked, _) in enumerate(questions(number))]


def verdict_of(outcome: Check) -> tuple[str, bool, str]:
    report = outcome.report
    return report.verdict, report.can_be_used, " ".join(report.why)


def short_limit(characters: int) -> Any:
    """Counts characters as tokens."""

    class Counter:
        name, limit = "signs", characters

        def count(self, records: list[Any]) -> list[int]:
            return [len(one.target) + sum(len(turn.content) for turn in one.messages) for one in records]

    return Counter()


def test_a_clean_file_is_accepted() -> None:
    assert verdict_of(judge(prose(100))) == ("accept", True, "")
    assert verdict_of(judge(labelled(100, "refund", "invoice"))) == ("accept", True, "")


def test_half_repeats() -> None:
    rows = prose(60)

    verdict, usable, why = verdict_of(judge([*rows, *rows]))

    assert (verdict, usable) == ("warn", True)
    assert "60 of 120 rows repeat another one" in why
    assert verdict_of(judge([*rows, *rows[:40]]))[2] == ""


def test_three_answers_in_three_hundred_rows_that_are_no_labels() -> None:
    answers = [f"We are sorry to hear that and will look into it; {more} within three working days at the latest."
               for more in ("somebody writes to you", "your money is sent back", "a new one is sent out")]  # fmt: skip

    verdict, usable, why = verdict_of(judge([(asked, answers[n % 3]) for n, (asked, _) in enumerate(prose(300))]))

    assert (verdict, usable) == ("warn", True)
    assert "only 3 different answers in 300 rows" in why


@pytest.mark.parametrize(
    ("limit", "words"), [(10, "Every row is longer than 10 tokens and would be cut"), (10_000, "")]
)
def test_all_rows_over_the_limit(limit: int, words: str) -> None:
    counter: lengths.Counter = short_limit(limit)

    verdict, usable, why = verdict_of(judge(prose(60), tokens=counter))

    assert (verdict, usable, words in why) == ("warn" if words else "accept", True, True)


def test_a_half_with_its_sides_swapped() -> None:
    rows = labelled(200, "refund", "invoice", "delivery", "other")
    swapped = [*rows[:150], *((answer, asked) for asked, answer in rows[150:])]

    verdict, usable, why = verdict_of(judge(swapped))

    assert (verdict, usable) == ("warn", True)
    assert "In 50 rows the question is what others answer" in why


def test_all_sides_swapped_leave_nothing_to_use() -> None:
    rows = labelled(200, "refund", "invoice", "delivery", "other")

    verdict, usable, why = verdict_of(judge([(answer, asked) for asked, answer in rows]))

    assert (verdict, usable) == ("reject", False)
    assert why


def test_a_half_of_prose_with_its_sides_swapped() -> None:
    rows = prose(120)
    half = [*rows[:60], *((answer, asked) for asked, answer in rows[60:])]

    verdict, _, why = verdict_of(judge(half))

    assert verdict == "warn"
    assert "50 % have it at the end of the answer" in why


def test_a_task_that_is_to_ask_is_no_swap() -> None:
    assert verdict_of(judge([(answer, asked) for asked, answer in prose(100)]))[0] == "accept"


def test_far_too_few_to_train_on_is_said_where_somebody_may_train() -> None:
    assert verdict_of(judge(prose(60), needed=1000))[0] == "warn"
    assert verdict_of(judge(prose(60), needed=1000))[2].startswith(
        "42 usable examples besides the test rows; training needs 1,000"
    )
    assert verdict_of(judge(prose(60), needed=40)) == ("accept", True, "")


@pytest.mark.parametrize(
    "rows", [prose(1), prose(3), [("Where is it?", f"It is {n}.") for n in range(40)], [("same", "same")] * 30]
)
def test_nothing_usable_is_a_refusal_with_a_reason(rows: Pairs) -> None:
    outcome = judge(rows)
    verdict, usable, why = verdict_of(outcome)

    assert (verdict, usable, bool(why)) == ("reject", False, True)
    assert outcome.report.message_counts["error"] >= 1


def test_a_verdict_has_one_meaning_whatever_the_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Reject, an exit status of 1, no part of the split and `can_be_used` false go together, always."""
    draw = random.Random(4)
    faulty = (b"nope\n", b'{"prompt": "a"}\n', b'{"prompt": "", "completion": "x"}\n')
    lines = [*pairs(12).splitlines(keepends=True), *faulty]
    for number in range(25):
        path = tmp_path / f"{number}.jsonl"
        path.write_bytes(b"".join(draw.choices(lines, k=draw.randint(0, 14))))
        status = main(["check-data", str(path), "--json"])
        found = json.loads(capsys.readouterr().out)
        split = found["split"]
        whole = bool(split) and min(split["train"], split["dev"], split["test"]) > 0
        assert (found["verdict"] == "reject", status, found["can_be_used"]) == (not whole, int(not whole), whole)
        assert main(["check-data", str(path)]) == status
        words = capsys.readouterr().out
        assert ("can't be used" in words) is (status == 1)


def test_the_command_says_that_rows_are_too_few(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "x.jsonl"
    path.write_bytes(pairs(300))

    assert main(["check-data", str(path)]) == 0

    first, second, *_ = capsys.readouterr().out.splitlines()
    assert first == "warn: It can be used; read what was found first."
    assert second.startswith("210 usable examples besides the test rows; training needs 1,000.")


# ---------------------------------------------------------------------- rows that stand in the test file
def test_only_copies_stand_in_the_upload_too() -> None:
    rows = prose(60)
    exact, near = rows[3], (f"Please, {rows[4][0]}", rows[4][1])

    outcome = judge(rows, [exact, near, ("Something else entirely?", "yes")])

    (text,) = [one.text for one in outcome.report.messages if "test rows are not used" in one.text]
    assert text == (
        "1 row of the test file stands in the upload too, and 1 row is nearly asked there, or in part;"
        " test rows are not used for training."
    )
    assert (outcome.report.counts.leaks, outcome.report.counts.exact_leaks) == (2, 1)
    assert outcome.reason(3) == "Stands in the test set too: line 1 of the test file."
    assert outcome.reason(4) == "Asks what line 2 of the test file asks, but for courtesies, or holds it word for word."


def test_where_none_is_a_copy_none_stands_there_too() -> None:
    rows = prose(60)

    outcome = judge(rows, [(f"Please, {rows[4][0]}", rows[4][1]), ("Something else entirely?", "yes")])

    texts = " ".join(one.text for one in outcome.report.messages)
    assert "1 row of the test file is nearly asked there, or in part" in texts
    assert "too;" not in texts
