"""Which metric is suggested for which answers."""

import json

import pytest

from app.evaluation import metrics
from app.evaluation.suggestions import suggest

LONG = (
    "The parcel {0} left the depot in the morning and went by road to the port, where it waited for two days because "
    "of the weather before a ship took it on, which is why the customer heard nothing until the fourth day of the week."
)
QUERY = "SELECT name FROM t WHERE id = ?"
DOCSTRING = "Adds {0}.\n\nArgs:\n    a: one\n    b: two\n\nReturns:\n    The sum."

GOLDEN: dict[str, tuple[list[str], str, dict[str, str]]] = {
    "labels": (["refund", "bug", "other", "refund"] * 10, "normalised_match", {}),
    "numeric labels": (["0", "1"] * 20, "normalised_match", {}),
    "JSON": ([json.dumps({"id": n, "to": {"city": f"c{n}"}}) for n in range(30)], "json_fields", {}),
    "SQL": ([QUERY.replace("?", str(n)) for n in range(30)], "sql_result", {}),
    "numbers with a point": ([f"{n}.5" for n in range(40)], "number_match", {"decimal": "."}),
    "numbers with a comma": ([f"{n},25" for n in range(40)], "number_match", {"decimal": ","}),
    "short answers": ([f"the {n} green lamps" for n in range(40)], "token_f1", {}),
    "long prose": ([LONG.format(n) for n in range(30)], "rouge_l", {}),
    "a script without blanks": ([f"東京都庁の第{n}本庁舎は新宿区にあります" for n in range(30)], "chrf", {}),
    "docstrings": ([DOCSTRING.format(n) for n in range(30)], "docstring", {}),
}


@pytest.mark.parametrize("kind", GOLDEN)
def test_the_first_suggestion_fits_and_says_why(kind: str) -> None:
    answers, metric, options = GOLDEN[kind]

    suggested = suggest(answers)

    assert (suggested[0].metric, dict(suggested[0].options), suggested[0].decides) == (metric, options, True)
    assert len({one.metric for one in suggested}) == len(suggested)
    for one in suggested:
        assert one.why.endswith(".")
        assert metrics.get(one.metric)
        needs = {option.name for option in metrics.get(one.metric).options if option.required} - {"database"}
        assert needs <= set(one.options)


def test_one_label_that_most_rows_have_is_a_reason_to_look_at_macro_f1() -> None:
    (first, *_) = suggest(["no"] * 30 + ["yes"] * 10)

    assert "75 % are “no”" in first.why
    assert "macro-F1" in first.why
    assert suggest(["", "  "]) == ()
