"""How a model is trained: every setting with its default, its bounds and the reason for it.

The defaults are for 1,000 to 20,000 rows and small instruct models. The reasons are what the form shows beside the
field, so that a setting can be argued with. A recipe is part of what a reviewer approves; nothing here is chosen later.
"""

import math
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, fields, replace
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError, create_model
from pydantic import Field as Bounds

from app import chosen, glossary
from app.errors import FieldError, Invalid
from app.json_types import JsonObject
from app.recipes.settings import RecipeSettings
from app.strict import Expected, Fault, faults
from app.training import batches
from app.wording import lower_first

NOT_USABLE = "The training config has settings that cannot be used."
FEW_ROWS = 2000  # below it a smaller batch gives the short run more steps


@dataclass(frozen=True, slots=True)
class Recipe:
    """One way to train.

    learning_rate: at the top of the schedule. warmup: share of all steps. batch_rows: rows of one optimizer step.
    max_steps: 0 for no limit. patience: dev evaluations without a gain of `min_gain` nats before stopping, 0 for never.
    dev_rows: how many dev rows the loss is measured on. max_row_tokens: longer rows are left out, never cut.
    scaling: what the adapter's output is multiplied by, `lora` for alpha / rank, `rslora` for alpha / sqrt(rank).
    launcher: what starts the trainer, `local` for one process, `torchrun` for several of one host, `ray` for several of
    a cluster. processes: how many share each step, one a device. base_weights: `whole` on each device, or `sharded`
    over all of them, for a base that does not fit one.
    sweep, seeds, curve: more trainings of the same run (`recipes.legs`). stop_by: what chooses the checkpoint, `loss`
    or the deciding `metric` on `scored_rows` dev rows. replay: share of general rows among those trained, 0 to 0.5;
    replay_set: which (`replay.SETS`).
    checkpointing: whether layers compute again on the way back what they did not keep: `auto` where it does not fit
    otherwise. pass_tokens: of one pass through the model, 0 for the device's usual; a batch is as many passes as it
    takes, and both change memory and time, not what is learned. kernels: `torch`, or `liger` on CUDA where installed.
    """

    rank: int = 16
    alpha: int = 32
    targets: str = "all-linear"
    learning_rate: float = 2e-4
    batch_rows: int = 16
    epochs: int = 3
    max_steps: int = 0
    schedule: str = "cosine"
    warmup: float = 0.05
    dropout: float = 0.0
    weight_decay: float = 0.01
    clip: float = 1.0
    evals_per_epoch: int = 4
    patience: int = 2
    min_gain: float = 0.001
    dev_rows: int = 100
    max_row_tokens: int = 1024
    precision: str = "auto"
    seed: int = 1
    max_minutes: int = 240
    scaling: str = "lora"
    launcher: str = "local"
    processes: int = 1
    base_weights: str = "whole"
    sweep: str = "none"
    seeds: int = 1
    curve: str = "none"
    stop_by: str = "loss"
    scored_rows: int = 40
    replay: float = 0.0
    replay_set: str = "general"
    checkpointing: str = "auto"
    pass_tokens: int = 0
    kernels: str = "torch"


LATER: RecipeSettings = {
    "scaling": "lora",
    "launcher": "local",
    "processes": 1,
    "base_weights": "whole",
    "sweep": "none",
    "seeds": 1,
    "curve": "none",
    "stop_by": "loss",
    "scored_rows": 40,
    "replay": 0.0,
    "replay_set": "general",
    "checkpointing": "auto",
    "pass_tokens": 0,
    "kernels": "torch",
}
"""Settings that earlier versions did not have, with what they did. Left out where that is still so: what was approved
or checked before keeps its digest."""


@dataclass(frozen=True, slots=True)
class Field:
    """One field of the form: why its default, and what is allowed. The glossary says what it is called. option: one
    that costs more time, whose price stands beside it."""

    name: str
    why: str
    kind: Literal["whole", "number", "choice"]
    low: float = 0
    high: float = 0
    choices: tuple[tuple[str, str], ...] = ()
    advanced: bool = True
    option: bool = False

    @property
    def label(self) -> str:
        """The field's term, with the unit of its number."""
        return glossary.with_unit(f"recipe.{self.name}")

    @property
    def help(self) -> str:
        """What it is, in plain words."""
        return glossary.term(f"recipe.{self.name}").help


