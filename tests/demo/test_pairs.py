"""The worked example's data: made-up packages first, then what is installed here."""

import json
import sys
from pathlib import Path

import pytest

from app.demo import pairs
from app.evaluation import metrics

DOCUMENTED = '''
class Timer:
    def start(self, label: str, limit: float = 1.0) -> bool:
        """Start measuring time. Stops by itself.

        Some history that nobody needs.

        Args:
            label (`str`, *optional*, defaults to `"run"`):
                The name under which the time is kept. It is
                shown in the report.
            limit (dict(int, Tuple[str, (int)]), optional): seconds after which it stops

        Returns:
            `bool`: whether it was started. False otherwise.

        Raises:
            ValueError: if it runs already.
        """
'''


def _made_up(folder: Path, name: str, text: str) -> None:
    package = folder / name
    package.mkdir()
    (package / "__init__.py").write_text("raise RuntimeError('nobody may import this')\n", encoding="utf-8")
    (package / "code.py").write_text(text, encoding="utf-8")


def _completion(function: str) -> str | None:
    found = list(pairs.of_source(function, "made.up"))
    return found[0].completion if found else None


def test_a_docstring_is_brought_to_the_house_style() -> None:
    (pair,) = pairs.of_source(DOCUMENTED, "made.up")

    assert pair.prompt == (
        "Write the docstring for: class Timer: def start(self, label: str, limit: float=1.0) -> bool"
    )
    assert pair.completion == (
        "Start measuring time.\n\n"
        "Args:\n"
        "    label: The name under which the time is kept.\n"
        "    limit: seconds after which it stops.\n\n"
        "Returns:\n"
        "    whether it was started."
    )
    assert pair.source == "made.up:3"


FUNCTION = '''
def scale({signature}:
    """Multiply every one of the given values by the same factor.

    Args:
{entries}

    Returns:
        Tensor: The scaled values.
    """
'''


@pytest.mark.parametrize(
    ("signature", "entries"),
    [
        ("values, factor) -> int", "        values: The values."),  # one forgotten
        ("values) -> int", "        values: The values.\n        factor: The factor."),  # one invented
        ("values, factor) -> int", "        factor: The factor.\n        values: The values."),  # another order
        ("values, *rest) -> int", "        values: The values."),  # who knows what is in the rest
        ("values) -> int", "        - values: The values."),  # not an entry
        ("values) -> int", "        values:"),  # no meaning
        ("values) -> int", "        values: The values as in >>> scale([1])"),
    ],
)
def test_what_cannot_be_brought_there_is_left_out(signature: str, entries: str) -> None:
    assert _completion(FUNCTION.format(signature=signature, entries=entries)) is None


def test_returns_stands_exactly_where_the_signature_says_so() -> None:
    entries = "        values: The values."

    assert "Returns:\n    The scaled values." in (
        _completion(FUNCTION.format(signature="values) -> int", entries=entries)) or ""
    )
    for silent in ("values)", "values) -> None"):
        assert "Returns" not in (_completion(FUNCTION.format(signature=silent, entries=entries)) or "Returns")


def test_a_function_that_returns_without_saying_what_is_left_out() -> None:
    text = FUNCTION.format(signature="values) -> int", entries="        values: The values.")

    assert _completion(text.replace("Returns:", "Yields:")) is None


def test_a_file_that_is_not_python_adds_nothing() -> None:
    assert list(pairs.of_source("def {{ name }}(", "made.up")) == []


def test_of_nearly_the_same_questions_the_first_is_kept() -> None:
    rows = [
        pairs.Pair("def forward(self, hidden_states, attention_mask)", "one", ""),
        pairs.Pair("def forward(self,  Hidden_states, attention_mask)", "two", ""),
        pairs.Pair("def backward(self, gradient)", "three", ""),
    ]

    assert [row.completion for row in pairs.different(rows)] == ["one", "three"]


def test_packages_are_read_and_never_imported(tmp_path: Path) -> None:
    _made_up(tmp_path, "made_up_for_pairs", DOCUMENTED)
    sys.path.insert(0, str(tmp_path))
    try:
        rows = pairs.build(("made_up_for_pairs", "not_installed_anywhere"))
    finally:
        sys.path.remove(str(tmp_path))

    assert [row.source for row in rows] == ["made_up_for_pairs.code:3"]
    assert "made_up_for_pairs" not in sys.modules


def test_rows_are_written_as_the_upload_takes_them() -> None:
    (line,) = pairs.jsonl([pairs.Pair("a question", "an answer", "here:1")])

    assert json.loads(line) == {"prompt": "a question", "completion": "an answer"}


@pytest.mark.torch
@pytest.mark.parametrize(
    ("packages", "least"),
    [
        pytest.param(("peft", "accelerate"), 30, marks=pytest.mark.deep),
        # G1 asks for 1,000 besides the test rows, which are a fifth; the rest is room for versions.
        pytest.param(pairs.PACKAGES, 1375, marks=pytest.mark.deep),
    ],
    ids=["two of them", "all"],
)
def test_the_installed_packages_hold_enough_for_the_real_policy(packages: tuple[str, ...], least: int) -> None:
    before = set(sys.modules)

    rows = pairs.build(packages)

    options = {"pattern": pairs.PATTERN}
    assert len(rows) >= least
    assert len({row.prompt for row in rows}) == len(rows)
    assert all(metrics.score("pattern", row.completion, row.completion, options) == 1.0 for row in rows)
    assert metrics.pattern_coverage(pairs.PATTERN, [row.completion for row in rows]) == 1.0
    assert not {"torch", "transformers"} & (set(sys.modules) - before)
