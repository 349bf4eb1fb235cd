"""What would make a run fit, or fit without computing twice: each change tried where it can be, else worked out.

A proposal has this shape; `change` is what the config would be given:

    {"kind": "checkpointing", "change": {"checkpointing": "auto"}, "left_out": 0,
     "needs": {"bytes": 1, "low": 1, "high": 1, "tried": true}, "fits": true}
"""

from collections.abc import Iterator, Mapping

from app.recipes.preflights import Proposal
from app.recipes.settings import RecipeSettings
from app.training import fits, lora, preflight, room

FEW = 0.5  # share of rows that may be left out before shorter rows are no proposal any more


def proposals(learner: lora.Learner, limit: int, standing: int, passes: int, *, fitted: bool) -> Iterator[Proposal]:
    """What the config could be changed to, where the run does not fit as it is, or only by computing twice.

    limit: bytes that the run may take, 0 where nobody knows. standing: bytes of this process before a pass. passes:
    what the heaviest pass takes, measured where `fitted`. Leaves the learner as it was.
    """
    before = learner.budget, learner.recompute.on
    room_for_all = fitted and (not limit or room.total(fits.parts(learner, standing, passes)) <= limit)
    twice = learner.recompute.on and learner.recipe.checkpointing == "auto"
    if room_for_all and not twice:
        return
    if not room_for_all and not learner.recompute.on and learner.recompute.possible:
        learner.recompute.on, learner.budget = True, learner.widest
        fits.settle(learner, limit, standing)
        # A config that leaves it open was not seen to need it: only what is left over for a longer run is missing.
        wanted = "on" if learner.recipe.checkpointing == "auto" else "auto"
        yield _made("checkpointing", {"checkpointing": wanted}, learner, limit, standing)
    learner.recompute.on = learner.recipe.checkpointing == "on"
    shorter = _shorter(learner, limit, standing)
    if shorter:
        yield shorter_rows(learner, limit, standing, shorter)
    learner.budget, learner.recompute.on = before
    if learner.loaded.bits == 16:
        in_4_bits = dict(fits.parts(learner, standing, passes))
        in_4_bits["weights"] = fits.base_bytes_in_4_bits(learner)
        yield _proposal("bits", {}, in_4_bits, limit, tried=False)


def shorter_rows(learner: lora.Learner, limit: int, standing: int, longest: int) -> Proposal:
    """Rows of at most `longest` tokens, tried; with how many are left out by it."""
    kept = learner.train, learner.lengths, learner.replay
    short = [row for row in learner.train if row.length <= longest]
    general = learner.train[len(learner.train) - learner.replay :]
    learner.train, learner.lengths = short, [row.length for row in short]
    learner.replay = sum(row.length <= longest for row in general)
    try:
        made = _made("rows", {"max_row_tokens": longest}, learner, limit, standing)
    finally:
        learner.train, learner.lengths, learner.replay = kept
    return {**made, "left_out": len(kept[0]) - len(short)}


def _shorter(learner: lora.Learner, limit: int, standing: int) -> int:
    """The longest row that fits alone, as passes are made now; 0 where too few rows would be left."""
    lengths = sorted(learner.lengths)
    by_length = {learner.lengths[row]: row for row in range(len(learner.lengths))}
    fitting = [
        length for length, row in by_length.items() if fits.within(learner, ((row,),), limit, standing, strict=True)
    ]
    longest = max(fitting, default=0)
    left = sum(length > longest for length in lengths)
    return longest if 0 < left <= FEW * len(lengths) else 0


def _made(kind: str, change: RecipeSettings, learner: lora.Learner, limit: int, standing: int) -> Proposal:
    """A proposal for the learner as it is set now, its heaviest step gone through where that is safe."""
    step = fits.heaviest(learner, 1)[0]
    passes, tried = fits.heaviest_pass(learner, step), False
    if fits.within(learner, step, limit, standing):
        meter = fits.Meter(learner.loaded.device)
        try:
            learner.rehearse(step)
            passes, tried = meter.more, True
        except RuntimeError as error:
            if not fits.ran_out(error):
                raise
            learner.forget_gradients()
    return _proposal(kind, change, fits.parts(learner, standing, passes), limit, tried=tried)


def _proposal(kind: str, change: RecipeSettings, parts: Mapping[str, int], limit: int, *, tried: bool) -> Proposal:
    needs = preflight.band(parts, tried=tried)
    fitting = not limit or needs["bytes"] <= limit
    return {"kind": kind, "change": dict(change), "needs": needs, "left_out": 0, "fits": fitting}
