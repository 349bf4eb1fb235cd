"""What the terminal shows."""

import io

from sqlalchemy import Engine

from app.db import reading
from app.demo import run, service
from tests.support.factories import Make


def test_a_bar_needs_a_total() -> None:
    assert run.bar({"stage": "Step 1 of 12: Prepare"}) == "Step 1 of 12: Prepare"
    assert run.bar({"stage": "s", "done": 50, "total": 200, "unit": "rows", "seconds_left": 90}) == (
        "[########......................] 50 of 200 rows, 0:01:30 left  s"
    )
    assert run.bar({"stage": "s", "done": 9, "total": 3}).startswith("[##############################] 9 of 3")


def test_a_terminal_gets_one_line_for_each_step() -> None:
    out = io.StringIO()
    screen = run.Screen(out, live=True)

    for moment, stage in enumerate(["Step 1: a - x", "Step 1: a - y", "Step 2: b"]):
        screen.show({"stage": stage}, float(moment))
    screen.end()

    assert out.getvalue().count("\n") == 2
    assert out.getvalue().count("\r") == 3


def test_without_a_terminal_lines_come_at_each_step_and_now_and_then() -> None:
    out = io.StringIO()
    screen = run.Screen(out, live=False)

    for moment in range(40):
        screen.show({"stage": "Step 1: a", "done": moment, "total": 40}, float(moment))
    screen.show({"stage": "Step 2: b"}, 40.0)

    assert len(out.getvalue().splitlines()) == 4
    assert "\r" not in out.getvalue()


def test_the_summary_says_what_was_measured(make: Make, engine: Engine) -> None:
    assessment = make.ready()

    with reading(engine) as session:
        text = "\n".join(service.summary(session, assessment.id))

    assert "1,150 usable examples besides 220 test rows (1,050 train, 100 dev)" in text
    assert "target 90 %" in text
    assert "n=220" in text
    assert "Result" not in text
