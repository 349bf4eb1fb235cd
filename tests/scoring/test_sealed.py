"""What a stranger's code and statements try in the processes that score: each try fails and takes nothing with it."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from app.processes.sealed import Broken
from app.scoring.scores import AboutRow, Score, Statements, TeamScorer

ROW = AboutRow(3, "How?")
HEAD = "import os, sys, ctypes\n\ndef score(answer, expected, row):\n"


def scorer(body: str, seconds: float = 0.5) -> TeamScorer:
    return TeamScorer(HEAD + "".join(f"    {line}\n" for line in body.splitlines()), seconds=seconds)


def tried(body: str) -> Score:
    with closing(scorer(body)) as one:
        return one.score("bug", "refund", ROW)


def test_a_scorer_scores_and_keeps_its_process(tmp_path: Path) -> None:
    with closing(scorer("print('x')\nreturn 0.25 if row['line'] == 3 and row['question'] == 'How?' else 1")) as one:
        assert one.score("bug", "refund", ROW) == Score(0.25)
        first = one.child.pid
        assert one.score("refund", "refund", AboutRow()) == Score(1.0)
        assert one.child.pid == first
    assert one.child.pid is None


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("while True: os.fork()", "not permitted"),
        ("while True: pass", "took longer than 0.5 s"),
        ("x = bytearray(2 << 30)\nreturn 1", "more memory than it may have"),
        ("open('evil', 'w').write('x')\nreturn 1", "not permitted"),
        ("return len(open('/etc/passwd').read())", "not permitted"),
        ("return len(os.listdir('DATA'))", "not permitted"),
        ("os.stat('/etc/shadow')\nreturn 1", "not permitted"),
        ("os.execv('/bin/sh', ['sh'])", "not permitted"),
        ("os.kill(os.getppid(), 9)", "not permitted"),
        ("import socket", "No module named 'socket'"),
        ("import subprocess", "No module named 'subprocess'"),
        ("import numpy", "No module named 'numpy'"),
        ("while True: os.write(1, b'x' * 60_000)", "wrote more than 65,536 bytes"),
        ("os.write(1, b'{\"score\": 1.0}\\n')\nreturn 0.0", "no answer"),
        ("os.write(1, b'[' * 60_000 + b'\\n')", "no answer"),
        ("sys.exit(0)", "SystemExit"),
        ("os._exit(0)", "ended with code 0"),
        ("ctypes.string_at(0)", "SIGSEGV"),
        ("return float('nan')", "gave nan"),
        ("return 2", "gave 2"),
        ("return 'right'", "gave a str"),
        ("return answer.nothing", "AttributeError in line 4"),
        ("raise ValueError('a\\0b\\ud800c')", "ValueError in line 4: a?b?c"),
    ],
)
def test_what_a_scorer_may_not_do_is_no_score_and_says_so(body: str, why: str, tmp_path: Path) -> None:
    made = tried(body.replace("DATA", str(tmp_path)))

    assert made.value is None
    assert why in made.why
    assert not Path("evil").exists()


def test_no_call_of_the_system_gets_through_whatever_the_way() -> None:
    calls = (
        "libc = ctypes.CDLL(None, use_errno=True)\n"
        "opened = libc.open(b'/etc/passwd', 0)\n"
        "plugged = libc.socket(2, 1, 0)\n"
        "traced = libc.ptrace(16, os.getppid(), 0, 0)\n"
        "return 1.0 if (opened, plugged, traced) == (-1, -1, -1) else 0.0"
    )

    assert tried(calls) == Score(1.0)


def test_a_scorer_sees_an_empty_environment_and_an_empty_folder() -> None:
    assert tried("return float(dict(os.environ).keys() <= {'LC_CTYPE'})") == Score(1.0)


def test_a_scorer_that_broke_goes_on_with_the_next_row() -> None:
    with closing(scorer("if answer == 'die': os._exit(1)\nreturn 1")) as one:
        assert one.score("die", "x", ROW).value is None
        assert one.score("live", "x", ROW) == Score(1.0)


# ---------------------------------------------------------------- statements


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Fifty rows, in the write-ahead mode that most programs leave behind."""
    path = tmp_path_factory.mktemp("sql") / "data.db"
    with closing(sqlite3.connect(path)) as made:
        made.execute("pragma journal_mode = wal")
        made.execute("create table t (a integer, b text, r real)")
        made.executemany("insert into t values (?, ?, ?)", [(n, f"x{n % 7}", n / 3) for n in range(50)])
        made.commit()
    return path


