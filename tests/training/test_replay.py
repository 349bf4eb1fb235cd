"""General rows against forgetting: ours, not what the release checks ask, approved by hash, in passes of their own."""

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

from app.gate import checks
from app.gate.subject import exact
from app.recipes import replay
from app.recipes.replay import ReplayRow
from app.release import items, refusals
from app.text import normal_form
from app.training import spec as specs
from app.training.protocol import Exit
from tests.support.trainer import Run

EVERY = replay.rows(replay.ROWS, 1)
SAFE = replay.rows(replay.ROWS, 1, "refusals")
DIGEST_OF_VERSION_1 = "8c13a1ff3b0f29bede3d3a7011d0efff805cb44e918061edf7bece155120f43f"


def test_no_row_is_one_that_the_release_checks_ask() -> None:
    asked = {item.question for item in items.general(10**6)}
    asked |= {message.content for plea in refusals.ALL for message in plea.messages}

    assert {_plain(row.question) for row in [*EVERY, *SAFE]}.isdisjoint(map(_plain, asked))
    assert {row.kind for row in [*EVERY, *SAFE]}.isdisjoint({item.kind for item in items.general(10**6)})


def _plain(text: str) -> str:
    return " ".join(normal_form("NFKC", text).lower().split())


def test_every_row_is_there_once_and_fit_to_be_learnt() -> None:
    assert len(EVERY) == len({row.question for row in EVERY}) == replay.ROWS
    assert all(row.question.strip() and row.answer.strip() for row in EVERY)
    for row in EVERY:
        _check(row)


def _check(row: ReplayRow) -> None:
    """What a program can tell of an answer."""
    match row.kind:
        case "capitals":
            assert row.answer == row.question.partition(": ")[2].upper()
        case "order":
            assert row.answer.split(", ")[::-1] == row.question.partition(": ")[2].split(", ")
        case "sums in words":
            left, right = row.answer.partition(" = ")[0].split(" \N{MULTIPLICATION SIGN} ")
            assert f"= {int(left) * int(right)}," in row.answer


def test_refusals_are_a_fifth_at_most_and_read_as_refusals() -> None:
    kinds = [row.kind for row in SAFE]
    added = [row for row in SAFE if row.kind in {"declined", "answered"}]

    assert len(added) == 32
    assert all(sum(kind in {"declined", "answered"} for kind in kinds[:number]) <= number / 5 for number in range(200))
    assert all(refusals.declines(row.answer) is (row.kind == "declined") for row in added)
    assert [row for row in replay.rows(100, 1, "refusals") if row not in added] == EVERY[:80]
    assert replay.digest("refusals") != replay.digest()


def test_what_was_approved_before_there_were_refusals_keeps_its_hash() -> None:
    assert replay.stated({"replay": 0.1}) == {
        "set": "own", "version": "1", "sha256": DIGEST_OF_VERSION_1
    }  # fmt: skip
    with_refusals = replay.stated({"replay": 0.1, "replay_set": "refusals"})
    assert with_refusals is not None
    assert with_refusals["version"] != "1"


def test_a_smaller_number_is_the_beginning_and_another_seed_another_order() -> None:
    assert replay.rows(50, 1) == EVERY[:50]
    assert replay.rows(50, 2) != EVERY[:50]
    assert replay.rows(10**6, 1) == EVERY


@pytest.mark.parametrize(
    ("share", "train", "rows"), [(0, 100, 0), (0.5, 100, 100), ("0.2", 400, 100), (0.5, 9999, 2400)]
)
def test_a_share_is_of_all_rows_that_are_trained(share: float, train: int, rows: int) -> None:
    assert replay.count({"replay": share}, train) == rows


def test_the_plan_counts_them() -> None:
    planned = checks.steps({"batch_rows": 8, "epochs": 1, "replay": 0.5}, 80)

    assert planned is not None
    assert (planned.steps, planned.of) == (20, 160)


def test_the_rows_are_approved_by_their_hash(run: Run) -> None:
    run.recipe = dataclasses.replace(run.recipe, replay=0.2)
    subject: Any = exact(run.subject())

    assert subject["training"]["replay"]["sha256"] == replay.digest()
    subject["training"]["replay"]["sha256"] = "0" * 64
    with pytest.raises(ValueError, match="general rows"):
        specs.from_subject(subject)


@pytest.mark.torch
def test_they_are_trained_in_passes_of_their_own_and_cost_no_shared_beginning(
    another: Callable[..., Any], torch_here: None
) -> None:
    """The loss of a step is that of plain passes, row by row, whether or not a beginning is shared."""
    from app.training import learner as learners

    run = another(replay=0.4)
    rows = list(specs.rows(run.rows.read_bytes().splitlines()))
    learner, _ = learners.build(run.model, rows, specs.from_subject(run.subject()))

    assert (learner.replay, len(learner.train)) == (16, 40)
    assert learner.shared > 16
    mixed = ((0, 1, 39), (38, 2))
    assert learner.alike(mixed) == ((0, 1), (39,), (2,), (38,))
    learner.model.eval()

    def loss(rows: tuple[int, ...]) -> float:
        return float(learner.loss_sum([learner.train[row] for row in rows]).detach())

    together = sum(map(loss, learner.alike(mixed)))
    alone = sum(loss((row,)) for part in mixed for row in part)
    assert together == pytest.approx(alone, rel=1e-5)


@pytest.mark.torch
def test_a_run_says_how_many_there_were(another: Callable[..., Any]) -> None:
    child = another(replay=0.2, epochs=1).train()

    assert child.code == Exit.DONE, child.output
    facts = child.events("done")[0]["facts"]
    assert (facts["train_rows"], facts["replay_rows"]) == (30, 6)
