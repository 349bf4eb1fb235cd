"""Statuses, waterfall and report."""

import io
import json
from collections import Counter
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.datasets.checks.outcome import Check
from app.datasets.checks.pipeline import CheckInput, check
from app.datasets.checks.report import Report
from app.datasets.checks.statuses import RowStatus
from app.datasets.checks.summary import STEPS, contradiction_rate
from app.datasets.checks.working_rows import WorkingRows
from app.privacy import detect
from tests.support.depth import depth
from tests.support.examples import judge, questions
from tests.support.places import DATA

Pairs = list[tuple[str, str]]


def counts(outcome: Check) -> dict[str, int]:
    return {step.step: step.count for step in outcome.report.waterfall}


TEXT = st.text(st.sampled_from("ab \n1."), max_size=8)


@given(st.lists(st.tuples(TEXT, TEXT), max_size=30), st.none() | st.lists(st.tuples(TEXT, TEXT), max_size=8))
def test_every_row_ends_in_one_place_and_the_counts_add_up(pairs: Pairs, test: Pairs | None) -> None:
    outcome = judge(pairs, test)
    steps = outcome.report.waterfall

    assert steps[0].count == len(pairs)
    for before, after in pairwise(steps):
        assert after.count == before.count - after.dropped
        assert after.dropped >= 0
    assert steps[-1].count == outcome.report.split.usable
    usable = {index for index, status in enumerate(outcome.status) if status is RowStatus.USABLE}
    assert set(outcome.split) == usable


@given(st.lists(st.tuples(TEXT, TEXT), max_size=30))
def test_no_group_of_near_duplicates_straddles_a_split(pairs: Pairs) -> None:
    outcome = judge(pairs)

    sides: dict[int, set[str]] = {}
    for index, split in outcome.split.items():
        sides.setdefault(outcome.group[index], set()).add(split)
    assert all(len(side) == 1 for side in sides.values())


@settings(max_examples=depth(20, 100))
@given(st.lists(st.tuples(TEXT, TEXT), max_size=30))
def test_the_same_bytes_give_the_same_report(pairs: Pairs) -> None:
    assert judge(pairs).report == judge(pairs).report


def test_the_waterfall_says_what_went_where() -> None:
    good = questions(40)
    pairs = [*good, good[0], (good[1][0].upper(), good[1][1]), ("", "x"), ("same", "left"), ("same", "right of it")]

    outcome = judge([*pairs, ("long", "word " * 6000)])

    assert counts(outcome) == {
        "uploaded": 46,
        "valid": 46,
        "not_empty": 45,
        "within_length": 44,
        "unique": 42,
        "near_unique": 42,
        "consistent": 40,
        "usable": 28,
    }
    split = outcome.report.split
    assert (split.train, split.dev, split.test, split.usable, split.own_test) == (22, 6, 12, 28, False)
    assert outcome.report.split.by == "random"
    assert outcome.reason(40) == "Asks the same as line 1."


def checked(path: Path, folder: Path) -> Check:
    with WorkingRows(folder / "rows") as rows, path.open("rb") as file:
        return check(CheckInput(file), rows)


Bounds = tuple[int, int]


@pytest.mark.parametrize(
    ("name", "unique", "usable"),
    [
        ("phpdoc/neardup_279.jsonl", (174, 182), (122, 128)),
        ("phpdoc/small_300.jsonl", (300, 300), (210, 210)),
    ],
)
def test_real_sets_have_the_rows_their_readme_says(tmp_path: Path, name: str, unique: Bounds, usable: Bounds) -> None:
    found = counts(checked(DATA / name, tmp_path))

    assert unique[0] <= found["near_unique"] <= unique[1]
    assert usable[0] <= found["usable"] <= usable[1]


@pytest.mark.deep
@pytest.mark.parametrize(
    ("name", "unique", "usable"),
    [
        ("phpdoc/phpdoc.jsonl", (3200, 3224), (2560, 2580)),
        ("phpdoc/neardup_1500.jsonl", (890, 915), (690, 715)),
        ("intent_banking77/train.jsonl", (9550, 9620), (7630, 7700)),
    ],
)
def test_large_sets_have_the_rows_their_readme_says(
    sets: Path, tmp_path: Path, name: str, unique: Bounds, usable: Bounds
) -> None:
    found = counts(checked(sets / name, tmp_path))

    assert unique[0] <= found["near_unique"] <= unique[1]
    assert usable[0] <= found["usable"] <= usable[1]


