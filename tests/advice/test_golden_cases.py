"""The twelve golden cases: exact scores, exact failed gates, exact verdict."""

import pytest

from app.advice.case import parse
from app.advice.verdict import advise
from tests.support.golden import GOLDEN, Golden, case


@pytest.mark.parametrize("golden", GOLDEN, ids=lambda golden: f"{golden.number}-{golden.title}")
def test_golden_cases_come_out_as_intended(golden: Golden) -> None:
    advice = advise(parse(golden.data))

    scores = advice.scores
    assert (scores.prompt, scores.rag, scores.fine_tune) == golden.scores
    assert {gate.id for gate in advice.gates if gate.state == "fail"} == golden.failed
    assert (advice.approach, advice.training, advice.leaning) == (golden.approach, golden.training, golden.leaning)


def test_the_worked_case_file_is_ready_with_high_confidence() -> None:
    """The case file that stands in the contract: its score differs from golden case 2 by F12, F18 and F22 alone."""
    advice = advise(
        parse(
            case(
                {"goals": ["style", "format"], "calls_per_month": 300_000, "data_location": "own_servers"},
            )
        )
    )

    assert (advice.approach, advice.training, advice.confidence) == ("fine_tune", "ready", "high")
    assert advice.blockers == []


def test_distilling_is_named_where_cost_is_the_goal() -> None:
    by_number = {golden.number: golden for golden in GOLDEN}

    assert advise(parse(by_number[11].data)).technique == "distil"
