"""What a run will take: counted where it can be, measured where it must be, and refused before it costs anything."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from app.recipes.preflights import Preflight
from app.training import preflight, prices
from app.training.preflight import RowSize, Sizes
from app.training.recipe import Recipe

RECIPE = Recipe(batch_rows=4, epochs=3, max_row_tokens=100)


def sizes(*totals: int, dev: int = 5) -> Sizes:
    rows = [RowSize(str(number), total - 10, 10) for number, total in enumerate(totals)]
    return Sizes(rows, [RowSize("d", 20, 10)] * dev, context=512)


def test_steps_and_tokens_follow_from_the_rows_that_fit() -> None:
    found = preflight.report(RECIPE, sizes(*[50] * 9, 101))

    assert found["train"] == {"rows": 9, "tokens": 450, "trained_tokens": 90}
    assert (found["left_out"], found["steps_per_epoch"], found["steps"]) == (1, 3, 9)
    assert found["longest"][0] == {"id": "9", "prompt": 91, "completion": 10}


def test_a_limit_of_steps_shortens_the_estimate() -> None:
    short = dataclasses.replace(RECIPE, max_steps=3)
    whole = preflight.report(RECIPE, sizes(*[50] * 12))
    cut = preflight.report(short, sizes(*[50] * 12))

    speed: Preflight = {"tokens_per_second": 100, "dev_seconds": 2}
    assert prices.whole(RECIPE, {**whole, **speed}) == pytest.approx(15 + 18 + 13 * 2)
    assert prices.whole(short, {**cut, **speed}) == pytest.approx(15 + 6 + 5 * 2)


def test_each_option_has_its_price_and_the_whole_is_their_sum() -> None:
    """Half of the rows cost half of the steps, and every training checks the dev rows and is loaded anew."""
    several = dataclasses.replace(RECIPE, sweep="three", seeds=2, curve="quarters")
    measured = preflight.report(several, sizes(*[50] * 12))
    measured |= {"tokens_per_second": 100, "dev_seconds": 2, "score_seconds": 3}
    one, fixed = 15 + 18 + 13 * 5, 15 + 13 * 5

    trainings = prices.trainings(several, measured)

    assert [training["rows"] for training in trainings] == [12, 12, 12, 12, 3, 6]
    assert [training["seconds"] for training in trainings[3:]] == pytest.approx([one, fixed + 4.5, fixed + 9])
    assert prices.whole(several, measured) == pytest.approx(4 * one + 2 * fixed + 13.5)
    more = prices.more(several, measured)
    seconds = {name: [price for _, price in prices_of] for name, prices_of in more.items()}
    assert seconds["sweep"] == pytest.approx([2 * one, 4 * one])
    assert seconds["seeds"] == pytest.approx([one])
    assert seconds["curve"] == pytest.approx([2 * fixed + 13.5])
    assert seconds["stop_by"] == pytest.approx([6 * 13 * 3])
    assert seconds["replay"] == pytest.approx([6 * 18 / 9])
    assert prices.more(several, None) == {}


@pytest.mark.parametrize(
    ("row_sizes", "extra", "reason"),
    [
        (sizes(200, 300), {}, "No training row is within the max sequence length"),
        (Sizes([RowSize("4", 20, 1)], [RowSize("d", 9, 2)], 512), {}, "nothing to learn after the prompt (lines 4)"),
        (sizes(50, dev=0), {}, "no dev row"),
        (sizes(50), {"memory": {"weights": 9_000_000_000}}, "needs about 9.0 GB of memory and 8.0 GB are free"),
        (sizes(50), {"seconds": 15_000.0}, "about 250 minutes, and the training config allows 240"),
    ],
)
def test_a_run_that_cannot_work_is_refused_with_its_numbers(
    row_sizes: Sizes, extra: dict[str, Any], reason: str
) -> None:
    found: Any = {**preflight.report(RECIPE, row_sizes), **extra}

    assert reason in " ".join(preflight.blockers(RECIPE, found, 8_000_000_000))


@pytest.mark.parametrize(("fits", "said"), [(True, "What would fit is below"), (False, "Train a smaller model")])
def test_what_is_below_is_said_to_fit_only_where_it_does(fits: bool, said: str) -> None:
    found: Any = {**preflight.report(RECIPE, sizes(50)), "memory": {"weights": 9}, "proposals": [{"fits": fits}]}

    assert said in " ".join(preflight.blockers(RECIPE, found, 8))


def test_a_run_that_fits_has_no_blockers() -> None:
    assert not list(preflight.blockers(RECIPE, preflight.report(RECIPE, sizes(50, 60)), 8_000_000_000))


@pytest.mark.torch
def test_the_probe_measures_and_learns_nothing(run: Any, torch_here: None) -> None:
    from app.training import probe
    from app.training import spec as specs

    before = {path.name: path.read_bytes() for path in Path(run.model).iterdir()}
    found = probe.probe(specs.from_subject(run.subject()), run.model, run.rows, 1)

    assert found["train"]["rows"] == 24
    assert found["samples"][0]["completion"].endswith("<|im_end|>")
    assert found["samples"][0]["prompt"].startswith("<|im_start|>system\nSay the first word twice.")
    assert found["tokens_per_second"] > 0
    assert set(found["memory"]) == {"program", "weights", "adapter", "activations", "reserve"}
    assert found["needs"]["tried"]
    assert found["needs"]["low"] < found["needs"]["bytes"] == sum(found["memory"].values()) < found["needs"]["high"]
    assert found["proposals"] == []
    assert before == {path.name: path.read_bytes() for path in Path(run.model).iterdir()}


def deep(model: Path, folder: Path) -> Path:
    """The tiny model with so many layers that what they keep for the way back outweighs the inside of one."""
    import shutil

    from transformers import AutoConfig, LlamaForCausalLM

    shutil.copytree(model, folder)
    config = AutoConfig.from_pretrained(model)
    config.num_hidden_layers = 20
    LlamaForCausalLM(config).save_pretrained(folder)
    return folder


@pytest.mark.torch
def test_what_does_not_fit_is_not_tried_and_what_would_is_proposed(run: Any, tmp_path: Path, torch_here: None) -> None:
    from app.training import fits, learner, proposals
    from app.training import spec as specs

    run.recipe, run.model = dataclasses.replace(run.recipe, checkpointing="off"), deep(run.model, tmp_path / "deep")
    order = specs.from_subject(run.subject())
    with Path(run.rows).open("rb") as lines:
        made, _ = learner.build(run.model, list(specs.rows(lines)), order)
    long = max(range(len(made.train)), key=made.lengths.__getitem__)
    made.train = [*made.train]
    row = made.train[long]
    made.train[long] = dataclasses.replace(row, completion=row.completion * 60)
    made.lengths[long] = made.train[long].length
    standing = fits.Meter(made.loaded.device).standing
    # Room for the long row where layers compute again, which is more than all others need as they are.
    again = fits.kept(made, [long], recompute=True)
    assert fits.kept(made, [long]) > 1.5 * again
    limit = round(standing + fits.optimizer_bytes(made) + 1.4 * again)

    fitted = fits.settle(made, limit)
    passes = fits.heaviest_pass(made, fits.heaviest(made, 1)[0])
    found = {one["kind"]: one for one in proposals.proposals(made, limit, standing, passes, fitted=fitted)}

    assert not fitted
    assert found["checkpointing"]["change"] == {"checkpointing": "auto"}
    assert found["checkpointing"]["needs"]["tried"]
    assert found["rows"]["left_out"] == 1
    assert int(found["rows"]["change"]["max_row_tokens"]) < made.lengths[long]
    assert not found["bits"]["needs"]["tried"]
    assert (made.recompute.on, len(made.train)) == (False, 24)


@pytest.mark.torch
def test_where_nothing_fits_the_preflight_says_so_whatever_was_chosen(run: Any, torch_here: None) -> None:
    """With general rows, the metric as judge, several trainings and several processes."""
    from app.training import probe
    from app.training import spec as specs

    run.recipe = dataclasses.replace(
        run.recipe, stop_by="metric", seeds=2, sweep="three", replay=0.2, launcher="torchrun", processes=2
    )
    run.scored = {"metric": "chrf", "options": {}, "max_tokens": 4}
    found = probe.probe(specs.from_subject(run.subject()), run.model, run.rows, 1, memory=2_000_000)

    assert found["available"] == 2_000_000
    assert not found["needs"]["tried"]
    assert found["needs"]["low"] < found["needs"]["bytes"] < found["needs"]["high"]
    assert "tokens_per_second" not in found
    assert "seconds" not in found
    assert found["proposals"]
    assert not any(one["fits"] for one in found["proposals"])
    told = " ".join(preflight.blockers(run.recipe, found, found["available"]))
    assert "Train a smaller model, or on another machine." in told
