"""A real data set made of what is installed here: signature of a function -> docstring in one house style.

torch, transformers, peft and accelerate write Google style docstrings. Their source files lie in the
environment that runs the worked example, so nothing is downloaded. They are found and parsed, never imported. What one
run of it read and measured is kept in `finished_example`, whose README names their licences.

The words are theirs; the form is brought to one short style, the same for every row:

1. One sentence that says what the function does.
2. `Args:`, and under it every parameter of the signature, in its order and no other: `    name: Sentence.`
   Types stand in the signature and are not said twice.
3. `Returns:` and one sentence, exactly where the signature says that something comes back.

Everything else (examples, notes, `Raises:`) is cut, because nobody could know it from the signature. A
docstring that does not document exactly the parameters of its signature, in order, is left out and not repaired:
every reference has to pass its own check.
"""

import ast
import importlib.util
import inspect
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import orjson

from app.text import normal_form

PACKAGES = ("torch", "transformers", "peft", "accelerate")
ASK = "Write the docstring for: "

# For the `pattern` metric: headings and documented names, all of them, in the order of the reference. Who
# invents a parameter, forgets one, repeats one, or adds `Returns:` where nothing comes back, fails.
PATTERN = r"(?m)^(Args|Returns|Raises|Yields):|^    (\w+)(?: \(|:)"

# Characters. Longer rows would not teach more about the form, only make the example run longer.
SHORTEST, LONGEST = 60, 320
LONGEST_SIGNATURE = 160
ALIKE = 0.8  # share of character 5-grams in common from which two questions are the same row (gate G1)

_HEADING = re.compile(r"^(\w[\w ]{0,30}):{1,2}[ \t]*$", re.MULTILINE)
_PARAGRAPH = re.compile(r"\n\s*\n")
_DEDENT = re.compile(r"\n(?=\S)")  # the first line that is not indented ends a section
# name (a type, with up to two levels of brackets inside): what it means
_ENTRY = re.compile(r"(\w+)\s*(?:\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\))?\s*:(?:\s+(.*))?", re.DOTALL)
_TYPE = re.compile(r"[\w.]+(?:\[.*\])?(?: \| [\w.]+)*|.*`.*")
_SENTENCE = re.compile(r".+?[.!?](?=\s+[A-Z`\[\d(]|$)")
_CODE = re.compile(r">>>|```|\.\. |::|^ *\|", re.MULTILINE)

_Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True)
class Pair:
    """One row. source: module and line where the docstring stands, for whoever wants to look."""

    prompt: str
    completion: str
    source: str


def build(packages: Sequence[str] = PACKAGES) -> list[Pair]:
    """All rows, in the same order for the same installed packages; a package that is missing adds none."""
    return different(pair for package in packages for pair in of_package(package))


def jsonl(pairs: Iterable[Pair]) -> Iterator[bytes]:
    """The rows as the upload takes them, one line each."""
    for pair in pairs:
        yield orjson.dumps({"prompt": pair.prompt, "completion": pair.completion}) + b"\n"


def of_package(package: str) -> Iterator[Pair]:
    """The rows of one installed package, read from its source files."""
    spec = importlib.util.find_spec(package)
    for root in (spec.submodule_search_locations or ()) if spec else ():
        for path in sorted(Path(root).rglob("*.py")):
            text = path.read_text(encoding="utf-8", errors="replace")
            if "Args:\n" in text:  # parsing is the slow part, and most files have none
                module = ".".join(path.relative_to(Path(root).parent).with_suffix("").parts)
                yield from of_source(text, module)


def of_source(text: str, module: str) -> Iterator[Pair]:
    """One row for each function in a file that is documented in the house style; none if it is not Python."""
    try:
        tree = ast.parse(text)
    except SyntaxError:  # a template with a .py name
        return
    for owner, function in _functions(tree):
        signature = _signature(owner, function)
        doc = ast.get_docstring(function)
        completion = house_style(doc, function) if doc else None
        if completion and len(signature) <= LONGEST_SIGNATURE:
            yield Pair(ASK + signature, completion, f"{module}:{function.lineno}")


