"""LoRA training on one machine: our own loop, because on a CPU it is 1.7 to 4 times as fast as the usual trainers.

What makes it so was measured one by one on 90-token rows: bfloat16 weights with 32-bit master copies of the adapter,
attention and layers of our own (app/inference/attention.py, fused.py), batches of like length, a head that computes
only the positions that are trained, and a shared beginning of all prompts that is computed once a step. The last is
exact: keys and values of the beginning do not depend on what follows, and gradients of all rows meet in them.
"""

import json
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from app.inference import devices, loading, tokens
from app.inference.tokens import TokenRow
from app.training import batches, fits, fused, liger, sharding
from app.training import recipe as recipes
from app.training.passes import NO_TARGET, Beginning, padded
from app.training.ranks import Team
from app.training.recipe import Recipe
from app.training.recompute import Recompute

import torch  # isort: skip  (after loading, which makes it stay offline)
from peft import LoraConfig, get_peft_model  # isort: skip
from safetensors.torch import load_file, save_file  # isort: skip
from torch.nn import functional  # isort: skip

WORTH_SHARING = (
    16  # tokens that prompts begin with, below which a second pass through the model costs more than it saves
)
ATTENTION_LAYERS = ["q_proj", "k_proj", "v_proj", "o_proj"]
HEAVIEST = 3  # steps that are gone through for their memory: after them it hardly grows any more


class Diverged(Exception):
    """Loss or gradient is no number any more. Going on would only store noise."""


@dataclass(frozen=True, slots=True)
class Step:
    """One optimizer step. loss: nats a trained token, before the step. gradient: its norm before clipping."""

    step: int
    of: int
    epoch: float
    loss: float
    learning_rate: float
    gradient: float
    tokens_per_second: float


