"""No wrong answer counts as right, and no right one as wrong for its dress: labels, signs, numbers, JSON."""

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.errors import Invalid
from app.evaluation import form, metrics

FENCED = {"fence": True}
AROUND = {"around": True}
WANTED = '{"label":"refund","id":12345678901234567890}'
SPACED = '{ "id": 12345678901234567890, "label": "refund" }'


def plain(output: str, target: str, **options: bool) -> bool:
    return metrics.score("normalised_match", output, target, options) == 1


def same_json(output: str, target: str = WANTED, **options: bool) -> bool:
    return metrics.score("json_match", output, target, options) == 1


@pytest.mark.parametrize(
    ("output", "target"),
    [
        *(("1", "-1"), ("-1", "1"), ("5", "-5"), ("5", ".5"), ("5", "+5"), ("50", "50%"), ("50", "$50"), ("50", "50°")),
        *(("C", "C#"), ("C", "C++"), ("A", "A-"), ("A", "A+"), ("A", "A*"), ("net", ".net"), ("tag", "#tag")),
        *(("n", "n!"), ("x", "x'"), ("10", "10²"), ("102", "10²"), ("12", "½"), ("yes", "no"), ("a", "(a) or (b)")),
        *(("refund", "not refund"), ("ab", "a-b"), ("5", "5?")),
    ],
)
def test_signs_and_letters_that_mean_something_tell_answers_apart(output: str, target: str) -> None:
    assert not plain(output, target)
    assert not plain(target, output)


@pytest.mark.parametrize("target", ["?", "-", "!", "...", "**", "()", "🙂", "\u200b", "refund"])
@pytest.mark.parametrize("output", ["", " ", "\n\t", "\u200b\u200b"])
def test_an_empty_answer_equals_nothing_that_was_wanted(output: str, target: str) -> None:
    assert not plain(output, target)
    assert metrics.score("exact_match", output, target, {}) == 0
    assert metrics.score("rouge_l", output, target, {}) == 0
    assert metrics.score("pattern", "", target, {"pattern": "[0-9]"}) == 0
    assert plain(target, target)


@pytest.mark.parametrize(
    "output",
    [
        *("**refund**", "*refund*", "__refund__", "`refund`", "```refund```", "$refund$", "(refund)", "[refund]"),
        *(
            "<refund>",
            "{refund}",
            '"refund"',
            "'refund'",
            "“refund”",
            "„refund“",
            "«refund»",
            "「refund」",
            "**“refund”**.",
        ),
        *("Refund", "REFUND.", "refund!", "- refund", "* refund", "# refund", "> refund", "…refund", "refund…"),
        *(
            "refund\u200b",
            "re\u00adfund",
            "\ufeffrefund",
            "\u2067refund\u2069",
            "\uff32\uff25\uff26\uff35\uff2e\uff24",
            " refund \n",
            r"\(refund\)",
        ),
    ],
)
def test_decoration_carries_no_meaning(output: str) -> None:
    assert plain(output, "refund")
    assert not plain(output, "exchange")


@pytest.mark.parametrize(
    ("output", "target"), [("\u22121", "-1"), ("\u20135", "-5"), ("**-1**", "-1"), ("`C#`", "C#"), ("A*.", "A*")]
)
def test_a_sign_in_another_spelling_or_in_marks_is_the_same_sign(output: str, target: str) -> None:
    assert plain(output, target)


@pytest.mark.parametrize(
    "output",
    ["Label: refund", "ANSWER: **refund**.", "**Answer:** refund", "The answer is `refund`", "Final answer = refund"],
)
def test_words_before_the_answer_are_taken_off_only_when_that_is_switched_on(output: str) -> None:
    assert not plain(output, "refund")
    assert plain(output, "refund", prefix=True)
    assert not plain(output, "exchange", prefix=True)
    assert metrics.saved("normalised_match", output, "refund", {}) == "prefix"


def test_other_words_before_a_colon_are_part_of_the_answer() -> None:
    assert not plain("note: late", "warning: late", prefix=True)
    assert not plain("answer:", "", prefix=True)


def test_rows_that_only_form_saved_are_known() -> None:
    assert metrics.dressed("normalised_match", "**refund**", "refund", {})
    assert not metrics.dressed("normalised_match", "Refund ", "refund", {})
    assert not metrics.dressed("normalised_match", "**other**", "refund", {})
    assert not metrics.dressed("exact_match", "refund", "refund", {})


def test_a_capital_without_a_small_letter_of_its_own_is_folded_beside_a_raised_one() -> None:
    assert form.folded("10² \U0001d400") == form.folded("10² a")
    assert form.folded("ª\U0001d400") == "ªa"
    assert form.folded("\U0001d400²") == "a²"


@given(st.text(max_size=30))
def test_taking_off_form_twice_takes_off_no_more_and_never_everything(text: str) -> None:
    once = form.bared(form.folded(text))

    assert form.bared(form.folded(once)) == once
    assert bool(once) == bool(form.folded(text).strip())


# ---------------------------------------------------------------- JSON


@pytest.mark.parametrize(
    "output",
    [
        WANTED.replace("890}", "891}"),
        WANTED.replace("890}", "890.0001}"),
        WANTED.replace("12345678901234567890", "1.2345678901234567e19"),
    ],
)
def test_a_number_that_is_off_by_one_is_another_number(output: str) -> None:
    assert not same_json(output)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("18446744073709551617", "18446744073709551616", False),
        ("0.1", "0.10", True),
        ("1", "1.0", True),
        ("1e2", "100", True),
        ("0.30000000000000004", "0.3", False),
        ("1e400", "2e400", False),
        ("9" * 5000, "9" * 5000, True),
        ("-0", "0", True),
        ('"\\ud800"', '"\\ud800"', False),
        ("NaN", "NaN", False),
        ("1", "true", False),
    ],
)
def test_numbers_are_compared_as_they_are_written(one: str, other: str, same: bool) -> None:
    assert same_json(f'{{"n": {one}}}', f'{{"n": {other}}}') is same