def house_style(doc: str, function: _Function) -> str | None:
    """The docstring in our short form; None when it cannot be brought there without changing what it says."""
    opening, *rest = _HEADING.split(doc)
    sections = dict(zip(rest[::2], rest[1::2], strict=True))
    summary = _sentence(opening)
    entries = list(_entries(sections.get("Args", "")))
    if not (summary and entries and [name for name, _ in entries] == _parameters(function)):
        return None
    parts = [summary, "Args:\n" + "\n".join(f"    {name}: {meaning}" for name, meaning in entries)]
    if _returns(function):
        returned = _sentence(_without_type(_flat(_body(sections.get("Returns", "")))))
        parts.append(f"Returns:\n    {returned}")
        if not returned:
            return None
    text = "\n\n".join(parts)
    fits = SHORTEST <= len(text) <= LONGEST and all(meaning for _, meaning in entries)
    return text if fits and not _CODE.search(text) else None


def different(pairs: Iterable[Pair]) -> list[Pair]:
    """Keep the first of all rows that ask nearly the same.

    The many `forward(self, hidden_states)` of a model library have as many answers: kept, they would be
    contradictions, and on both sides of the split they would be a leak.
    """
    kept: list[Pair] = []
    sizes: list[int] = []
    having: defaultdict[str, list[int]] = defaultdict(list)
    for pair in pairs:
        grams = _grams(pair.prompt)
        common = Counter(row for gram in grams for row in having[gram])
        if any(both >= ALIKE * (len(grams) + sizes[row] - both) for row, both in common.items()):
            continue
        for gram in grams:
            having[gram].append(len(kept))
        kept.append(pair)
        sizes.append(len(grams))
    return kept


def _functions(tree: ast.AST, owner: str = "") -> Iterator[tuple[str, _Function]]:
    """Every function with the class it belongs to, inner ones too."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, _Function):
            yield owner, node
        inside = node.name if isinstance(node, ast.ClassDef) else "" if isinstance(node, _Function) else owner
        yield from _functions(node, inside)


def _signature(owner: str, function: _Function) -> str:
    word = "async def" if isinstance(function, ast.AsyncFunctionDef) else "def"
    back = f" -> {ast.unparse(function.returns)}" if function.returns else ""
    line = f"{word} {function.name}({ast.unparse(function.args)}){back}"
    return f"class {owner}: {line}" if owner else line


def _parameters(function: _Function) -> list[str] | None:
    """The names that have to be documented; None with `*args` or `**kwargs`, which could be anything."""
    arguments = function.args
    if arguments.vararg or arguments.kwarg:
        return None
    names = [argument.arg for argument in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)]
    return names[1:] if names[:1] in (["self"], ["cls"]) else names


def _returns(function: _Function) -> bool:
    return function.returns is not None and ast.unparse(function.returns) != "None"


def _entries(section: str) -> Iterator[tuple[str, str]]:
    """Name and first sentence of each entry; nothing at all if a line cannot be placed."""
    body = _body(section)
    margin = len(body) - len(body.lstrip())
    entries = [_ENTRY.fullmatch(inspect.cleandoc(entry)) for entry in re.split(rf"\n(?= {{{margin}}}\S)", body)]
    if margin and all(entries):
        yield from ((entry[1], _sentence(entry[2] or "")) for entry in entries if entry)


def _body(section: str) -> str:
    return _DEDENT.split(section.strip("\n").rstrip(), maxsplit=1)[0]


def _flat(text: str) -> str:
    return " ".join(_PARAGRAPH.split(text.strip(), maxsplit=1)[0].split())


def _without_type(text: str) -> str:
    """What is said after `torch.Tensor:` or the like, which the signature says already."""
    kind, colon, meaning = text.partition(": ")
    return meaning if colon and _TYPE.fullmatch(kind) else text


def _sentence(text: str) -> str:
    """The first sentence on one line, with its full stop; empty if there is none."""
    flat = _flat(text)
    first = _SENTENCE.match(flat)
    sentence = (first[0] if first else flat).rstrip(":;, ")
    return sentence if not sentence or sentence[-1] in ".!?" else f"{sentence}."


def _grams(text: str) -> frozenset[str]:
    folded = " ".join(normal_form("NFKC", text).casefold().split())
    return frozenset(folded[at : at + 5] for at in range(max(1, len(folded) - 4)))