class Learner:
    """A base model that stays as it is, and an adapter that learns.

    The optimizer works on 32-bit copies (`masters`); after each step they are rounded into the model. With dropout the
    shared beginning is not used, since every row must draw its own.
    """

    def __init__(
        self,
        loaded: loading.Loaded,
        recipe: Recipe,
        train: Sequence[TokenRow],
        dev: Sequence[TokenRow],
        *,
        replay: int = 0,
        team: Team | None = None,
    ) -> None:
        """replay: how many rows at the end of `train` are general ones, whose prompts begin otherwise."""
        self.recipe, self.train, self.dev, self.replay = recipe, train, dev, replay
        self.loaded, self.team = loaded, team or Team()
        torch.manual_seed(recipe.seed)
        if recipe.kernels == "liger":
            liger.use(loaded)
        config = LoraConfig(
            r=recipe.rank,
            lora_alpha=recipe.alpha,
            lora_dropout=recipe.dropout,
            use_rslora=recipe.scaling == "rslora",
            target_modules=ATTENTION_LAYERS if recipe.targets == "attention" else recipe.targets,
            bias="none",
            task_type="CAUSAL_LM",
        )
        with loading.quiet():
            adapted = get_peft_model(loaded.model, config, autocast_adapter_dtype=False)
        self.model = loading.in_precision(adapted, loaded)
        self.inner = self.model.get_base_model()
        self.sharded = recipe.base_weights == "sharded" and not self.team.alone
        if self.sharded:
            sharding.spread(self.inner, self.team, loaded.device.name)
        elif not loaded.device.accelerator:
            fused.fit(self.model)
        self.learned = {name: p for name, p in self.model.named_parameters() if p.requires_grad}
        self.masters = {name: p.detach().float().clone() for name, p in self.learned.items()}
        self.optimizer = self._new_optimizer()
        self.lengths = [row.length for row in train]
        usual = batches.WIDE_TOKENS if loaded.device.accelerator else batches.MICRO_TOKENS
        self.budget = self.widest = recipe.pass_tokens or usual
        self.recompute = Recompute(self.inner)
        self.recompute.on = recipe.checkpointing == "on" and self.recompute.possible
        self.tell: Callable[[str], None] = lambda _line: None  # hears what a person should know of
        self.steps_an_epoch = batches.steps_per_epoch(len(train), recipe.batch_rows)
        planned = self.steps_an_epoch * recipe.epochs
        self.total = min(planned, recipe.max_steps) if recipe.max_steps else planned
        self.shared = self._shared([row.prompt for row in [*train[: len(train) - replay], *dev]])

    def adapted(self) -> loading.Loaded:
        """Model and adapter as they are now, ready to answer."""
        return replace(self.loaded, model=self.model)

    @property
    def adapter_parameters(self) -> int:
        return sum(p.numel() for p in self.masters.values())

    def run(self, done: int) -> Iterator[Step]:
        """Take the steps after `done`, yielding after each. To stop is to stop asking for more.

        Raises: Diverged: at the first loss or gradient that is no number; the adapter is as it was before that step.
        """
        for number in range(done, self.total):
            epoch, at = divmod(number, self.steps_an_epoch)
            plan = batches.epoch(self.lengths, self.recipe.batch_rows, self.recipe.seed, epoch, self.budget)
            yield self.step(number + 1, plan[at])

    def step(self, number: int, parts: batches.Step) -> Step:
        """Take optimizer step `number` (from 1) on these rows. Raises: Diverged: see `run`.

        Where memory runs out, this rank's passes are taken again at half the size: same rows, same sum of losses.
        """
        started = time.monotonic()
        self.model.train()
        self._draw(number)
        trained = sum(len(self.train[row].completion) for part in parts for row in part)
        mine = self.share(parts)
        while True:
            try:
                loss = self._gradients(number, mine, trained)
                break
            except RuntimeError as error:
                mine = self._less(number, mine, error)
        loss, gradient = self._apply(number, loss)
        read = sum(self.lengths[row] for part in parts for row in part)
        return Step(
            step=number,
            of=self.total,
            epoch=number / self.steps_an_epoch,
            loss=loss,
            learning_rate=recipes.learning_rate(self.recipe, number, self.total),
            gradient=gradient,
            tokens_per_second=read / max(time.monotonic() - started, 1e-9),
        )

    def share(self, parts: batches.Step) -> batches.Step:
        """The passes of a step that this rank takes: all of them where it is alone, none where rows are too few."""
        if self.team.alone:
            return parts
        rows = [row for part in parts for row in part]
        each = batches.shares(rows, self.lengths, self.team.place.size, self.budget, even=self.sharded)
        return each[self.team.place.rank]

    def _part_loss(self, part: Sequence[int], beginning: Beginning | None = None) -> torch.Tensor:
        """The summed loss of a pass; one without rows has none and goes through the layers for the others."""
        if not part:
            return self.loss_sum([min(self.train, key=lambda row: row.length)]) * 0
        rows = [self.train[row] for row in part]
        return self.loss_sum(rows, beginning if beginning and not self.general(part) else None)

    def _draw(self, number: int) -> None:
        """Several ranks draw their dropout by step and rank: each other masks, and the same again after a resume."""
        if self.recipe.dropout and not self.team.alone:
            torch.manual_seed((self.recipe.seed * 1_000_003 + number) * 1_009 + self.team.place.rank)

    def _less(self, number: int, parts: batches.Step, error: RuntimeError) -> batches.Step:
        """The same rows in passes that take less, from here on. Raises: the error: there is nothing more to be had."""
        if not fits.ran_out(error):
            raise error
        if self.sharded:  # the others would wait for layers that this rank never gathers
            raise torch.OutOfMemoryError(
                "the passes of this recipe do not fit into the memory of the device"
            ) from error
        self.forget_gradients()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        rows = [row for part in parts for row in part]
        if not fits.smaller(self, rows):
            raise torch.OutOfMemoryError("one row alone does not fit into the memory of the device") from error
        self.tell(f"Step {number}: memory ran out. {fits.settings_said(self)}")
        return batches.passes(rows, self.lengths, self.budget)

    def forget_gradients(self) -> None:
        for parameter in self.learned.values():
            parameter.grad = None

    def _gradients(self, number: int, parts: batches.Step, trained: int) -> float:
        """The loss of these passes, in nats by all tokens that the step trains, with its gradients left behind."""
        loss = 0.0
        beginning = self._beginning(parts)
        for part in self.alike(parts):
            summed = self._part_loss(part, beginning)
            if self.team.alone and not torch.isfinite(summed):  # ranks find out together, once it is added up
                raise Diverged(f"The loss of step {number} is not a number.")
            (summed / trained).backward()
            loss += float(summed.detach()) / trained
        if beginning is not None:
            beginning.backward()
        return loss

    def rehearse(self, parts: batches.Step) -> None:
        """Go forward and back as in a step, to time it, and learn nothing."""
        self.model.train()
        parts = self.share(parts)
        beginning = self._beginning(parts)
        for part in self.alike(parts):
            self._part_loss(part, beginning).backward()
        if beginning is not None:
            beginning.backward()
        self.forget_gradients()

    def make_room(self) -> None:
        """Rehearse the heaviest steps before the first one is taken. Memory that small passes have cut into pieces does
        not serve a large one that comes later, and is not given back; what a large one has taken serves all."""
        state = devices.random_state(self.loaded.device)  # dropout draws from it
        for step in fits.heaviest(self, HEAVIEST):
            parts = step
            while True:
                try:
                    self.rehearse(parts)
                except RuntimeError as error:
                    parts = self._less(0, parts, error)
                else:
                    break
        devices.restore_random_state(state)

    def _apply(self, number: int, loss: float) -> tuple[float, float]:
        """Take the step; gives the loss of all ranks and the norm of the gradient."""
        for name, parameter in self.learned.items():
            self.masters[name].grad = None if parameter.grad is None else parameter.grad.float()
            parameter.grad = None
        if not self.team.alone:
            for master in self.masters.values():
                if master.grad is None:
                    master.grad = torch.zeros_like(master)
            self.team.add([master.grad for master in self.masters.values()])
            (loss,) = self.team.sum(loss)
            if not math.isfinite(loss):
                raise Diverged(f"The loss of step {number} is not a number.")
        norm = float(torch.nn.utils.clip_grad_norm_(list(self.masters.values()), self.recipe.clip))
        if not math.isfinite(norm):
            raise Diverged(f"The gradient of step {number} is not a number.")
        for group in self.optimizer.param_groups:
            group["lr"] = recipes.learning_rate(self.recipe, number, self.total)
        self.optimizer.step()
        self._round()
        return loss, norm

    def _round(self) -> None:
        with torch.no_grad():
            for name, parameter in self.learned.items():
                parameter.copy_(self.masters[name])

    def loss_sum(self, rows: Sequence[TokenRow], beginning: Beginning | None = None) -> torch.Tensor:
        """Summed loss over the completion tokens of some rows, in nats; padding and prompts do not count.

        beginning: of the step that these rows are a pass of; without it the pass computes its own.
        """
        if beginning is None and len(rows) > 1 and self._shares(rows):
            beginning = Beginning(self.inner, rows[0].prompt[: self.shared], apart=False)
        shared = self.shared if beginning else 0
        cache = beginning.cache(len(rows)) if beginning else None
        inputs, labels = padded(rows, shared, self.loaded.tokenizer.pad_token_id or 0)
        trained = labels != NO_TARGET
        if self._plain_head:
            hidden = self.inner.model(input_ids=inputs, past_key_values=cache, use_cache=bool(shared)).last_hidden_state
            head = self.inner.get_output_embeddings()
            return torch.as_tensor(fused.HeadLoss.apply(hidden[trained], head.weight, head.bias, labels[trained]))
        logits = self.inner(input_ids=inputs, past_key_values=cache, use_cache=bool(shared)).logits[trained]
        return functional.cross_entropy(logits.float(), labels[trained], reduction="sum")

    def _shares(self, rows: Sequence[TokenRow]) -> bool:
        """Whether these rows have the shared beginning, and may have it computed once: general rows, which `alike`
        keeps apart, begin otherwise, and with dropout every row draws its own."""
        if not self.shared or (self.model.training and self.recipe.dropout):
            return False
        begin = self.dev[0].prompt[: self.shared]
        return not self.replay or all(row.prompt[: self.shared] == begin for row in rows)

    def alike(self, parts: batches.Step) -> batches.Step:
        """The same passes, with general rows in passes of their own: they do not begin as the others do."""
        if not self.replay or not self.shared:
            return parts
        halves = (
            [[row for row in part if self.general([row]) is general] for general in (False, True)] for part in parts
        )
        return tuple(tuple(half) for both in halves for half in both if half)

    def general(self, part: Sequence[int]) -> bool:
        """Whether a pass of `alike` is one of general rows."""
        return part[0] >= len(self.train) - self.replay

    def _beginning(self, parts: batches.Step) -> Beginning | None:
        """What the prompts of a step have in common, computed once for all its passes."""
        own = [row for part in parts for row in part if not self.general([row])]
        if not self.shared or len(own) < 2 or self.recipe.dropout:
            return None
        return Beginning(self.inner, self.train[own[0]].prompt[: self.shared], apart=True)

    @property
    def _plain_head(self) -> bool:
        """Whether logits are the head's output as it is; some models scale or cap them."""
        config = self.inner.config
        odd = any(getattr(config, key, None) for key in ("final_logit_softcapping", "logits_scaling", "logit_scale"))
        return hasattr(self.inner, "model") and not odd

    def _shared(self, prompts: list[list[int]]) -> int:
        shared = tokens.common_prefix(prompts)
        usable = self.loaded.plain_cache and hasattr(self.inner, "model")
        return shared if usable and shared >= WORTH_SHARING and not self.sharded else 0

    def dev_losses(self) -> Iterator[tuple[float, int]]:
        """Yield (summed loss, trained tokens) over this rank's dev rows, part by part: a stop can come in between."""
        self.model.eval()
        lengths = [row.length for row in self.dev]
        with torch.no_grad():
            beginning = Beginning(self.inner, self.dev[0].prompt[: self.shared], apart=False) if self.shared else None
        parts = batches.passes(range(len(self.dev)), lengths)
        ranks = self.team.place.size
        if self.sharded:  # all go through the layers equally often
            parts = (*parts, *[()] * (-len(parts) % ranks))
        for part in parts[self.team.place.rank :: ranks]:
            rows = [self.dev[number] for number in part]
            with torch.no_grad():
                summed = self.loss_sum(rows, beginning) if rows else self._part_loss(())
                yield float(summed), sum(len(row.completion) for row in rows)

    def check_ranks(self) -> None:
        """Raises: ranks.Apart: the ranks do not hold the same adapter."""
        self.team.check(list(self.masters.values()))

    def save(self, folder: Path) -> None:
        """Write everything that a run needs to go on bit by bit as if it had never stopped."""
        state = self.optimizer.state_dict()["state"]
        moments = {
            f"{kind}/{name}": state[number][kind].contiguous()
            for number, name in enumerate(self.masters)
            if number in state
            for kind in ("step", "exp_avg", "exp_avg_sq")
        }
        save_file({name: tensor.contiguous() for name, tensor in self.masters.items()}, folder / "masters.safetensors")
        chance = devices.random_state(self.loaded.device)
        save_file({**chance, **moments}, folder / "optimizer.safetensors")

    def restore(self, folder: Path) -> None:
        """Take up what `save` wrote; the folder has been verified before."""
        for name, tensor in load_file(folder / "masters.safetensors").items():
            self.masters[name].copy_(tensor)
        stored = load_file(folder / "optimizer.safetensors")
        devices.restore_random_state({name: stored.pop(name) for name in list(stored) if name.endswith("_rng")})
        if stored:
            state: dict[int, dict[str, torch.Tensor]] = {number: {} for number in range(len(self.masters))}
            place = {name: number for number, name in enumerate(self.masters)}
            for key, tensor in stored.items():
                kind, _, name = key.partition("/")
                state[place[name]][kind] = tensor
            groups = self.optimizer.state_dict()["param_groups"]
            self.optimizer.load_state_dict({"state": state, "param_groups": groups})
        self._round()

    def reset(self, masters: Mapping[str, torch.Tensor]) -> None:
        """Begin anew with these 32-bit weights of the adapter: no step was taken."""
        with torch.no_grad():
            for name, tensor in masters.items():
                self.masters[name].copy_(tensor)
                self.masters[name].grad = None
        self.optimizer = self._new_optimizer()
        self._round()

    def _new_optimizer(self) -> torch.optim.AdamW:
        return torch.optim.AdamW(list(self.masters.values()), lr=0.0, weight_decay=self.recipe.weight_decay)

    def export(self, folder: Path, masters: Path, model: str, revision: str | None) -> None:
        """Write an adapter as PEFT reads it, from a checkpoint's masters, with public names only.

        Raises: Diverged: a number of the adapter is not finite; such an adapter is not handed out.
        """
        tensors = load_file(masters)
        if bad := [name for name, tensor in tensors.items() if not torch.isfinite(tensor).all()]:
            raise Diverged(f"The adapter holds values that are not numbers ({len(bad)} of {len(tensors)} tensors).")
        raised = math.sqrt(self.recipe.rank) if self.recipe.scaling == "rslora" else 1.0
        plain = {
            name.replace(".default.", "."): tensor * raised if ".lora_B." in name else tensor
            for name, tensor in tensors.items()
        }
        save_file(plain, folder / "adapter_model.safetensors", metadata={"format": "pt"})
        config = self.model.peft_config["default"].to_dict()
        # alpha / sqrt(r) of B is alpha / r of sqrt(r) B: written so, every server multiplies by the right number.
        config |= {"base_model_name_or_path": model, "revision": revision, "inference_mode": True, "use_rslora": False}
        config["target_modules"] = sorted(config["target_modules"])
        text = json.dumps(config, indent=2, sort_keys=True, default=_plain)
        (folder / "adapter_config.json").write_text(text + "\n", encoding="utf-8")


def _plain(value: object) -> object:
    return sorted(value) if isinstance(value, set | frozenset) else str(value)
