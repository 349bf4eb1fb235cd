"""What holds for every template: lines that can be read, no sums, and words that agree with their numbers."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path

import pytest
from jinja2 import Environment, nodes

from app.web import pages
from app.wording import inflect, plural

LONGEST = 160
SUMS = (nodes.Add, nodes.Sub, nodes.Mul, nodes.Div, nodes.FloorDiv, nodes.Mod, nodes.Pow)
STEPS = {"_pager.html"}  # the page before this one and the page after it
FORMS: dict[str, Callable[..., str]] = {"plural": plural, "inflect": inflect}
NUMBERS = {"count", "length", "beyond"}  # filters whose result is a number of things

PARSER = Environment(trim_blocks=True, lstrip_blocks=True, autoescape=True)
TEMPLATES = {str(path.relative_to(pages.TEMPLATES)): path for path in sorted(pages.TEMPLATES.rglob("*.html"))}


@cache
def parsed(path: Path) -> nodes.Template:
    return PARSER.parse(path.read_text())


def test_no_line_is_too_long_to_be_read() -> None:
    """The linter's own limit looks at tags and not at the text between them."""
    long = [
        f"{name}:{number}"
        for name, path in TEMPLATES.items()
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if len(line) > LONGEST
    ]

    assert long == []


def test_templates_do_no_sums() -> None:
    """Numbers are worked out by view code, where a test can reach them."""
    sums = [
        f"{name}:{found.lineno}"
        for name, path in TEMPLATES.items()
        if name not in STEPS
        for found in parsed(path).find_all(SUMS)
    ]

    assert sums == []


# ------------------------------------------------------------------ sentences with numbers


INLINE = r"</?(?:a|b|code)\b[^>]*>"  # tags inside a sentence; the others end one


def sentences(template: nodes.Template, number: int) -> list[str]:
    """What a template says where all its numbers are this one, each branch for itself, without its tags."""
    said: list[str] = []
    rest: list[Sequence[nodes.Node]] = [template.body]
    while rest:
        text = re.sub(INLINE, "", "".join(_read(rest.pop(), number, rest)))
        said += [" ".join(part.split()) for part in re.split(r"<[^>]*>|(?<=[.!?:;])\s", text)]
    return said


def _read(body: Iterable[nodes.Node], number: int, rest: list[Sequence[nodes.Node]]) -> Iterator[str]:
    """The first branch of what is chosen between; the others go to `rest`."""
    for node in body:
        if isinstance(node, nodes.Output):
            yield from (_word(one, number) for one in node.nodes)
        elif isinstance(node, nodes.If):
            rest += [node.else_, *(other.body for other in node.elif_)]
            yield from _read(node.body, number, rest)
        elif isinstance(node, nodes.For):
            rest.append(node.else_)
            yield from _read(node.body, number, rest)
        elif isinstance(node, nodes.Macro | nodes.Block | nodes.CallBlock | nodes.With | nodes.AssignBlock):
            rest.append(node.body)


def _word(node: nodes.Node, number: int) -> str:
    """An expression in words; what is neither a number nor a text of ours is `it`."""
    if isinstance(node, nodes.TemplateData | nodes.Const):
        return str(node.data if isinstance(node, nodes.TemplateData) else node.value)
    if isinstance(node, nodes.Concat):
        return "".join(_word(one, number) for one in node.nodes)
    if isinstance(node, nodes.CondExpr):
        one = isinstance(node.test, nodes.Compare) and node.test.ops[0].expr == nodes.Const(1)
        return _word(node.expr2 if one and number != 1 and node.expr2 else node.expr1, number)
    if isinstance(node, nodes.Filter):
        if node.name in NUMBERS:
            return str(number)
        if node.name in FORMS:
            return FORMS[node.name](number, *(_word(one, number) for one in node.args))
    return "it"


def counted() -> set[tuple[str, str]]:
    """What is counted anywhere, in its two forms: row, rows."""
    found = {("character", "characters"), ("point", "points")}
    for path in TEMPLATES.values():
        for one in parsed(path).find_all(nodes.Filter):
            if one.name == "plural":
                first, *more = (_word(word, 1).split()[-1] for word in one.args)
                found.add((first, more[0] if more else first + "s"))
    return {(first, many) for first, many in found if first != many}


COUNTED = counted()
ONE = "|".join(sorted(first for first, _ in COUNTED))
MANY = "|".join(sorted(many for _, many in COUNTED))
# Up to two words may stand between a number and what it counts, or what it does: 1 more test row. What is counted may
# name a kind of rows, too: 2 training rows.
BETWEEN = rf"(?: (?!(?:{ONE}|{MANY}|that|with)\b)[a-z-]+){{0,2}}?"
DISAGREEING = {
    0: rf"\b0{BETWEEN} (?:{ONE}|is|was|has)\b(?! rows)",
    1: rf"\b1{BETWEEN} (?:{MANY}|are|were|have)\b",
    2: rf"\b2{BETWEEN} (?:{ONE}|is|was|has)\b(?! rows)",
}


def test_every_macro_that_is_imported_is_there() -> None:
    """A template that takes a name from a file which has it no more breaks when it is shown, and not before."""
    made = {
        name: {node.name for node in parsed(path).body if isinstance(node, nodes.Macro)}
        | {
            node.target.name
            for node in parsed(path).body
            if isinstance(node, nodes.Assign) and isinstance(node.target, nodes.Name)
        }
        for name, path in TEMPLATES.items()
    }
    lost = [
        f"{name}: {macro} of {taken.template.value}"
        for name, path in TEMPLATES.items()
        for taken in parsed(path).find_all(nodes.FromImport)
        for macro in (one if isinstance(one, str) else one[0] for one in taken.names)
        if isinstance(taken.template, nodes.Const) and macro not in made[taken.template.value]
    ]

    assert lost == []


@pytest.mark.parametrize("number", DISAGREEING)
def test_words_agree_with_their_numbers(number: int) -> None:
    wrong = [
        f"{name}: {sentence}"
        for name, path in TEMPLATES.items()
        for sentence in sentences(parsed(path), number)
        if re.search(DISAGREEING[number], sentence)
    ]

    assert wrong == []


@pytest.mark.parametrize(
    ("source", "number", "text"),
    [
        ("{{ arms|length }} arms run", 1, "1 arms run"),
        ("<b>{{ rows|count }}</b> rows {{ 'is' if rows == 1 else 'are' }} left", 1, "1 rows is left"),
        ("{% if x %}{{ rows|plural('row') }} left{% else %}none{% endif %}", 0, "0 rows left"),
        ("{{ open|plural('criterion is', 'criteria are') }} open", 2, "2 criteria are open"),
    ],
)
def test_sentences_are_read_with_their_numbers(source: str, number: int, text: str) -> None:
    assert text in sentences(PARSER.parse(source), number)
