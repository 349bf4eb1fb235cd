"""What the examples themselves say about the job, before any model is asked (decision-rules F01, F07, F13, gate G2).

Three questions: what kind of answer is wanted, could a schema hold it, and do the answers hold knowledge that neither
the question nor the other examples give? The last is the one that matters most: facts are looked up, not trained.

How knowledge is told from behaviour, without a list of subjects or of question words:

- *Items* are names, numbers and dates, by their writing: digits, capitals inside a sentence, signs inside a word. Of
  JSON only the values count, of SQL only the literals.
- An item is *new* when it isn't in the input, and isn't *vocabulary*: something that several different answers use
  can be learnt from examples (label names, columns, class names); what one answer says alone can't. A fact that is
  asked for in five wordings is still one answer, so equal answers count once.
- *Uncovered* is the share of an answer's information that its input does not give, each word weighed by how few
  answers use it. Without lists of stop words, in any language; writing without blanks is taken in pairs of signs.
- What is asked: a question (a question mark in any script), or material to work on (code, JSON, long or of many lines),
  or a fixed instruction with something behind it. Material gives the answer its content; a bare question gives none.
- Where question and answer share no common words they are in two languages (a translation); then wording proves
  nothing, and new numbers alone count.

Thresholds are judgements, fitted to the shared sets and to a public tool's seventeen demo sets: see
`tests/datasets/test_signals.py`, which also asks the same of cut, lower-cased and translated versions of them.
"""

import ast
import re
import sqlite3
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from math import log
from typing import Any, Literal, Protocol

import orjson

from app.datasets import languages
from app.text import normal_form

Kind = Literal["label", "json", "sql", "code", "prose"]
KINDS: tuple[Kind, ...] = ("label", "json", "sql", "code", "prose")

SAMPLE = 2000  # rows looked at, evenly spread; shares of so many are right to 2 points
MOST_SIGNS = 8_000_000  # characters in all of them, so that long rows take no longer than short ones
FEW = 20  # rows below which nothing is said about knowledge
SHOWN = 0.05  # share from which on something is worth a sentence
LINES = 5  # named for each piece of evidence

MAIN = 0.8  # share of one kind from which on the file is of that kind
LABEL_SIGNS, LABEL_WORDS = 60, 5  # a label is a name, not a sentence
LABEL_REPEATS = 4  # rows for each different short answer, from which on they count as labels
SAME_QUESTION = 0.5
STOCK = 0.1  # by which questions with one answer are more alike than any, below which the answer is not about them
VOCABULARY = 3  # different answers that use an item make it vocabulary; in large files 1 % of them
CODE_SIGNS = 0.08  # share of brackets, operators and the like; prose has 1 to 3 %
ASKING = 0.5
FRAMED = 0.8  # share of inputs that begin with the same three words, from which on there is a fixed instruction
MATERIAL = 300  # characters of an input from which on it brings its own material
ONE_LANGUAGE = 0.3  # share of the commonest words of the answers that the inputs use as well,
SAID_ALIKE = 0.2  # or of how often they are said: answers of one make have few common words, but say them every time
ENOUGH_WORDS = 15  # below so many common words nothing is said about languages
UNCOVERED = 0.6
NEW, FRESH = 0.3, 0.25
NEARLY_ALL_NEW, SAYS_MORE = 0.8, 0.15  # a question said again with a name or number that nothing gives is a fact
BARE_NEW, BARE_UNCOVERED = 0.7, 0.8
NEW_UNASKED, FRESH_UNASKED = 0.5, 0.2  # where nothing is marked as a question more has to be new