def test_a_long_number_is_shown_digit_by_digit() -> None:
    assert "12345678901234567890" in metrics.METRICS["json_match"].view(WANTED, {})


FENCES = {
    "LF": f"```json\n{SPACED}\n```",
    "CRLF": f"```json\r\n{SPACED}\r\n```\r\n",
    "one line": f"```json {SPACED} ```",
    "one line, no name": f"```{SPACED}```",
    "tilde": f"~~~json\n{SPACED}\n~~~",
    "upper case": f"```JSON\n{SPACED}\n```",
    "other name": f"```json5+x\n{SPACED}\n```",
    "no name": f"```\n{SPACED}\n```",
    "four": f"````\n{SPACED}\n````",
    "mark first": f"\ufeff```json\n{SPACED}\n```",
    "mark inside": f"```json\n\ufeff{SPACED}\n```",
}


@pytest.mark.parametrize("output", FENCES.values(), ids=FENCES.keys())
def test_a_fence_in_every_usual_spelling_is_one_when_it_may_be(output: str) -> None:
    assert same_json(output, fence=True)
    assert not same_json(output)
    assert metrics.saved("json_match", output, WANTED, {}) == "fence"


@pytest.mark.parametrize("mark", ["\ufeff", "ï»¿", "\u200b", "\ufeff\n"])
def test_a_byte_order_mark_is_not_part_of_the_json(mark: str) -> None:
    assert same_json(mark + SPACED)


AROUNDS = {
    "before": f"Here it is:\n```json\n{SPACED}\n```",
    "after": f"```json\n{SPACED}\n```\nI hope this helps.",
    "no fence": f"The answer is {SPACED}. Done.",
}


@pytest.mark.parametrize("output", AROUNDS.values(), ids=AROUNDS.keys())
def test_sentences_around_are_a_choice_of_their_own(output: str) -> None:
    assert not same_json(output)
    assert not same_json(output, fence=True)
    assert same_json(output, around=True)
    assert metrics.saved("json_match", output, WANTED, FENCED) == "around"
    assert metrics.saved("json_match", output, WANTED, AROUND) == ""


@pytest.mark.parametrize("output", [f"```\n{SPACED}\n```\n```\n{SPACED}\n```", f"{SPACED} or {SPACED}"])
def test_two_answers_are_none(output: str) -> None:
    assert not same_json(output, fence=True)
    assert not same_json(output, fence=True, around=True)


@example({"```": 0})
@example({"a": 0, "~~~": 1})
@given(
    st.dictionaries(st.text(max_size=5), st.integers() | st.floats(allow_nan=False, allow_infinity=False), max_size=4)
)
def test_json_is_equal_to_itself_in_every_dress(value: dict[str, float]) -> None:
    text = json.dumps(value)

    assert same_json(f"```json\r\n{json.dumps(value, indent=2)}\r\n```", text, fence=True)
    assert same_json(f"So: {text} That is all.", text, around=True)


# ---------------------------------------------------------------- numbers


def number(output: str, target: str, decimal: str = ".", tolerance: str = "") -> bool:
    options = metrics.checked("number_match", {"decimal": decimal, "tolerance": tolerance})
    return metrics.score("number_match", output, target, options) == 1


@pytest.mark.parametrize(
    ("output", "target", "decimal", "right"),
    [
        ("1,234.5", "1234.50", ".", True),
        ("1.234,5", "1234,50", ",", True),
        ("1 234,5", "1234,50", ",", True),
        ("1.234", "1234", ",", True),
        ("1.234", "1234", ".", False),
        ("1,5", "1.5", ".", False),
        ("-1", "1", ".", False),
        ("\u22121", "-1", ".", True),
        (".5", "0.5", ".", True),
        ("**42**.", "42", ".", True),
        ("50%", "50 %", ".", True),
        ("50", "50%", ".", False),
        ("$5", "5", ".", False),
        ("-$5", "$-5", ".", True),
        ("1e3", "1000", ".", True),
        ("42 or 43", "42", ".", False),
        ("about 42", "42", ".", False),
        ("", "0", ".", False),
        ("none", "0", ".", False),
        ("1,23", "123", ".", False),
    ],
)
def test_a_number_is_read_with_the_decimal_sign_that_was_stated(
    output: str, target: str, decimal: str, right: bool
) -> None:
    assert number(output, target, decimal) is right


@pytest.mark.parametrize(
    ("output", "tolerance", "right"),
    [("101", "1", True), ("101.01", "1", False), ("101", "1 %", True), ("101.1", "1%", False), ("100.1", "", False)],
)
def test_a_tolerance_is_a_number_or_a_share(output: str, tolerance: str, right: bool) -> None:
    assert number(output, "100", tolerance=tolerance) is right


@pytest.mark.parametrize(
    ("options", "sentence"),
    [({}, "Fill in"), ({"decimal": "x"}, "Type . "), ({"decimal": ".", "tolerance": "-1"}, "a share like 1 %")],
)
def test_a_number_needs_its_decimal_sign_and_a_sensible_tolerance(options: dict[str, str], sentence: str) -> None:
    with pytest.raises(Invalid) as refused:
        metrics.checked("number_match", options)

    assert sentence in refused.value.errors[0].detail


def test_the_decimal_sign_may_be_said_in_words() -> None:
    assert metrics.checked("number_match", {"decimal": "Comma"}) == {"decimal": ","}
