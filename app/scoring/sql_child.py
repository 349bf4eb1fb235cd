"""The process that runs statements on an uploaded SQLite database: sealed, in memory, reading only.

Started by path with the root of the product, the database's file, and the seconds that a statement may take. The file
is read into memory first, then the process seals itself, so that no statement can reach a file, whatever the library
would let it do.
"""

import contextlib
import json
import re
import sqlite3
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypedDict

SECONDS = 5.0  # that one statement may take
ROWS = 10_000  # that it may give
BYTES = 16 << 20  # that they may have, all together
SPARE = 384 << 20  # bytes beside the database: the interpreter, sorting, results
PROCESSOR = 600  # seconds for all statements of one process
STEPS = 5_000  # of SQLite's machine between two looks at the clock
DESCRIBED = 60_000  # characters of what a database holds: `sealed` takes no longer line
KEPT = 64  # results of expected statements that are kept
REFUSED = frozenset({"load_extension", "fts3_tokenizer", "readfile", "writefile", "edit", "random", "randomblob"})
LIMITS = {
    sqlite3.SQLITE_LIMIT_LENGTH: 8_000_000,
    sqlite3.SQLITE_LIMIT_SQL_LENGTH: 100_000,
    sqlite3.SQLITE_LIMIT_COLUMN: 500,
    sqlite3.SQLITE_LIMIT_EXPR_DEPTH: 200,
    sqlite3.SQLITE_LIMIT_COMPOUND_SELECT: 50,
    sqlite3.SQLITE_LIMIT_VDBE_OP: 1_000_000,
    sqlite3.SQLITE_LIMIT_ATTACHED: 0,
    sqlite3.SQLITE_LIMIT_LIKE_PATTERN_LENGTH: 1_000,
    sqlite3.SQLITE_LIMIT_TRIGGER_DEPTH: 1,
}
_LITERAL = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|`[^`]*`|\[[^\]]*\]|--[^\n]*|/\*.*?\*/", re.DOTALL)
_ORDER = re.compile(r"\border\s+by\b", re.IGNORECASE)


class Table(TypedDict):
    """What a database holds. rows: None of a view."""

    name: str
    columns: list[str]
    rows: int | None


class Opening(TypedDict, total=False):
    """What is said first. why: no seal; damaged: what is wrong with the file."""

    ready: bool
    why: str
    tables: list[Table]
    damaged: str


class Asked(TypedDict):
    """Two statements to compare."""

    number: int
    wanted: str
    answer: str


class Compared(TypedDict, total=False):
    """A score, 0 or 1, with why it is 0; or what is wrong with the wanted statement."""

    score: float
    why: str
    error: str


class CannotRun(Exception):
    """A statement that gives no result; the text says why."""


def ordered(statement: str) -> bool:
    """Whether the outermost query orders its rows."""
    text, depth, outermost = _LITERAL.sub(" ", statement), 0, []
    for sign in text:
        depth += (sign == "(") - (sign == ")")
        outermost.append(sign if depth == 0 else " ")
    return bool(_ORDER.search("".join(outermost)))


def comparable(value: object) -> object:
    """A cell as it is compared: numbers to ten digits, since sums come in another order; everything else as it is."""
    if isinstance(value, float):
        return float(f"{value:.10g}")
    return ("blob", value.hex()) if isinstance(value, bytes) else value


def allow(action: int, *about: str | None) -> int:
    """SQLite's authorizer: select and read, and no function that reaches out or gives something else each time. about:
    two names whose meaning is the action's, the database, the view or trigger."""
    if action == sqlite3.SQLITE_FUNCTION:
        return sqlite3.SQLITE_DENY if (about[1] or "").lower() in REFUSED else sqlite3.SQLITE_OK
    reading = (sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_RECURSIVE)
    return sqlite3.SQLITE_OK if action in reading else sqlite3.SQLITE_DENY


def opened(content: bytearray) -> sqlite3.Connection:
    """A database in memory. One that was closed in the write-ahead mode has its log merged already, or lost it."""
    if content[18:20] == b"\x02\x02":
        content[18:20] = b"\x01\x01"
    connection = sqlite3.connect(":memory:", isolation_level=None, cached_statements=0)
    connection.deserialize(bytes(content))
    for name, value in (
        ("temp_store", "memory"),
        ("trusted_schema", "off"),
        ("cell_size_check", "on"),
        ("mmap_size", "0"),
        ("hard_heap_limit", str(len(content) + SPARE // 2)),
    ):
        connection.execute(f"pragma {name} = {value}")
    connection.text_factory = lambda raw: raw.decode("utf-8", "replace")
    return connection


def described(connection: sqlite3.Connection) -> list[Table]:
    """Each table and view with its columns and the number of its rows, as far as a first answer holds them.

    A view is not counted: it may be anything, also one of a table that is gone, which costs nobody the others.
    """
    names = "select name, type from sqlite_schema where type in ('table', 'view')"
    tables, left = list[Table](), DESCRIBED
    for name, kind in connection.execute(f"{names} and name not like 'sqlite\\_%' escape '\\' order by name limit 200"):
        quoted, count, columns = '"' + str(name).replace('"', '""') + '"', None, []
        with contextlib.suppress(*([sqlite3.OperationalError] if kind == "view" else [])):
            columns = [str(column[1])[:100] for column in connection.execute(f"pragma table_info({quoted})")][:100]
        if kind == "table":
            (count,) = connection.execute(f"select count(*) from {quoted}").fetchone()  # noqa: S608 - quoted above
        table: Table = {"name": str(name)[:100], "columns": columns, "rows": count}
        if (left := left - len(json.dumps(table)) - 2) < 0:
            break
        tables.append(table)
    return tables


class Runner:
    """Statements on one database, each within its limits."""

    def __init__(self, connection: sqlite3.Connection, seconds: float = SECONDS) -> None:
        self._connection, self._seconds = connection, seconds
        self._until = 0.0
        self._wanted: dict[str, tuple[int, list[tuple[object, ...]]]] = {}
        for limit, value in LIMITS.items():
            connection.setlimit(limit, value)
        connection.set_authorizer(allow)
        connection.set_progress_handler(self._late, STEPS)

    def _late(self) -> bool:
        return time.monotonic() > self._until

    def rows(self, statement: str) -> tuple[int, list[tuple[object, ...]]]:
        """How many columns a statement gives, and its rows as they are compared.

        Raises:
            CannotRun: it gives none, or more than may be.
        """
        self._until = time.monotonic() + self._seconds
        try:
            cursor = self._connection.execute(statement)
            if cursor.description is None:
                raise CannotRun("it is no query")
            return len(cursor.description), list(self._bounded(cursor))
        except sqlite3.OperationalError as error:
            why = f"it took longer than {self._seconds:g} s" if "interrupted" in str(error) else str(error)
            raise CannotRun(why) from error
        except (sqlite3.Error, sqlite3.Warning, ValueError, OverflowError) as error:
            denied = "not authorized" in str(error) or "prohibited" in str(error)
            raise CannotRun("only reading is allowed" if denied else str(error)) from error
        except MemoryError as error:
            raise CannotRun("it needs more memory than it may have") from error

    @staticmethod
    def _bounded(cursor: sqlite3.Cursor) -> Iterator[tuple[object, ...]]:
        size = 0
        for number, row in enumerate(cursor, start=1):
            size += sum(len(cell) if isinstance(cell, str | bytes) else 8 for cell in row)
            if number > ROWS:
                raise CannotRun(f"it gives more than {ROWS:,} rows")
            if size > BYTES:
                raise CannotRun(f"it gives more than {BYTES >> 20:,} MiB")
            yield tuple(map(comparable, row))

    def compared(self, wanted: str, answer: str) -> Compared:
        """Whether two statements give the same: a score, and why it is 0; or what is wrong with the wanted one."""
        try:
            if wanted not in self._wanted:
                if len(self._wanted) >= KEPT:
                    self._wanted.clear()
                self._wanted[wanted] = self.rows(wanted)
        except CannotRun as why:
            return {"error": f"The expected statement cannot be run: {str(why)[:300]}."}
        columns, expected = self._wanted[wanted]
        try:
            given, rows = self.rows(answer)
        except CannotRun as why:
            return {"score": 0.0, "why": f"It cannot be run: {str(why)[:300]}."}
        return self._judged(columns, expected, given, rows, ordered=ordered(wanted))

    @staticmethod
    def _judged(
        columns: int, expected: list[tuple[object, ...]], given: int, rows: list[tuple[object, ...]], *, ordered: bool
    ) -> Compared:
        if columns != given:
            return {"score": 0.0, "why": f"Columns: {given:,} instead of {columns:,}."}
        if len(expected) != len(rows):
            return {"score": 0.0, "why": f"Rows: {len(rows):,} instead of {len(expected):,}."}
        if Counter(expected) != Counter(rows):
            missing = (Counter(expected) - Counter(rows)).total()
            return {"score": 0.0, "why": f"Other values in {missing:,} of {len(expected):,} rows."}
        if ordered and expected != rows:
            return {"score": 0.0, "why": "The same rows in another order than the expected statement asks for."}
        return {"score": 1.0, "why": ""}


def serve(answer: Callable[[Asked], Compared]) -> None:
    """Answer each line of standard input with a line."""
    for line in sys.stdin.buffer:
        asked = json.loads(line)
        sys.stdout.write(json.dumps({"number": asked["number"], **answer(asked)}) + "\n")
        sys.stdout.flush()


def main() -> int:
    sys.path.insert(0, sys.argv[1])
    from app.processes import seal

    content = bytearray(Path(sys.argv[2]).read_bytes())
    opening: Opening = {"ready": True}
    try:
        seal.seal(2 * len(content) + SPARE, PROCESSOR)
    except seal.NotSealed as why:
        opening = {"ready": False, "why": str(why)}
    runner = None
    if opening["ready"]:
        try:
            connection = opened(content)
            until = time.monotonic() + 2 * SECONDS
            connection.set_progress_handler(lambda: time.monotonic() > until, STEPS)
            opening["tables"] = described(connection)
            runner = Runner(connection, float(sys.argv[3]))
        except (sqlite3.Error, sqlite3.Warning, ValueError, OverflowError, MemoryError) as error:
            opening["damaged"] = str(error)[:300]
    with contextlib.suppress(BrokenPipeError):
        sys.stdout.write(json.dumps(opening) + "\n")
        sys.stdout.flush()
        if runner is not None:
            serve(lambda asked: runner.compared(asked["wanted"], asked["answer"]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