# Vowel signs of the Indic scripts and of Thai are no letters to `re`, but parts of words all the same.
_LETTER = "(?:[^\\W_]|[\u0900-\u0dff\u0e00-\u0eff])"
_TOKEN = re.compile(f"{_LETTER}+(?:['\u2019-]{_LETTER}+)*")
_ACCENT = re.compile("[\u0300-\u036f\u064b-\u0652]")
_WIDE = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]+")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_ITEM = re.compile(r"[^\W_](?:[\w.:/'\u2019,-]*[^\W_])?")
_SPLIT = re.compile(r"[\W_]+")
# `?string` asks nothing. Japanese and Chinese ask by the last word as well, with a full stop or nothing behind it.
_ASKED = re.compile("[?\u037e](?=\\s|$|[\"'\u201d)])|[\uff1f\u061f\u055e\u1367]|[\u304b\u5417\u5462][\u3002\\s]*$")
_STARTS = ".!?:;\n\u2022\u3002\uff01\uff1f"
_IDENTIFIER = re.compile(r"[A-Za-z][A-Za-z0-9]*(?:[_./:-][A-Za-z0-9]+)+|[A-Z][A-Z0-9]+")
_LITERAL = re.compile(r"'((?:[^']|'')*)'|\"([^\"]*)\"|(?<![\w.])(\d+(?:\.\d+)?)(?![\w.])")
_VERB = re.compile(r"\s*(?:with|select|insert|update|delete|create|merge)\b", re.IGNORECASE)
_CLAUSE = re.compile(r"\b(?:FROM|INTO|SET|WHERE|JOIN|VALUES|TABLE|GROUP BY|ORDER BY|LIMIT)\b")
# How errors begin that speak of what a statement names and not of its grammar.
_UNDERSTOOD = ("no such", "not authorized", "access to", "misuse of", "wrong number", "ambiguous")
_FENCE = re.compile(r"(?<!`)`{3,}+[^`\n]*\n(.*?)```", re.DOTALL)
_COMMENT = re.compile(r"\s*(?:/\*\*?|\*/|\*\s|//|#!|<!--|--\s)")
_CODE_END = re.compile(r"[;{}\[\](),]\s*$|:\s*$")
_LINK = re.compile(r"\b(?:https?://|doi:|doi\.org/|arXiv:)\S+", re.IGNORECASE)
_REFERENCE = re.compile(
    r"(?:(?<!\w)|(?<=[a-z]{3}))\[(?:[1-9]\d{0,2}(?:\s*[,\u2013-]\s*\d{1,3})*|[A-Za-z][\w.-]*[#:]\s?\d+|[\w./-]+\.(?:md|html?|pdf|txt|rst|docx?))\]"
    r"|\((?:[A-Z][^()\d]{1,60},?\s+(?:19|20)\d\d[a-z]?)(?:,\s*p+\.\s*\d+)?\)"
    r"|\u00a7+\s?\d|\u3010[^\u3011]+\u3011"
)


class Texts(Protocol):
    """Rows by position: what is asked and what is answered."""

    def __len__(self) -> int: ...

    def pair(self, index: int) -> tuple[str, str]: ...


@dataclass(slots=True)
class _Row:
    """One row of the sample. items, words: of the part of the answer that may hold facts. fresh: share of its words
    that neither its input nor hardly any other answer has."""

    line: int
    asked: str
    answer: str
    kind: Kind
    value: Any = None
    items: frozenset[str] = frozenset()
    words: frozenset[str] = frozenset()
    new: bool = False
    fresh: float = 0.0
    uncovered: float = 0.0


def measure(texts: Texts, lines: Sequence[int], answers: Sequence[int]) -> dict[str, Any]:
    """The signals of a file, as they are stored in the report and given to the advice.

    lines: the line of each row; answers: a hash of each row's answer. Everything but `rows` and the distinct answers is
    taken from a sample of at most `SAMPLE` rows.
    """
    total = len(texts)
    distinct = len(set(answers))
    rows = _sample(texts, lines)
    _classify(rows)
    for row in rows:
        content = _content(row)
        row.items = frozenset(_items(content)) if row.kind != "label" else frozenset()
        row.words = frozenset(_words(content))
    told = _Told(rows)
    counts = Counter(row.kind for row in rows)
    shares = {kind: _round(counts[kind] / max(1, len(rows))) for kind in KINDS}
    schema = _schema(rows)
    output = next((kind for kind in KINDS if shares[kind] >= MAIN), "mixed") if rows else "prose"
    knowledge = told.knowledge()
    cites = [row for row in rows if _cites(row)]
    signals = {
        "rows": total,
        "sampled": len(rows),
        "output_kind": output,
        "kind_shares": {kind: share for kind, share in shares.items() if share},
        "distinct_answers": distinct,
        "distinct_share": _round(distinct / total) if total else 0.0,
        "novelty": told.novelty,
        "uncovered": told.uncovered,
        "questions": told.asking,
        "cites": _round(len(cites) / len(rows)) if rows else 0.0,
        "schema_share": _round(len(schema) / len(rows)) if rows else 0.0,
        "knowledge": knowledge,
        "goals": _goals(rows, output, knowledge, told),
    }
    signals["evidence"] = _evidence(signals, rows, told, cites, schema)
    return signals


def _sample(texts: Texts, lines: Sequence[int]) -> list[_Row]:
    """Rows evenly spread over the file, so that a sorted file does no harm."""
    total = len(texts)
    number = min(total, SAMPLE)
    rows: list[_Row] = []
    signs = 0
    for place in range(number):
        index = place * total // number
        asked, answer = texts.pair(index)
        rows.append(_Row(lines[index], asked, answer, "prose"))
        signs += len(asked) + len(answer)
        if signs > MOST_SIGNS and len(rows) >= FEW:
            break
    return rows


def _share(rows: Sequence[_Row], holds: Callable[[_Row], bool]) -> float:
    return _round(sum(1 for row in rows if holds(row)) / len(rows)) if rows else 0.0


def _round(share: float) -> float:
    return round(share, 3)


# ---------------------------------------------------------------------- the kind of answer
def _classify(rows: list[_Row]) -> None:
    with closing(sqlite3.connect(":memory:")) as grammar:
        grammar.set_authorizer(_nothing_but_reading)
        for row in rows:
            row.kind, row.value = _kind(row.answer, grammar)
    short = [row for row in rows if row.kind in ("prose", "code") and _could_be_label(row.answer)]
    different = {plain(row.answer) for row in short}
    names = sum(1 for row in short if _IDENTIFIER.fullmatch(row.answer.strip()))
    repeats = len(short) >= LABEL_REPEATS * len(different) and not _same_questions(short)
    if short and (repeats or names > MAIN * len(short)):
        for row in short:
            row.kind = "label"


def _same_questions(rows: Sequence[_Row]) -> bool:
    """Whether rows with one answer ask the same in other words: then the answer is a fact and no label."""
    return _alike(rows)[0] >= SAME_QUESTION


def _alike(rows: Sequence[_Row]) -> tuple[float, float]:
    """How alike two questions with one answer are in the middle, and how alike any two are.

    Each row is compared with the one before it that has its answer, and with the one just before it; words count by how
    few rows have them.
    """
    words = [_words(row.asked) for row in rows]
    users = Counter(word for one in words for word in one)

    def weight(some: set[str]) -> float:
        return sum(log((len(rows) + 1) / users[word]) for word in some)

    def likeness(one: set[str], other: set[str]) -> float:
        every = weight(one | other)
        return weight(one & other) / every if every else 1.0

    before: dict[str, set[str]] = {}
    same, near = [], []
    for place, (row, mine) in enumerate(zip(rows, words, strict=True)):
        answer = plain(row.answer)
        if other := before.get(answer):
            same.append(likeness(mine, other))
        if place and plain(rows[place - 1].answer) != answer:
            near.append(likeness(mine, words[place - 1]))
        before[answer] = mine
    return _middle(same), _middle(near)


def _nothing_but_reading(action: int, *_: object) -> int:
    allowed = (sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE)
    return sqlite3.SQLITE_OK if action in allowed else sqlite3.SQLITE_DENY


def _could_be_label(answer: str) -> bool:
    text = answer.strip()
    words = len(text.split())
    if len(text) > LABEL_SIGNS or "\n" in text or words > LABEL_WORDS:
        return False
    return words == 1 or not text.endswith((".", "!", "?", "\u3002"))


def _kind(answer: str, grammar: sqlite3.Connection) -> tuple[Kind, Any]:
    text = answer.strip()
    fence = _FENCE.search(text)
    if fence and len(fence.group(1)) > len(text) / 2:
        text = fence.group(1).strip()
    if text[:1] in "{[" and text[-1:] in "}]":
        try:
            value = orjson.loads(text)
        except orjson.JSONDecodeError:
            value = None
        if isinstance(value, dict | list):
            return "json", value
    if _is_sql(text, grammar):
        return "sql", None
    return ("code" if (fence and text != answer.strip()) or _is_code(text) else "prose"), None


def _is_sql(text: str, grammar: sqlite3.Connection) -> bool:
    """Whether a grammar accepts it, or, for other dialects, whether it has a statement's shape.

    The statement is compiled against an empty database and never run; that a table is missing is no fault of grammar.
    """
    if not _VERB.match(text) or len(text) > 20_000:
        return False
    try:
        grammar.execute("EXPLAIN " + text).close()
    except (sqlite3.Error, sqlite3.Warning, ValueError) as error:
        understood = str(error).startswith(_UNDERSTOOD)
    else:
        understood = True
    return understood or len(set(_CLAUSE.findall(text))) > 1


def _is_code(text: str) -> bool:
    """Whether most lines look like code or like a comment block, by their signs; Python by its grammar."""
    lines = [line for line in text.splitlines()[:200] if line.strip()]
    if not lines:
        return False
    if text.startswith(("/*", "<?php", "<!DOCTYPE", "<html", "<?xml", "#!")):
        return True
    marked = sum(1 for line in lines if _CODE_END.search(line) or _COMMENT.match(line) or line.startswith(("  ", "\t")))
    signs = sum(text.count(sign) for sign in "{}[]();=<>+*/\\|&$@#_")
    if len(lines) > 1 and marked >= 0.6 * len(lines) and signs >= 0.04 * len(text):
        return True
    if signs < CODE_SIGNS * len(text) or not any(sign in text for sign in "(=<{"):
        return False
    return len(lines) == 1 or marked >= len(lines) / 2 or _is_python(text)


def _is_python(text: str) -> bool:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # odd escapes in an answer are no concern of ours
            tree = ast.parse(text[:4000])
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return any(not isinstance(node, ast.Expr) or isinstance(node.value, ast.Call) for node in tree.body)


# ---------------------------------------------------------------------- words and items
def plain(text: str) -> str:
    """Without case and accents."""
    if text.isascii():
        return text.casefold()
    return _ACCENT.sub("", normal_form("NFKD", text)).casefold()


def _words(text: str) -> set[str]:
    found: set[str] = set()
    for token in _TOKEN.findall(_CAMEL.sub(" ", text.replace("_", " "))):
        word = plain(token)
        wide = _WIDE.findall(word)
        if not wide:
            found.add(word)
        for run in wide:
            found.update(run[at : at + 2] for at in range(max(1, len(run) - 1)))
    return found


def _items(text: str) -> set[str]:
    """Names, numbers and dates, by their writing."""
    found: set[str] = set()
    few = len(text.split()) <= LABEL_WORDS + 1
    matches = list(_ITEM.finditer(text))
    capitals = sum(1 for match in matches if match.group()[0].isupper())
    # German capitalises nouns and headings capitalise all; where so many words have one, it marks no name.
    marks_names = few or capitals <= max(3, 0.22 * len(matches))
    for place, match in enumerate(matches):
        token = match.group()
        if any(sign.isdigit() for sign in token):
            found.add(plain(token.replace(",", "") if token.replace(",", "").isdigit() else token))
            continue
        if len(token) < 2:
            continue
        if "_" in token or (not token[1:].islower() and token[1:] != token[1:].lower()):
            found.add(plain(token))
            continue
        if not token[0].isupper() or not marks_names:
            continue
        before = text[: match.start()].rstrip(" \t*\"'(`\u201c\u00ab[\\>-")
        starts = not before or before[-1] in _STARTS
        follows = place + 1 < len(matches) and matches[place + 1].group()[0].isupper()
        if not starts or (few and (follows or len(matches) == 1)):
            found.add(plain(token))
    return found


def _content(row: _Row) -> str:
    """The part of the answer that may hold facts."""
    if row.kind == "json":
        return "\n".join(_leaves(row.value))
    if row.kind == "sql":
        return "\n".join(one or two or three for one, two, three in _LITERAL.findall(row.answer))
    return row.answer


def _leaves(value: Any) -> list[str]:
    found: list[str] = []
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            waiting += one.values()
        elif isinstance(one, list):
            waiting += one
        elif isinstance(one, str):
            found.append(one)
        elif isinstance(one, int | float) and not isinstance(one, bool):
            found.append(str(one))
    return found


# ---------------------------------------------------------------------- knowledge or behaviour
class _Told:
    """What the inputs tell of the answers, over the whole sample."""

    def __init__(self, rows: list[_Row]) -> None:
        self.rows = rows
        self.free = [row for row in rows if row.kind in ("prose", "code", "json")]
        inputs = [_words(row.asked) for row in rows]
        self.one_language = _one_language(rows, inputs)
        users, item_users, different = _users(rows)
        # The same few answers to unlike questions are replies from a stock: which one fits can be learnt.
        self.stock = False
        if len(rows) >= LABEL_REPEATS * different:
            same, near = _alike(rows)
            self.stock = same < near + STOCK
        common = max(VOCABULARY, different // 100)
        for row, given in zip(rows, inputs, strict=True):
            flat = _SPLIT.sub("", plain(row.asked))
            stems = {word[:5] for word in given}
            new = [item for item in row.items if item_users[item] < common and not _given(item, flat)]
            row.new = any(self.one_language or any(sign.isdigit() for sign in item) for item in new)
            missing = [word for word in row.words if word[:5] not in stems and not (len(word) > 3 and word in flat)]
            weights = {word: log((different + 1) / max(1, users[word])) for word in row.words}
            weight = sum(weights.values())
            row.uncovered = sum(weights[word] for word in missing) / weight if weight else 0.0
            alone = max(1, different // 200)
            row.fresh = sum(1 for word in missing if users[word] <= alone) / len(row.words) if row.words else 0.0
        self.novelty = _share(rows, lambda row: row.new)
        self.uncovered = _round(_middle(row.uncovered for row in self.free))
        self.fresh = _middle(row.fresh for row in self.free)
        self.asking = _share(rows, lambda row: _ASKED.search(row.asked[-200:]) is not None)
        starts = Counter(" ".join(row.asked.split()[:3]) for row in rows)
        self.framed = starts.most_common(1)[0][1] / len(rows) > FRAMED if rows else False
        self.material = _share(rows, _brings_material)

    def knowledge(self) -> Literal["likely", "unclear", "unlikely"]:
        """Whether the answers hold facts that have to come from somewhere else."""
        if len(self.rows) < FEW:
            return "unclear"
        if len(self.free) < len(self.rows) / 2 or self.stock:
            return "unlikely"  # labels, queries, stock replies: what they name recurs, so examples teach it
        new = _share(self.free, lambda row: row.new)
        prose = _share(self.free, lambda row: row.kind == "prose")
        if prose < 0.5:  # JSON and code are made of vocabulary; only values that nothing gives speak against it
            values = [row for row in self.free if row.kind == "json"]
            return "unclear" if values and _share(values, lambda row: row.new) >= NEW_UNASKED else self._otherwise()
        return "likely" if self.one_language and self._looked_up(new) else self._otherwise()

    def _looked_up(self, new: float) -> bool:
        """Whether prose in the language of the question says what neither the question nor other answers give."""
        asked = self.asking >= ASKING
        if asked and new >= NEARLY_ALL_NEW and self.uncovered >= SAYS_MORE:
            return True
        if self.uncovered < UNCOVERED:
            return False
        if asked and (new >= NEW or self.fresh >= FRESH):
            return True
        if self.framed or self.material >= 0.5:
            return False
        fresh = self.fresh >= FRESH_UNASKED and (new >= NEW_UNASKED or self.fresh >= NEW_UNASKED)
        return fresh or (new >= BARE_NEW and self.uncovered >= BARE_UNCOVERED)

    def _otherwise(self) -> Literal["unclear", "unlikely"]:
        code = _share(self.free, lambda row: row.kind == "code")
        framed = self.framed and self.material + code >= 0.5
        return "unclear" if self.uncovered >= UNCOVERED and self.novelty >= NEW and not framed else "unlikely"


def _one_language(rows: Sequence[_Row], inputs: Sequence[set[str]]) -> bool:
    """Whether questions and answers are known to be in one language, or the answers' commonest words are in both."""
    known = [languages.of(" \n".join(text[:60] for text in texts), strict=True) for texts in _both(rows)]
    if known[0] and known[0] == known[1]:
        return True
    wanted: Counter[str] = Counter()
    for words in {row.words for row in rows}:
        wanted.update(word for word in words if not word.isdigit())
    given: Counter[str] = Counter()
    for one in inputs:
        given.update(one)
    common = [word for word, count in wanted.most_common(30) if count > 2]
    if len(common) < ENOUGH_WORDS:
        return True
    shared = [word for word in common if given[word] >= max(1, len(rows) // 200)]
    if len(shared) >= ONE_LANGUAGE * len(common):
        return True
    return sum(wanted[word] for word in shared) >= SAID_ALIKE * sum(wanted[word] for word in common)


def _both(rows: Sequence[_Row]) -> tuple[list[str], list[str]]:
    """Questions and answers of a few rows, evenly spread: as much as a language is told by."""
    few = rows[:: max(1, len(rows) // 20)]
    return [row.asked.strip() for row in few], [row.answer.strip() for row in few]


def _users(rows: Sequence[_Row]) -> tuple[Counter[str], Counter[str], int]:
    """How many different answers use a word and an item, and how many different answers there are.

    Values of JSON count in every row: a value that many rows have is vocabulary even where answers are few.
    """
    words: Counter[str] = Counter()
    items: Counter[str] = Counter()
    seen: set[str] = set()
    for row in rows:
        same = " ".join(plain(row.answer).split())
        fresh = same not in seen
        seen.add(same)
        if fresh:
            words.update(row.words)
        if fresh or row.kind == "json":
            items.update(row.items)
    return words, items, len(seen)


def _given(item: str, flat: str) -> bool:
    bare = _SPLIT.sub("", item)
    return not bare or bare in flat


def _brings_material(row: _Row) -> bool:
    text = row.asked.strip()
    return len(text) > MATERIAL or text.count("\n") > 2 or _is_code(text) or text[:1] in "{["


def _middle(values: Iterable[float]) -> float:
    ordered = sorted(values)
    return ordered[len(ordered) // 2] if ordered else 0.0


# ---------------------------------------------------------------------- what follows
def _schema(rows: Sequence[_Row]) -> list[_Row]:
    """The rows whose answer a schema would hold: labels, and JSON whose keys recur.

    Any of the keys may be left out, as in an address without a floor; a key that hardly any other row has is no field
    of a form but a value of its own row.
    """
    keys = [_keys(row.value) if row.kind == "json" else frozenset() for row in rows]
    counts = Counter(key for some in keys for key in some)
    enough = max(2, len(rows) // 50)
    return [
        row
        for row, some in zip(rows, keys, strict=True)
        if row.kind == "label" or (row.kind == "json" and all(counts[key] >= enough for key in some))
    ]


def _keys(value: Any) -> frozenset[str]:
    """The keys of an answer, or of the objects of a list; of a list of other things a sign for that."""
    if isinstance(value, dict):
        return frozenset(map(str, value))
    objects = [one for one in value if isinstance(one, dict)]
    return frozenset(f"[{key}" for one in objects for key in one) | (
        {"["} if len(objects) < len(value) else frozenset()
    )


def _cites(row: _Row) -> bool:
    if row.kind in ("label", "json", "sql", "code"):
        return False
    return _REFERENCE.search(row.answer) is not None or _LINK.search(row.answer) is not None


def _goals(rows: Sequence[_Row], output: str, knowledge: str, told: _Told) -> list[str]:
    """Goals of F01 that the answers suggest, the likeliest first."""
    if not rows:
        return []
    if output == "json":
        calls = _share(rows, lambda row: isinstance(row.value, dict) and {"name", "arguments"} <= set(row.value))
        copied = told.uncovered < 0.5
        first = "tools" if calls >= 0.5 else "extract" if copied else "classify"
        return [first, "format"]
    fixed: dict[str, list[str]] = {
        "label": ["classify"],
        "sql": ["tools", "format"],
        "code": ["format", "style", "terms"],
    }
    if output in fixed:
        return fixed[output]
    if output != "prose":
        return []
    if knowledge == "likely":
        return ["facts"]
    return (
        ["style", "terms", "general"] if told.framed and told.uncovered >= UNCOVERED else ["general", "style", "terms"]
    )


_KIND_WORDS = {
    "label": "labels: short names that repeat",
    "json": "JSON",
    "sql": "SQL",
    "code": "code or a comment block",
    "prose": "prose",
}


def _evidence(
    signals: dict[str, Any], rows: Sequence[_Row], told: _Told, cites: Sequence[_Row], schema: Sequence[_Row]
) -> list[dict[str, Any]]:
    """One sentence for each thing found, with its share and the first lines that show it."""
    return [
        {"signal": signal, "text": text, "share": share, "lines": [row.line for row in of[:LINES]]}
        for signal, text, share, of in (
            *_form(signals, rows, schema),
            *_knowledge(signals, rows, told),
            *_sources(signals, cites),
        )
    ]


_Said = Iterator[tuple[str, str, float, Sequence[_Row]]]


def _form(signals: dict[str, Any], rows: Sequence[_Row], schema: Sequence[_Row]) -> _Said:
    if not rows:
        return
    kinds = sorted(signals["kind_shares"].items(), key=lambda entry: -entry[1])
    named = ", ".join(f"{_percent(share)} {_KIND_WORDS[kind]}" for kind, share in kinds)
    yield "output_kind", f"Answers are {named}.", kinds[0][1], [row for row in rows if row.kind == kinds[0][0]]
    total, distinct = signals["rows"], signals["distinct_answers"]
    if total >= FEW and signals["distinct_share"] <= 1 / LABEL_REPEATS:
        text = f"{total:,} rows have {distinct:,} different answers"
        if signals["output_kind"] == "label":
            text += ": a small classifier may be enough."
        else:
            text += ": the same few facts, asked in other words." if signals["novelty"] >= NEW else "."
        yield "distinct_answers", text, signals["distinct_share"], rows
    if schema:
        share = signals["schema_share"]
        yield (
            "schema_share",
            f"A schema check would hold {_percent(share)} of the answers to their shape.",
            share,
            schema,
        )


def _knowledge(signals: dict[str, Any], rows: Sequence[_Row], told: _Told) -> _Said:
    if told.novelty >= SHOWN:
        text = f"{_percent(told.novelty)} of the answers hold names, numbers or dates that are neither in their input"
        yield "novelty", f"{text} nor used by several other answers.", told.novelty, [row for row in rows if row.new]
    if not told.one_language:
        yield "languages", "Questions and answers share hardly a word: they are in two languages.", 1.0, rows
    elif told.free and signals["output_kind"] not in ("label", "sql"):
        text = f"In the middle, {_percent(told.uncovered)} of what an answer says is not in its input."
        if signals["knowledge"] == "likely":
            text += " This looks like facts, and facts are better looked up than trained."
        yield "uncovered", text, told.uncovered, sorted(told.free, key=lambda row: -row.uncovered)


def _sources(signals: dict[str, Any], cites: Sequence[_Row]) -> _Said:
    if (share := signals["cites"]) >= SHOWN:
        text = f"{_percent(share)} of the answers point to a source: a link, a number in brackets, a section."
        yield "cites", text, share, cites


def _percent(share: float) -> str:
    return f"{100 * share:.0f}%"