@pytest.fixture(scope="module")
def statements(database: Path) -> Iterator[Statements]:
    with closing(Statements(database, seconds=0.5)) as made:
        yield made


@pytest.mark.parametrize(
    ("wanted", "answer", "score"),
    [
        ("select a from t", "SELECT a FROM t WHERE a >= 0 ORDER BY a DESC;", 1),
        ("select a from t order by a", "select a from t order by a desc", 0),
        ("select count(*) from (select a from t order by a)", "select 50", 1),
        ("select 'order by' from t", "select 'order by' from t order by a", 1),
        ("select sum(r) from t", "select sum(r) from (select r from t order by a desc)", 1),
        ("select distinct b from t", "select b from t", 0),
        ("select b, count(*) from t group by b", "select count(*), b from t group by b", 0),
        ("select 2", "select 2.0", 1),
        ("select null", "select ''", 0),
    ],
)
def test_results_are_compared_as_rows_and_in_order_only_where_that_is_asked(
    statements: Statements, wanted: str, answer: str, score: float
) -> None:
    assert statements.score(answer, wanted, ROW).value == score


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ("drop table t", "only reading"),
        ("insert into t values (1, 'x', 1)", "only reading"),
        ("attach database '/etc/passwd' as x", "only reading"),
        ("pragma writable_schema = on", "only reading"),
        ("vacuum into '/tmp/copy.db'", "authorization denied"),
        ("select load_extension('evil')", "not authorized"),
        ("select random()", "not authorized"),
        ("select 1; select 2", "one statement"),
        (".shell ls", "syntax error"),
        ("", "no query"),
        ("with recursive c(x) as (select 1 union all select x + 1 from c) select count(*) from c", "longer than 0.5 s"),
        ("with recursive c(x) as (select 1 union all select x + 1 from c) select x from c", "more than 10,000 rows"),
        ("select zeroblob(2000000000)", "too big"),
        ("select hex(zeroblob(3000000)) from t", "more than 16 MiB"),
        ("select nope from t", "no such column"),
    ],
)
def test_a_statement_that_may_not_or_cannot_run_is_wrong_and_says_why(
    statements: Statements, answer: str, why: str
) -> None:
    made = statements.score(answer, "select 1", ROW)

    assert made.value == 0
    assert why in made.why


def test_an_expected_statement_that_fails_is_no_wrong_answer(statements: Statements) -> None:
    made = statements.score("select 1", "select nope from t", ROW)

    assert made == Score(None, "The expected statement cannot be run: no such column: nope.")


def test_a_fence_is_read_only_when_that_is_allowed(database: Path) -> None:
    fenced = "Here it is:\n```sql\nselect count(*) from t;\n```"
    for fence, score in ((False, 0), (True, 1)):
        with closing(Statements(database, fence=fence)) as made:
            assert made.score(fenced, "select 50", ROW).value == score


def test_a_file_that_is_no_database_is_named_and_one_that_is_tells_its_tables(database: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.db"
    broken.write_bytes(b"SQLite format 3\x00" + b"\x07" * 5_000)
    with closing(Statements(broken)) as made, pytest.raises(Broken, match="cannot be read"):
        made.tables()
    with closing(Statements(database)) as made:
        assert made.tables() == [{"name": "t", "columns": ["a", "b", "r"], "rows": 50}]


def test_a_wide_database_and_one_with_views_that_cannot_run_are_told_as_far_as_they_can_be(tmp_path: Path) -> None:
    """Some hundred tables of thirty columns are no rare thing, nor is a view whose table is gone."""
    path = tmp_path / "wide.db"
    with closing(sqlite3.connect(path)) as made:
        for table in range(150):
            made.execute(f"create table t{table:03} ({', '.join(f'a_column_of_{table}_{n}' for n in range(30))})")
        made.execute("create view a_broken as select * from gone")
        made.execute(
            "create view b_endless as with recursive c(x) as (select 1 union all select x from c) select x from c"
        )
        made.commit()
    with closing(Statements(path)) as one:
        tables = one.tables()
        assert one.score("select count(*) from t149", "select 0", ROW) == Score(1.0)

    assert tables[:2] == [
        {"name": "a_broken", "columns": [], "rows": None},
        {"name": "b_endless", "columns": ["x"], "rows": None},
    ]
    assert len(tables) > 50
