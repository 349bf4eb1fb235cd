"""What kind of answer one is: JSON by its reader, SQL by a grammar, code by its signs, and what could be a label."""

import ast
import re
import sqlite3
import warnings
from typing import Literal

import orjson

Kind = Literal["label", "json", "sql", "code", "prose"]
KINDS: tuple[Kind, ...] = ("label", "json", "sql", "code", "prose")

LABEL_SIGNS, LABEL_WORDS = 60, 5  # a label is a name, not a sentence
CODE_SIGNS = 0.08  # share of brackets, operators and the like; prose has 1 to 3 %

_VERB = re.compile(r"\s*(?:with|select|insert|update|delete|create|merge)\b", re.IGNORECASE)
_CLAUSE = re.compile(r"\b(?:FROM|INTO|SET|WHERE|JOIN|VALUES|TABLE|GROUP BY|ORDER BY|LIMIT)\b")
# How errors begin that speak of what a statement names and not of its grammar.
_UNDERSTOOD = ("no such", "not authorized", "access to", "misuse of", "wrong number", "ambiguous")
_FENCE = re.compile(r"(?<!`)`{3,}+[^`\n]*\n(.*?)```", re.DOTALL)
_COMMENT = re.compile(r"\s*(?:/\*\*?|\*/|\*\s|//|#!|<!--|--\s)")
_CODE_END = re.compile(r"[;{}\[\](),]\s*$|:\s*$")


def nothing_but_reading(action: int, *_: object) -> int:
    """An authorizer for SQLite that lets nothing be changed."""
    allowed = (sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE)
    return sqlite3.SQLITE_OK if action in allowed else sqlite3.SQLITE_DENY


def could_be_label(answer: str) -> bool:
    """Whether the answer is short and no sentence."""
    text = answer.strip()
    number_of_words = len(text.split())
    if len(text) > LABEL_SIGNS or "\n" in text or number_of_words > LABEL_WORDS:
        return False
    return number_of_words == 1 or not text.endswith((".", "!", "?", "\u3002"))


def kind_of(answer: str, grammar: sqlite3.Connection) -> tuple[Kind, object]:
    """The kind of an answer, and of JSON its value. grammar: an empty database that compiles statements."""
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
    return ("code" if (fence and text != answer.strip()) or is_code(text) else "prose"), None


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


def is_code(text: str) -> bool:
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
