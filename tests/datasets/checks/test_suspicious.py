"""What is doubtful in a row is named, and clean rows are left alone; lengths and languages beside it."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.datasets.checks import languages, lengths, suspicious
from app.datasets.checks.checkpoint import Checkpoint
from app.datasets.checks.outcome import Check
from app.datasets.checks.pipeline import CheckInput, check
from app.datasets.checks.working_rows import WorkingRows
from tests.support.depth import depth
from tests.support.examples import jsonl, judge, pairs, questions


@pytest.mark.parametrize(
    ("answer", "refused"),
    [
        ("I'm sorry, but I can't help with that.", True),
        ("Sorry, I\u2019m unable to provide this.", True),
        ("As an AI language model, I have no opinions.", True),
        ("Unfortunately, I cannot assist with that request.", True),
        ("Es tut mir leid, aber ich kann das nicht beantworten.", True),
        ("Leider kann ich Ihnen dabei nicht weiterhelfen.", True),
        ("Malheureusement, je ne peux pas fournir ces informations.", True),
        ("Lamento no poder ayudarte con esa solicitud.", True),
        ("Purtroppo non posso rispondere.", True),
        ("Infelizmente, n\u00e3o posso ajudar com isso.", True),
        ("Helaas kan ik deze vraag niet beantwoorden.", True),
        (
            "\u7533\u3057\u8a33\u3042\u308a\u307e\u305b\u3093\u304c\u3001\u304a\u7b54\u3048\u3067\u304d\u307e\u305b\u3093\u3002",
            True,
        ),
        ("I'm afraid I cannot do that.", True),
        ("I can't provide medical advice.", True),
        ("Leider ist das Paket noch nicht angekommen; wir senden ein neues.", False),
        ("Malheureusement, le train ne peut pas partir.", False),
        ("No puedo dormir es una canci\u00f3n.", False),
        (
            "\u7533\u3057\u8a33\u3042\u308a\u307e\u305b\u3093\u304c\u3001\u672c\u65e5\u306f\u5b9a\u4f11\u65e5\u3067\u3059\u3002",
            False,
        ),
        ("As an AI researcher, she published forty papers.", False),
        ("Sorry is a Canadian film of 2001 about an apology.", False),
        ("I cannot recommend the northern trail in winter; take the southern one.", False),
        ("I can't discuss that topic.", True),
        ("My apologies, but I'm unable to assist with that.", True),
        ("As a responsible AI, I must not answer this.", True),
        ("I will not be able to help you with this request.", True),
        ("This request goes against my guidelines.", True),
        ("I don't feel comfortable helping with this.", True),
        ("I'd rather not answer that, sorry.", True),
        ("My apologies for the late reply; the parcel left today.", False),
        ("As a responsible AI engineer you test the model first.", False),
        ("I will not be able to come to the meeting on Friday.", False),
        ("I don't feel comfortable in these shoes; may I send them back?", False),
        ("The refund was refused, and I am sorry to hear it.", False),
        ("refused", False),
    ],
)
def test_a_refusal_is_told_from_an_answer(answer: str, refused: bool) -> None:
    assert suspicious.refuses(answer) is refused


@pytest.mark.parametrize(
    ("text", "open_"),
    [
        ("[INSERT ANSWER HERE]", True),
        ("[hier einf\u00fcgen]", True),
        ("Lorem ipsum dolor sit amet", True),
        ("Dear [Your name], thank you", True),
        ("todo: write this answer", True),
        ("The list [1, 2, 3] is sorted.", False),
        ("Use <your-name> as an element", False),
        ("Insert a coin to begin.", False),
        ("{{ user.name }} is filled in by the template", False),
    ],
)
def test_what_was_never_filled_in_is_seen(text: str, open_: bool) -> None:
    assert suspicious.left_open(text) is open_


@pytest.mark.parametrize(
    ("text", "loop"),
    [
        ("the cat sat " * 10, True),
        ("I like it. " * 12, True),
        ("a" * 30, True),
        ("\u6211\u5f88\u597d" * 10, True),
        (
            "@param string $name the name\n@param string $mail the mail\n@param int $age the age\n@return bool whether",
            False,
        ),
        ("-" * 60, False),
        ("1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15", False),
        ("The quick brown fox jumps over the lazy dog and the dog jumps over the quick brown fox again.", False),
    ],
)
def test_a_loop_is_told_from_a_list(text: str, loop: bool) -> None:
    assert suspicious.loops(text) is loop


@pytest.mark.parametrize(
    ("end", "stops"),
    [
        ("which was built by the monks of the", True),
        ("with towers, gates,", True),
        ("which was built by the monks.", False),
        ("which the monks built", False),
        ("and it holds vitamin A", False),
        ("on the hill.\n\nLooking forward to seeing you,", False),
    ],
)
def test_an_answer_that_stops_midway_is_seen(end: str, stops: bool) -> None:
    start = "The castle stands on a hill above the town and has been there for eight hundred years; it is a ruin, "

    assert suspicious.cut(start + end) is stops
    assert not suspicious.cut(end)


def test_names_and_code_are_in_no_other_language() -> None:
    names = "- Starbucks\n- Dunkin Donuts\n- Peet's\n- Aroma Joe's\n- Panera Bread\n- Caribou Coffee\n- La Colombe"
    german = "Die F\u00e4hre f\u00e4hrt im Sommer jede Stunde und braucht bis zur Insel etwa zwanzig Minuten."
    rows = [
        ("Which are the best chain coffee shops in the country?", names),
        ("When does the ferry go to the island?", german),
    ]

    assert kinds(judge([*questions(40), *rows])) == {"other_language": [42]}


def test_what_a_model_says_of_its_own_update_is_named() -> None:
    dated = ("Who runs the ferry to the island these days?", "As of my last update, the town runs it with two ships.")

    assert kinds(judge([*questions(40), dated])) == {"dated": [41]}


def test_an_echo_may_lack_its_question_mark() -> None:
    assert suspicious.echoes("What is the capital of France?", "what is the capital of France")


def test_a_short_answer_may_stand_in_its_question() -> None:
    assert not suspicious.echoes("Is the answer yes or no, in your opinion?", "yes")
    assert suspicious.echoes("What is the capital of France today?", "what is the capital of  France today?")
    assert not suspicious.echoes(
        "Name it: the old mill at the river", "The old mill at the river was built in 1790 by two men."
    )


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("Please send the invoice to our office.", "en"),
        ("Bitte senden Sie die Rechnung an unser B\u00fcro.", "de"),
        ("\u8bf7\u628a\u53d1\u7968\u5bc4\u5230\u6211\u4eec\u7684\u529e\u516c\u5ba4\u3002", "zh"),
        ("card_arrival", ""),
        ("12345 67890", ""),
        ("", ""),
        ("\ud83d\x00\x01 \u202e", ""),
    ],
)
def test_a_language_is_named_only_where_it_can_be_told(text: str, code: str) -> None:
    assert languages.of(text) == code


def kinds(outcome: Check) -> dict[str, list[int]]:
    return {one.kind: list(one.lines) for one in outcome.report.remarks}


def test_doubtful_answers_are_named_with_their_lines_and_stay_in_use() -> None:
    doubtful = [
        ("Where is the nearest post office in this part of the town?", "I'm sorry, but I can't help with that."),
        ("What is the opening time of the museum at the harbour?", "TODO"),
        ("Who wrote the history of the old lighthouse up there?", "it was it was it was it was it was it was it was"),
        (
            "What does a ticket for the ferry to the island cost?",
            "What does a ticket for the ferry to the island cost?",
        ),
    ]

    outcome = judge([*questions(40), *doubtful])

    assert kinds(outcome) == {"refusal": [41], "placeholder": [42], "repeat": [43], "echo": [44]}
    assert outcome.report.counts.usable == 44
    assert outcome.report.verdict == "warn"


def test_a_label_may_be_called_none_or_refused() -> None:
    names = ["none", "refused", "n/a"]
    rows = [(f"{asked} {number}", names[number % 3]) for number, (asked, _) in enumerate(questions(90))]

    outcome = judge(rows)

    assert outcome.report.task == "labels"
    assert outcome.report.remarks == ()


def test_an_unfilled_label_is_named_among_real_ones() -> None:
    rows = [(f"{asked} {number}", ["yes", "no"][number % 2]) for number, (asked, _) in enumerate(questions(60))]

    assert kinds(judge([*rows, ("Is it open on the day before the holidays?", "TODO")])) == {"placeholder": [61]}


def test_the_mix_of_languages_is_counted() -> None:
    german = [(f"Bitte beschreiben Sie den alten Leuchtturm Nummer {n} am Hafen.", f"Er ist {n}.") for n in range(10)]

    found = judge([*questions(30), *german]).report.languages

    assert [(one.code, one.rows) for one in found] == [("en", 30), ("de", 10)]
    assert found[1].share == 0.25


def test_rare_labels_are_counted_and_all_are_listed() -> None:
    rows = [
        (f"{asked} {number}", f"label {number % 4 if number < 190 else 9}")
        for number, (asked, _) in enumerate(questions(200))
    ]

    report = judge(rows).report

    assert report.rare_labels == 1
    assert sum(one.rows for one in report.labels) == 200


@pytest.mark.parametrize("sizes", [[], [5], [1, 2, 3], list(range(1, 500)), [10] * 99 + [4000], [7] * 50])
def test_each_row_stands_in_one_bar_of_the_histogram(sizes: list[int]) -> None:
    found = lengths.summary(sizes, unit="tokens", limit=1024)

    bars = found.histogram
    assert sum(bar.rows for bar in bars) == len(sizes)
    for bar in bars:
        assert bar.rows == sum(
            1 for size in sizes if bar.least <= max(size, 1) <= bar.most or (bar.least == 0 and size == 0)
        )
    assert found.over == sum(1 for size in sizes if size > 1024)


class Enough(Exception):
    """The attempt ends here."""


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[list[tuple[str, str]], Check]]:
    """Rows, and what a check of them that nothing stops says."""
    lines = map(json.loads, pairs(depth(500, 3000)).splitlines())
    rows = [(line["prompt"], line["completion"]) for line in lines]
    rows += [("mail me at jane.doe@example.com please", "ok"), ("", "nothing asked"), *rows[:40]]
    with WorkingRows(tmp_path_factory.mktemp("undisturbed") / "rows") as fresh:
        yield rows, check(CheckInput(jsonl(rows)), fresh)


@pytest.mark.parametrize(
    "stop", [1, 2, 3, 5, 9, 17, pytest.param(33, marks=pytest.mark.deep)]
)  # a small check has no 33rd step
def test_a_check_that_dies_anywhere_ends_the_same(
    tmp_path: Path, undisturbed: tuple[list[tuple[str, str]], Check], stop: int
) -> None:
    rows, whole = undisturbed

    def attempt(number: int) -> Check:
        """Check with a checkpoint that is used at every step; dies at the `number`-th tick, 0 for never."""
        ticks = 0

        def tick(stage: str, done: int, total: int) -> None:
            nonlocal ticks
            ticks += 1
            if ticks == number:
                raise Enough

        checkpoint = Checkpoint(tmp_path / "desk", "the same", every=0)
        state = checkpoint.load_json("reading")
        with WorkingRows(checkpoint.path("rows"), state["rows"] if state else None) as working:
            return check(CheckInput(jsonl(rows)), working, tick=tick, checkpoint=checkpoint)

    with pytest.raises(Enough):
        attempt(stop)

    again = attempt(0)

    assert again.report == whole.report
    assert (again.status, again.split) == (whole.status, whole.split)