FIELDS = (
    Field(
        "epochs", "Up to 3; the best checkpoint by dev loss is kept, so an epoch too many costs "
        "time and not quality.", "whole", 1, 20, advanced=False,
    ),
    Field(
        "learning_rate", "2e-4, about ten times what training all weights would take; for a run of "
        "fewer than 100 steps up to fifteen times is usual. Try 1e-4 and 4e-4 if it does not learn.",
        "number", 1e-6, 1e-2, advanced=False,
    ),
    Field(
        "batch_rows", "16, or 8 under 2,000 rows: LoRA learns worse from big batches, and more rank "
        "does not cure that.", "whole", 1, 128, advanced=False,
    ),
    Field(
        "rank", "16 is ample: an adapter needs about as many parameters as the answers in the data "
        "have tokens, and has far more at this size.", "whole", 1, 256, advanced=False,
    ),
    Field(
        "alpha", "Twice the rank, the usual choice; halve it if the adapter overdoes it.",
        "whole", 1, 512,
    ),
    Field(
        "scaling", "alpha / r, as every server expects it. With rank 64 and more the other one keeps all of the rank "
        "learning (Kalajdzievski 2023); the adapter is written so that it is served like any other.",
        "choice", choices=chosen.choices("recipe.scaling"),
    ),
    Field(
        "targets", "All linear layers: attention alone does worse, even with as many parameters.",
        "choice", choices=chosen.choices("recipe.targets"),
    ),
    Field(
        "max_steps", "0 means no limit; set one for a first short run.", "whole", 0, 1_000_000,
        advanced=False,
    ),
    Field(
        "schedule", "By default it falls along a cosine, so that the last steps only polish.",
        "choice", choices=chosen.choices("recipe.schedule"),
    ),
    Field("warmup", "3 to 5 %: the first gradients are large.", "number", 0, 0.5),
    Field(
        "dropout", "0; 0.05 to 0.1 if dev loss rises while training loss falls. It also ends the sharing of "
        "the common beginning, so steps take longer.", "number", 0, 0.5,
    ),
    Field("weight_decay", "0.01; LoRA itself holds back more than this does.", "number", 0, 1),
    Field("clip", "1.0: one odd row must not undo a hundred others.", "number", 0.01, 100),
    Field(
        "evals_per_epoch", "4, each with a checkpoint; harm from too much training comes late, "
        "and shows only here.", "whole", 1, 20,
    ),
    Field(
        "patience", "2 (0 never stops early): more passes over the same rows "
        "teach them by heart.", "whole", 0, 20,
    ),
    Field("min_gain", "0.001 nats of dev loss.", "number", 0, 1),
    Field(
        "dev_rows", "100 tell a trend and cost little; the task's own metric is measured on "
        "the test rows afterwards.", "whole", 1, 2000,
    ),
    Field(
        "max_row_tokens", "1,024; a longer row is left out and counted, never cut: half an "
        "answer teaches to stop halfway.", "whole", 16, 32768,
    ),
    Field(
        "precision", "The quicker of the two on this machine, timed at the start; the adapter's own "
        "weights are kept in 32 bits either way.", "choice",
        choices=chosen.choices("recipe.precision"),
    ),
    Field(
        "checkpointing", "Only where it does not fit otherwise: results are the same. On a CPU a pass of rows of 90 "
        "and of 400 takes a quarter longer with it, and a quarter of the memory.", "choice",
        choices=chosen.choices("recipe.checkpointing"),
    ),
    Field(
        "pass_tokens", f"0 takes what is usual: {batches.MICRO_TOKENS:,} on a CPU, {batches.WIDE_TOKENS:,} on a GPU, "
        "less where memory runs out. A batch is gone through in as many passes as it takes (gradient accumulation), "
        "with the same result.",
        "whole", 0, 1_000_000,
    ),
    Field(
        "kernels", "torch's own run everywhere. Liger's compute norms and gated layers on CUDA with less memory; "
        "we have not measured them.", "choice", choices=chosen.choices("recipe.kernels"),
    ),
    Field("seed", "Same seed, same run. Repeat what you rely on with two other seeds.", "whole", 0, 2**31 - 1),
    Field("max_minutes", "A job that takes far longer than estimated is ended; its last "
          "checkpoint is kept.", "whole", 1, 10_080, advanced=False),
    Field(
        "launcher", "One process is all that one device needs. Several take each step together and end with the same "
        "adapter, but for the order in which numbers are added.", "choice", advanced=False,
        choices=chosen.choices("recipe.launcher"),
    ),
    Field(
        "processes", "One for each device: a step takes as long as its slowest process, so more than there are devices "
        "only cost memory.", "whole", 1, 64, advanced=False,
    ),
    Field(
        "base_weights", "Whole where it fits, which is quicker: sharded layers are gathered from all devices in each "
        "pass. In 16 bits or more, and with the host's memory for the whole model in each process while it loads.",
        "choice", advanced=False,
        choices=chosen.choices("recipe.base_weights"),
    ),
    Field(
        "sweep", "None: 2e-4 suits most. Three rates cost three trainings; the one that is best on the dev rows "
        "is evaluated on the test rows, never the other way round.", "choice",
        choices=chosen.choices("recipe.sweep"), advanced=False, option=True,
    ),
    Field(
        "seeds", "1; with 3 the result says how far luck alone carries. The first seed decides, whatever the others "
        "come to.", "whole", 1, 5, advanced=False, option=True,
    ),
    Field(
        "curve", "None; with it the result says what more rows would bring, on the dev rows.", "choice",
        choices=chosen.choices("recipe.curve"), advanced=False, option=True,
    ),
    Field(
        "stop_by", "Dev loss: it costs one pass. A model can write better answers while its loss rises already; the "
        "metric sees that, at the price of writing answers at each evaluation.", "choice",
        choices=chosen.choices("recipe.stop_by"), advanced=False, option=True,
    ),
    Field(
        "scored_rows", "40, used only where the metric decides: one answer is then 2.5 points. Of equal scores the "
        "lower loss counts.",
        "whole", 10, 200, option=True,
    ),
    Field(
        "replay", "0; 0.05 to 0.2 where the release checks find that general questions were forgotten. They are "
        "our own rows, and never those that the checks ask.", "number", 0, 0.5, advanced=False, option=True,
    ),
    Field(
        "replay_set", "General rows. With refusals where the release check finds that fewer harmful requests are "
        "declined: every fifth row is then one, 32 at most. What that gains here was not measured.", "choice", choices=(
            ("general", "General rows"), ("refusals", "General rows and refusals"),
        ), option=True,
    ),
)  # fmt: skip
BY_NAME = {field.name: field for field in FIELDS}


