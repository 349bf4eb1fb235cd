"""What happens around the steps, with a learner that only counts: limits, dev checks, checkpoints. No torch."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Event

import pytest

from app.training.admission import Ended
from app.training.checkpoints import CheckpointStore
from app.training.loop import Progress, Stop, TrainingLoop
from app.training.protocol import Exit
from app.training.recipe import Recipe
from app.training.spec import TrainingSpec


@dataclass
class Taken:
    step: int
    of: int
    loss: float = 1.0


@dataclass
class Counting:
    """A learner whose dev losses are given."""

    losses: list[float]
    total: int = 8
    steps_an_epoch: int = 4
    shared: int = 0
    replay: int = 0
    adapter_parameters: int = 1
    train: tuple[int, ...] = (1,)
    dev: tuple[int, ...] = (1,)
    taken: list[int] = field(default_factory=list)

    def run(self, done: int) -> Iterator[Taken]:
        for step in range(done + 1, self.total + 1):
            self.taken.append(step)
            yield Taken(step, self.total)

    def dev_losses(self) -> Iterator[tuple[float, int]]:
        yield self.losses.pop(0), 1

    def check_ranks(self) -> None:
        """There is one."""

    def save(self, folder: Path) -> None:
        (folder / "masters.safetensors").write_bytes(str(self.taken).encode())

    def export(self, folder: Path, masters: Path, model: str, revision: str | None) -> None:
        (folder / "adapter_model.safetensors").write_bytes(masters.read_bytes())


def made(
    root: Path,
    learner: Counting,
    recipe: Recipe,
    *,
    progress: Progress | None = None,
    stop: Stop | None = None,
    score: Callable[[Event], float] | None = None,
    before: float = 0.0,
) -> TrainingLoop:
    spec = TrainingSpec(recipe, "", "", "", "someone/tiny", "", {})
    kept = CheckpointStore(root, b"key", "0" * 64, 1)
    return TrainingLoop(learner, kept, spec, stop or Stop(), progress or Progress(), score=score, before=before)


RECIPE = Recipe(epochs=2, evals_per_epoch=2, patience=2, min_gain=0.01)


def test_the_checkpoint_with_the_least_dev_loss_is_handed_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    learner = Counting([5.0, 3.0, 2.0, 2.5, 2.2])
    kept = made(tmp_path, learner, replace(RECIPE, patience=0)).train()

    assert kept is not None
    assert kept.step == 4
    assert (tmp_path / "adapter" / "adapter_model.safetensors").read_text() == "[1, 2, 3, 4]"
    assert learner.taken == list(range(1, 9))
    assert capsys.readouterr().out.count('"event": "dev"') == 5


def test_two_checks_without_gain_end_the_run(tmp_path: Path) -> None:
    learner = Counting([5.0, 3.0, 2.995, 3.1])
    kept = made(tmp_path, learner, RECIPE).train()

    assert learner.taken == [1, 2, 3, 4, 5, 6]
    assert kept is not None
    assert kept.step == 2  # 0.005 is less than what counts as a gain


def test_a_model_that_only_gets_worse_stays_as_it_was(tmp_path: Path) -> None:
    kept = made(tmp_path, Counting([1.0, 2.0, 3.0]), RECIPE).train()

    assert kept is not None
    assert kept.step == 0


@pytest.mark.parametrize(
    ("scores", "step"),
    [
        ([0.1, 0.5, 0.3, 0.6, 0.2], 6),  # the highest, though dev loss was least at step 2
        ([0.5, 0.5, 0.5, 0.5, 0.5], 2),  # none better than another: the one with the least dev loss
        ([0.9, 0.1, 0.1, 0.1, 0.1], 0),  # it never gets as good as it was
    ],
)
def test_the_deciding_metric_chooses_the_checkpoint_where_it_is_asked_to(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], scores: list[float], step: int
) -> None:
    left = list(scores)
    learner = Counting([5.0, 2.0, 2.5, 2.6, 2.7])
    kept = made(tmp_path, learner, replace(RECIPE, patience=0), score=lambda _stop: left.pop(0)).train()

    assert kept is not None
    assert kept.step == step
    assert kept.facts["best_score"] == scores[step // 2]
    assert kept.facts["base_score"] == scores[0]
    assert '"score": 0.5' in capsys.readouterr().out or 0.5 not in scores


def test_a_dev_score_that_falls_ends_the_run_while_the_loss_still_falls(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    left = [0.4, 0.6, 0.5, 0.5, 0.5]
    learner = Counting([5.0, 4.0, 3.0, 2.0, 1.0])
    kept = made(tmp_path, learner, RECIPE, score=lambda _stop: left.pop(0)).train()

    assert kept is not None
    assert (kept.step, learner.taken[-1]) == (2, 6)
    assert "The dev score has not improved 2 times in a row" in capsys.readouterr().out


def test_a_stop_while_dev_rows_are_answered_keeps_no_half_score(tmp_path: Path) -> None:
    stop = Stop()

    def interrupted(_asked: Event) -> float:
        stop.ask("SIGTERM")
        return 0.9

    with pytest.raises(Ended) as ended:
        made(tmp_path, Counting([5.0]), RECIPE, stop=stop, score=interrupted).train()

    assert ended.value.code == Exit.STOPPED
    newest = CheckpointStore(tmp_path, b"key", "0" * 64, 2).newest(print)
    assert newest is None or newest.facts["best_score"] is None


def test_the_time_limit_counts_the_trainings_before_this_one(tmp_path: Path) -> None:
    run = made(tmp_path, Counting([]), replace(RECIPE, max_minutes=60), before=3600.0)
    with pytest.raises(Ended) as ended:
        run.train()

    assert ended.value.code == Exit.TIME


def test_the_time_limit_counts_all_attempts(tmp_path: Path) -> None:
    before = Progress(step=3, evaluated=2, seconds=3600.0)
    run = made(tmp_path, Counting([]), replace(RECIPE, max_minutes=60), progress=before)
    with pytest.raises(Ended) as ended:
        run.train()

    assert ended.value.code == Exit.TIME


def test_a_stop_in_the_middle_of_a_dev_check_measures_it_again_later(tmp_path: Path) -> None:
    stop = Stop()
    learner = Counting([5.0])

    class Interrupted(Counting):
        def dev_losses(self) -> Iterator[tuple[float, int]]:
            stop.ask("SIGTERM")
            yield 1.0, 1

    with pytest.raises(Ended) as ended:
        made(tmp_path, Interrupted([], taken=learner.taken), RECIPE, stop=stop, progress=Progress(step=2)).train()

    assert ended.value.code == Exit.STOPPED
    newest = CheckpointStore(tmp_path, b"key", "0" * 64, 2).newest(print)
    assert newest is None  # nothing new since the checkpoint that it came from


def test_a_full_disk_is_said_and_leaves_no_half_checkpoint(tmp_path: Path) -> None:
    class Full(Counting):
        def save(self, folder: Path) -> None:
            (folder / "masters.safetensors").write_bytes(b"half")
            raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        made(tmp_path, Full([5.0]), RECIPE).train()

    assert not list((tmp_path / "staging").iterdir())
    assert not list((tmp_path / "checkpoints").iterdir())
