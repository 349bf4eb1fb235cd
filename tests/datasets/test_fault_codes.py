"""Each code that reading and the check give has its sentence, with room for the values given; no sentence is idle."""

import ast
import inspect
from collections.abc import Iterator, Mapping
from pathlib import Path
from string import Formatter

import pytest

from app.datasets.checks import message_words
from app.datasets.reading import fault_words
from app.wording import Template

ROOM = Path(inspect.getfile(fault_words)).parents[1]


def given(folder: str) -> Iterator[tuple[str, frozenset[str] | None]]:
    """Each code in the calls of `state`, with the names of its values; None where some come from a variable."""
    for file in sorted((ROOM / folder).glob("*.py")):
        for call in ast.walk(ast.parse(file.read_text())):
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "state":
                first = call.args[0]
                choices = [first.body, first.orelse] if isinstance(first, ast.IfExp) else [first]
                names = frozenset(value.arg for value in call.keywords if value.arg is not None)
                for choice in choices:
                    if isinstance(choice, ast.Constant) and isinstance(choice.value, str):
                        yield choice.value, names if len(names) == len(call.keywords) else None


def takes(sentence: Template) -> tuple[set[str], set[str]]:
    """The values that a sentence needs, and those that it may have."""
    if isinstance(sentence, str):
        names = {name for _, name, _, _ in Formatter().parse(sentence) if name}
        return names, names
    parameters = inspect.signature(sentence).parameters.values()
    return {item.name for item in parameters if item.default is item.empty}, {item.name for item in parameters}


@pytest.mark.parametrize(
    ("folder", "sentences", "by_variable"),
    [
        ("reading", fault_words.SENTENCES, set()),
        # Of `row_warnings` and `gathering`, which give them to a function first.
        (
            "checks",
            message_words.SENTENCES,
            {"control", "wrong_encoding", "lost_letter", "chat_template", "formula", "invisible", "markup"},
        ),
    ],
)
def test_codes_and_sentences_fit(folder: str, sentences: Mapping[str, Template], by_variable: set[str]) -> None:
    codes = list(given(folder))

    assert {code for code, _ in codes} | by_variable == set(sentences)
    for code, names in codes:
        needed, allowed = takes(sentences[code])
        assert names is None or needed <= names <= allowed, code