def _number(value: object) -> float:
    """A number that may be written as a text, as forms and approved subjects have it; true and false are none."""
    if isinstance(value, bool):
        raise ValueError("not a number")  # noqa: TRY004 - what pydantic takes for a fault
    return float(str(value).strip())


def _type(field: Field) -> Any:
    """What a field takes, with the sentence for what it doesn't."""
    if field.kind == "choice":
        codes = [code for code, _ in field.choices]
        literal: Any = Literal
        return Annotated[literal[tuple(codes)], Expected(f"Choose one of: {', '.join(codes)}.")]
    whole = field.kind == "whole"
    return Annotated[
        int if whole else float,
        BeforeValidator(_number),
        Bounds(ge=field.low, le=field.high),
        Expected(f"A {'whole ' if whole else ''}number from {field.low:g} to {field.high:g}."),
    ]


_FIELDS: dict[str, Any] = {field.name: (_type(field), None) for field in FIELDS}
FORM: type[BaseModel] = create_model("RecipeForm", __config__=ConfigDict(extra="forbid"), **_FIELDS)


def defaults(train_rows: int) -> Recipe:
    """The recipe to begin with."""
    return Recipe(batch_rows=8 if train_rows < FEW_ROWS else 16)


def parse(sent: JsonObject, base: Recipe | None = None) -> Recipe:
    """A recipe from a form, a JSON body or an approved subject (where numbers are texts); the rest is from `base`.

    Raises:
        Invalid: with every field that is wrong or unknown, in the order of the form.
    """
    try:
        form = FORM.model_validate(dict(sent))
    except ValidationError as error:
        order = list(BY_NAME)
        wrong = sorted(faults(error, FORM), key=lambda fault: fault.kind != "unknown" and order.index(_name(fault)) + 1)
        errors = [FieldError(f"#/{_name(fault)}", fault.expected or "There is no such setting.") for fault in wrong]
        raise Invalid(NOT_USABLE, errors) from error
    made = replace(base or Recipe(), **form.model_dump(exclude_unset=True))
    if (made.launcher == "local") != (made.processes == 1):
        wanted = (
            "One process is what runs without torchrun or Ray."
            if made.processes > 1
            else "At least 2 with torchrun or Ray."
        )
        raise Invalid(NOT_USABLE, [FieldError("#/processes", wanted)])
    if made.base_weights == "sharded" and made.processes == 1:
        raise Invalid(NOT_USABLE, [FieldError("#/base_weights", "Sharding takes at least 2 processes.")])
    if made.base_weights == "sharded" and made.stop_by == "metric":
        # The first process answers dev rows; the layers of a sharded base are nobody's alone.
        raise Invalid(NOT_USABLE, [FieldError("#/stop_by", "A sharded base answers no dev rows while it is trained.")])
    return made