@pytest.mark.parametrize(
    "name", ["phpdoc/small_300.jsonl", "intent_banking77/train_700.jsonl", "slots_snips/train_200.jsonl"]
)
def test_clean_sets_raise_no_alarm(tmp_path: Path, name: str) -> None:
    clean(checked(DATA / name, tmp_path).report)


@pytest.mark.deep
@pytest.mark.parametrize(
    "name",
    ["phpdoc/phpdoc.jsonl", "phpdoc/sample.jsonl", "intent_banking77/train.jsonl", "slots_snips/train.jsonl"],
)
def test_large_clean_sets_raise_no_alarm(sets: Path, tmp_path: Path, name: str) -> None:
    clean(checked(sets / name, tmp_path).report)


def clean(report: Report) -> None:
    # Two doc blocks of the first hold mail addresses, and the third has known label noise.
    said = [m.text for m in report.messages if m.level != "note"]
    assert [t for t in said if "e-mail address" not in t and "answered differently" not in t] == []
    assert len(said) <= 2
    assert report.contradiction_rate <= 0.05


def test_a_reworded_answer_is_no_contradiction() -> None:
    outcome = judge(
        [
            *questions(12),
            ("What is it?", "It returns the number of open doors."),
            ("What is it?", "Gets the number of open doors."),
        ]
    )

    assert outcome.report.counts.contradictions == 0
    assert outcome.report.counts.duplicate == 1


def test_progress_counts_the_rows_of_the_file() -> None:
    told: list[tuple[str, int, int]] = []

    judge(questions(300), tick=lambda stage, done, total: told.append((stage, done, total)))

    compared = [(done, total) for stage, done, total in told if stage == "Comparing rows" and total]
    assert {total for _, total in compared} == {300}
    assert all(0 <= done <= 300 for done, _ in compared)


def test_labels_contradict_where_prose_would_only_be_reworded() -> None:
    labels = [(f"{q} {n}", "refund_asked" if n % 2 else "refund_given") for n, (q, _) in enumerate(questions(40))]

    outcome = judge([*labels, ("Where is my money?", "refund_asked"), ("where is my  money?", "refund_given")])

    assert outcome.report.task == "labels"
    assert [(c.line, c.of_line) for c in outcome.report.contradictions] == [(42, 41)]
    assert Counter(outcome.status)[RowStatus.CONTRADICTION] == 2
    texts = [one.text for one in outcome.report.messages]
    assert "2 rows ask what another row asks but are answered differently; none is used." in texts


def labelled(number: int) -> Pairs:
    return [(f"{q} {n}", "refund_asked" if n % 2 else "refund_given") for n, (q, _) in enumerate(questions(number))]


def alike(number: int, *labels: str) -> Pairs:
    """One question in as many wordings as there are labels."""
    asked = f"where can I see the {questions(number + 1)[number][0].lower()}"
    return list(zip((asked, f"Please {asked}", f"Hello, {asked}!"), labels, strict=False))


@pytest.mark.parametrize("repeat", ["Please tell  me where my money  is", "Please tell me where my money is, now"])
def test_the_row_that_a_contradicted_row_repeats_is_not_used_either(repeat: str) -> None:
    asked = "Please tell me where my money is"
    told = [(asked, "refund_asked"), (repeat, "refund_asked"), (f"Hello! {asked}?", "refund_given")]

    outcome = judge([*labelled(40), *told])

    assert outcome.report.counts.contradictions >= 1
    assert RowStatus.USABLE not in outcome.status[40:]


@pytest.mark.parametrize(
    ("other", "status"), [("Hello! Please tell me where my money is?", "usable"), ("", "contradiction")]
)
def test_rows_that_a_person_called_different_contradict_only_where_they_ask_the_same(other: str, status: str) -> None:
    asked = "Please tell me where my money is"
    told = [(asked, "refund_asked"), (asked, "refund_asked"), (other or asked, "refund_given")]
    rows = [*labelled(40), *told]

    outcome = judge(rows, kept_keys=[judge(rows).rows.keys[40]])

    assert [one.value for one in outcome.status[40:]] == [status] * 3


