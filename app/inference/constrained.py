"""Constrained decoding: which tokens may come next, for each row of a batch. Only in the child that holds the model.

A row's matcher knows where in its grammar the row is. Before a step it marks the tokens that may follow; every other
one is made impossible before the most likely is taken. Where the row leaves thinking open, it is free until the mark
that closes it. An answer that is cut at its limit is cut, not invalid. Rows without a constraint are not touched.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import torch

from app.inference import answer_text, grammars, loading
from app.inference.constraints import Constraint
from app.inference.local_protocol import HeldTo

if TYPE_CHECKING:
    from llguidance import LLMatcher, LLTokenizer


class CannotConstrain(Exception):
    """Answers cannot be kept to this constraint; the sentence says why."""


@dataclass(slots=True)
class Guide:
    """Where one row is in its grammar. closes: the mark that ends its thinking, empty once it is answering."""

    matcher: "LLMatcher"
    closes: str = ""
    fault: str = ""

    @property
    def over(self) -> bool:
        """Nothing more may follow."""
        return not self.closes and bool(self.matcher.is_stopped())


class Constraints:
    """What one model needs to keep constraints. The vocabulary is read at the first one (about a second), a grammar is
    built once."""

    def __init__(self, loaded: loading.Loaded) -> None:
        self._loaded = loaded
        self._built: dict[Constraint, LLMatcher] = {}

    def asked(self, held: HeldTo | None, opened: str = "") -> Guide | None:
        """A row at the beginning of its grammar; None without a constraint. held: what its answer is held to. opened:
        the mark of thinking that the prompt leaves open.

        Raises:
            CannotConstrain: the grammar cannot be built, or the model's tokenizer is one that cannot be read.
        """
        if not held:
            return None
        constraint = Constraint(held["kind"], held["text"])
        if constraint not in self._built:
            self._built[constraint] = self._build(constraint)
        return Guide(self._built[constraint].deep_copy(), answer_text.closing(opened) if opened else "")

    def _build(self, constraint: Constraint) -> "LLMatcher":
        from llguidance import LLMatcher

        vocabulary = self._vocabulary
        try:
            matcher = LLMatcher(vocabulary, grammars.grammar(constraint), log_level=0)
        except ValueError as error:
            raise CannotConstrain(self._sentence(str(error))) from None
        if matcher.is_error():
            raise CannotConstrain(self._sentence(matcher.get_error()))
        return matcher

    @staticmethod
    def _sentence(reason: str) -> str:
        return f"Answers cannot be kept to this: {grammars.in_one_line(reason)}"

    @cached_property
    def _vocabulary(self) -> "LLTokenizer":
        import llguidance.hf  # here: it loads transformers, which `loading` makes stay offline first

        # Logits may be wider than the tokenizer: what is behind its end is padding, which no answer may hold.
        width = int(self._loaded.model.get_output_embeddings().weight.shape[0])
        stops = sorted(self._loaded.stops)
        try:
            return llguidance.hf.from_tokenizer(self._loaded.tokenizer, n_vocab=width, eos_token=stops)
        except (ValueError, RuntimeError) as error:
            raise CannotConstrain(f"This model's tokenizer cannot be constrained: {str(error)[:200]}") from None

    def mask(self, logits: torch.Tensor, guides: Sequence[Guide | None]) -> None:
        """Make every token impossible that may not come next. logits: (rows, vocabulary), changed in place."""
        active = [(number, guide) for number, guide in enumerate(guides) if guide is not None and not guide.closes]
        if not active:
            return
        from llguidance.numpy import fill_next_token_bitmask

        width = logits.shape[1]
        marks = np.zeros((len(active), (self._vocabulary.vocab_size + 31) // 32), dtype=np.int32)
        for at, (_, guide) in enumerate(active):  # one after the other: threads were no quicker (tests/bench)
            fill_next_token_bitmask(guide.matcher, marks, at)
        for _, guide in active:
            if guide.matcher.is_error():  # the grammar went over a limit: what the mask holds then means nothing
                guide.fault = self._sentence(guide.matcher.get_error())
        allowed = np.unpackbits(marks.view(np.uint8), axis=1, bitorder="little", count=width)
        forbidden = torch.from_numpy(allowed == 0).to(logits.device)
        if len(active) == len(guides):
            logits.masked_fill_(forbidden, float("-inf"))
        else:
            for at, (number, _) in enumerate(active):
                logits[number].masked_fill_(forbidden[at], float("-inf"))

    def took(self, guide: Guide, generated: Sequence[int]) -> None:
        """Go on by the token that `generated` ends with."""
        if guide.closes:
            self._thought(guide, generated)
        elif not guide.fault and not guide.matcher.consume_token(generated[-1]):
            guide.fault = self._sentence(guide.matcher.get_error())

    def _thought(self, guide: Guide, generated: Sequence[int]) -> None:
        """Begin with the grammar once the thinking is closed; what came with the closing mark is its beginning."""
        said = self._loaded.tokenizer.decode(generated[-16:], skip_special_tokens=False)
        at = said.lower().rfind(guide.closes.lower())
        if at < 0:
            return
        behind = said[at + len(guide.closes) :].lstrip()
        guide.closes = ""
        if behind and not guide.matcher.consume_tokens(self._vocabulary.tokenize_str(behind)):
            guide.fault = "The answer began together with the end of the thinking, and not as it may begin."