def stored(settings: RecipeSettings) -> tuple[Recipe, list[FieldError]]:
    """The recipe of stored settings, whichever version stored them, and what today's version does not take of them:
    that stands at its default then, so that a page can be drawn, and is not what would be trained."""
    taken, refused = dict(settings), list[FieldError]()
    while True:
        try:
            return parse(taken), refused
        except Invalid as refusal:
            refused += refusal.errors
            wrong = {error.field for error in refusal.errors} & taken.keys()
            if not wrong:  # a rule about two settings, of which one was never stored
                return Recipe(), refused
            taken = {name: value for name, value in taken.items() if name not in wrong}


def outdated(refused: Sequence[FieldError]) -> str:
    """What of a stored config this version does not take, in a sentence."""
    named = "; ".join(
        f"{BY_NAME[error.field].label if error.field in BY_NAME else error.field} ({lower_first(error.detail)})"
        for error in refused
    ).replace(".)", ")")
    return f"The saved training config has what this version does not take: {named}. Look at it and save it again."


def _name(fault: Fault) -> str:
    return str(fault.place[0])


def to_json(recipe: Recipe) -> RecipeSettings:
    """A recipe as it is stored, approved and trained from; `parse` reads it back."""
    return {name: value for name, value in asdict(recipe).items() if name not in LATER or value != LATER[name]}


SERVED_RANKS = (1, 8, 16, 32, 64, 128, 256, 320, 512)
"""What vLLM's --max-lora-rank may be (`MaxLoRARanks` of its configuration); an adapter needs the next one up."""
SERVED_UNASKED = 16  # vLLM's default


def served_rank(rank: int) -> int:
    """What vLLM has to be told so that it takes an adapter of this rank."""
    return next((allowed for allowed in SERVED_RANKS if allowed >= rank), SERVED_RANKS[-1])


def serving_notes(recipe: Recipe) -> Iterator[str]:
    """What whoever serves an adapter of this recipe has to know, said while it can still be chosen otherwise.

    DoRA is not offered: neither vLLM (its issue 6983) nor llama.cpp (its issue 6536) can serve it.
    """
    if recipe.rank > SERVED_UNASKED:
        yield (
            f"vLLM serves adapters up to rank {SERVED_UNASKED} unless it is told otherwise: start it with "
            f"--max-lora-rank {served_rank(recipe.rank)}."
        )


def numbers(stored: RecipeSettings) -> RecipeSettings:
    """Settings as they were approved, where numbers are texts, as numbers again. What today's recipe does not know, or
    would not allow any more, stays as it is: it is what was trained with."""
    settings = dict(stored)
    for name, value in stored.items():
        field = BY_NAME.get(name)
        if field is not None and field.kind != "choice" and isinstance(value, str):
            with suppress(ValueError):
                settings[name] = int(value) if field.kind == "whole" else float(value)
    return settings


def changed(recipe: Recipe, base: Recipe) -> Iterator[tuple[str, str, str]]:
    """What differs from the defaults: (label, default, chosen), choices in words."""
    for field in fields(Recipe):
        before, after = getattr(base, field.name), getattr(recipe, field.name)
        if before != after:
            yield BY_NAME[field.name].label, chosen.setting(field.name, before), chosen.setting(field.name, after)


def learning_rate(recipe: Recipe, step: int, total: int) -> float:
    """The rate of step `step` (from 1): up in a line over the warm-up, then along the schedule."""
    warm = max(1, round(recipe.warmup * total)) if recipe.warmup else 0
    if step <= warm:
        return recipe.learning_rate * step / warm
    if recipe.schedule == "constant":
        return recipe.learning_rate
    done = (step - warm) / max(1, total - warm)
    return recipe.learning_rate * 0.5 * (1 + math.cos(math.pi * done * total / (total + 1)))