def test_one_question_in_three_wordings_counts_once_in_the_rate_of_contradictions() -> None:
    agreed = [row for n in range(20) for row in alike(n, *["refund_asked", "refund_given"][n % 2 :][:1] * 3)]
    split = [row for n in range(20, 40) for row in alike(n, "refund_asked", "refund_asked", "refund_given")]

    report = judge([*agreed, *split]).report

    assert (report.counts.groups, report.counts.repeated_groups) == (20, 40)
    assert report.contradiction_rate == 0.5


def test_a_fault_of_the_whole_file_is_no_row_of_it() -> None:
    rows = [json.dumps({"prompt": p, "completion": c}) for p, c in questions(20)]

    with TemporaryDirectory() as folder, WorkingRows(Path(folder) / "rows") as kept:
        outcome = check(CheckInput(io.BytesIO(f"[{','.join(rows)}".encode())), kept)

    assert any("never closed" in said.text for said in outcome.report.messages)
    assert (outcome.report.uploaded, outcome.report.records) == (20, 20)


def test_json_answers_are_compared_as_values() -> None:
    rows = [(q, json.dumps({"n": n})) for n, (q, _) in enumerate(questions(20))]

    outcome = judge([*rows, (rows[0][0], '{ "n":0 }'), (rows[1][0], '{"n": 2}')])

    assert outcome.report.task == "json"
    assert [(c.line, c.of_line) for c in outcome.report.contradictions] == [(22, 2)]


def test_training_rows_that_stand_in_the_own_test_file_are_taken_out() -> None:
    rows = questions(30)

    outcome = judge(rows, [(rows[3][0].upper(), rows[3][1]), ("Something else entirely?", "yes")])

    assert (outcome.report.verdict, outcome.report.can_be_used) == ("warn", True)
    assert [(leak.line, leak.of_line) for leak in outcome.report.leaks] == [(1, 4)]
    assert outcome.status[3] is RowStatus.LEAK
    assert outcome.report.split.test == 2


def test_what_was_test_stays_test_when_rows_are_appended() -> None:
    rows = questions(60)
    first = judge(rows)
    kept = {first.rows.keys[index]: split for index, split in first.split.items()}

    second = judge([*questions(90)[60:], *rows], previous_assignment=kept)

    places = {second.rows.keys[index]: split for index, split in second.split.items()}
    assert {key: places[key] for key in kept} == kept


def test_the_rate_of_contradictions_is_the_share_of_repeated_questions() -> None:
    assert contradiction_rate(1, 2) == 0.5
    assert contradiction_rate(30, 100) == 0.3
    assert contradiction_rate(0, 0) == 0


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("write to jane.doe@example.com", ["e-mail address"]),
        ("call +1 202 555 0143 now", ["phone number"]),
        ("card 4111 1111 1111 1111", ["card number"]),
        ("order 4111 1111 1111 1112", []),
        ("SSN 078-05-1120", ["social security number"]),
        ("IBAN GB82 WEST 1234 5698 7654 32", ["bank account number"]),
        ("IBAN GB82 WEST 1234 5698 7654 33", []),
        ("version 1.22.333.4444, 2024-01-15 10:22:33", []),
        ("-----BEGIN RSA PRIVATE KEY-----", ["key or token"]),
        ("@param int $a, 192.168.178.255", []),
    ],
)
def test_identifiers_are_told_from_other_numbers(text: str, kinds: list[str]) -> None:
    assert list(detect.kinds_in_text(text)) == kinds


def test_every_status_but_usable_has_its_step() -> None:
    assert {end for _, _, end in STEPS} == set(RowStatus) - {RowStatus.USABLE}


def test_a_label_that_is_nearly_a_common_one_may_be_a_slip() -> None:
    asked = [asked for asked, _ in questions(160)]
    names = ["card_arrival"] * 60 + ["card_arrivel", "Card Arrival", "top_up_1"] + ["top_up_2"] * 60 + ["atypical"] * 2
    rows = list(zip(asked, [*names, *["typical"] * (160 - len(names))], strict=True))

    said = [(m.line, m.text) for m in judge(rows).report.messages if m.line]

    assert said == [
        (61, "The answer 'card_arrivel' may be a slip: 60 rows have 'card_arrival'."),
        (62, "The answer 'Card Arrival' may be a slip: 60 rows have 'card_arrival'."),
    ]
