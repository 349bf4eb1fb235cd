"""Names in the code are the field's words: none of a list of idioms comes back as a public name."""

import ast
import re
from collections.abc import Iterator

from tests.support.places import ROOT

# What each of these was is in the README ("Words in the code"): each named no thing, or half a dozen different ones.
BANNED = {"found", "said", "told", "shown", "desk", "veil"}


def public_names(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Classes, functions, methods, fields, constants and parameters that other files can see, with their lines."""
    for node in tree.body:
        yield from _of(node)
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            for inner in node.body:
                yield from _of(inner)


def _of(node: ast.stmt) -> Iterator[tuple[int, str]]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        if not node.name.startswith("_") or node.name == "__init__":
            yield node.lineno, node.name
            arguments = node.args
            yield from ((each.lineno, each.arg) for each in (*arguments.args, *arguments.kwonlyargs))
    elif isinstance(node, ast.ClassDef):
        yield node.lineno, node.name
    elif isinstance(node, ast.Assign):
        yield from ((node.lineno, each.id) for each in node.targets if isinstance(each, ast.Name))
    elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        yield node.lineno, node.target.id


def banned(source: str) -> list[tuple[int, str]]:
    return [(line, name) for line, name in public_names(ast.parse(source)) if name.casefold() in BANNED]


def test_the_rule_sees_every_kind_of_public_name() -> None:
    source = (
        "found = 1\nclass Desk:\n    said: int\n    def told(self, shown): ...\n"
        "def _hidden(veil): ...\ndef open(veil): ...\n"
    )

    assert banned(source) == [(1, "found"), (2, "Desk"), (3, "said"), (4, "told"), (4, "shown"), (6, "veil")]


def test_no_public_name_is_an_idiom_of_our_own() -> None:
    files = sorted((ROOT / "app").rglob("*.py"))
    wrong = [
        f"{path.relative_to(ROOT)}:{line} {name}"
        for path in files
        for line, name in banned(path.read_text(encoding="utf-8"))
    ]
    modules = [str(path.relative_to(ROOT)) for path in files if path.stem in BANNED]

    assert len(files) > 200
    assert wrong + modules == []


def test_the_glossary_names_modules_that_are_there_and_terms_that_stand_in_them() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    table = readme.partition("## Words in the code\n")[2].partition("\n## ")[0]
    entries = [line.strip("| ").split(" | ") for line in table.splitlines() if line.startswith("| ")][2:]

    wrong = []
    for terms, _, places in entries:
        text = "".join((ROOT / path).read_text(encoding="utf-8") for path in re.findall(r"`(app/[^`]+)`", places))
        wrong += [term for term in terms.split(", ") if term.split()[0] not in text.casefold()]

    assert len(entries) > 20
    assert wrong == []
