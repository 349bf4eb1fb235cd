"""How much memory a pass through a model keeps, worked out from its shape, and how much a machine has. Pure.

What counts of a decoder layer, for each token: what its matrices and norms read (about 12 times the width, and 4 times
the inner one), and what attention keeps of its scores, of every head, to every token of the row
(`attention.kept_bytes`). The layer that is computed at the moment takes more on top (`BUSY`,
`attention.passing_bytes`), which decides where layers are few and rows long. A layer that computes again on the way
back keeps its input only; while it is at it, it has its own inside several times over. The head holds the logits of
some positions in 32 bits.

Factors were settled on models of 2, 6 and 30 layers, eager, by blocks and torch's own attention, in 16 and 32 bits
(tests/bench/RESULTS.md). `UNTRIED` is how much more room is asked for before something is tried.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PretrainedConfig

HEAD_TOKENS = 128  # trained positions whose logits are held at once: of 49,152 tokens each, they outweigh a layer
BUSY = 0.5  # of what a layer keeps besides scores, that it takes on top while it is computed
INSIDE = 6  # times what a layer keeps, that it takes while it is computed again and gone back through
UNTRIED = 0.25  # by how much a pass may take more than was worked out; tests/bench/RESULTS.md
TRIED = 0.1  # by how much a run was seen to differ from what was measured on its heaviest steps; the same place
NF4_BYTES = 0.5 + 1 / 64 + 4 / (64 * 256)  # of a weight: 4 bits, and its share of scales that are themselves in 8 bits
CGROUP = Path("/sys/fs/cgroup")
MEMINFO = Path("/proc/meminfo")


@dataclass(frozen=True, slots=True)
class Shape:
    """What of a model decides how much a pass keeps. size: bytes of a number. scores: bytes that attention keeps of
    each score; until: for rows of so many tokens at most, 0 for any. passing: bytes of each score that the layer takes
    on top that is computed at the moment."""

    layers: int
    hidden: int
    inner: int
    heads: int
    vocabulary: int
    size: int
    scores: int
    until: int = 0
    passing: int = 0

    @staticmethod
    def of(config: "PretrainedConfig", size: int, *, scores: int, until: int = 0, passing: int = 0) -> "Shape":
        """From a transformers config."""
        hidden = config.hidden_size
        inner = getattr(config, "intermediate_size", None) or 4 * hidden
        layers, heads = config.num_hidden_layers, config.num_attention_heads
        return Shape(layers, hidden, inner, heads, config.vocab_size, size, scores, until, passing)

    def kept(self, rows: int, width: int, shared: int = 0, *, recompute: bool = False) -> int:
        """Bytes that a pass takes at its most, besides what was there before.

        rows: of the pass. width: tokens of its longest row. shared: tokens of a beginning that is computed once.
        """
        tokens = rows * (width - shared) + shared
        scores = self.scores if not self.until or width <= self.until else 0
        plain = tokens * (12 * self.hidden + 4 * self.inner) * self.size
        layer = plain + tokens * self.heads * width * scores
        head = min(HEAD_TOKENS, rows * width) * self.vocabulary * 12
        passing = tokens * self.heads * width * self.passing if scores else 0
        whole = self.layers * layer + round(BUSY * plain) + passing
        if recompute:
            whole = min(whole, self.layers * tokens * self.hidden * self.size + INSIDE * layer)
        return whole + head


def free_bytes(cgroup: Path = CGROUP, meminfo: Path = MEMINFO) -> int:
    """Bytes that this machine, or the container that we are in, can still give out; 0 where neither says."""
    free = [number for number in (_machine(meminfo), _container(cgroup)) if number is not None]
    return max(0, min(free)) if free else 0


def _machine(meminfo: Path) -> int | None:
    try:
        lines = meminfo.read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")), None)


def _container(cgroup: Path) -> int | None:
    """What its limit leaves; files that are only cached are given back when they are in the way."""
    try:
        limit = (cgroup / "memory.max").read_text(encoding="ascii").strip()
        used = int((cgroup / "memory.current").read_text(encoding="ascii"))
        stat = (cgroup / "memory.stat").read_text(encoding="ascii").splitlines()
    except (OSError, ValueError):
        return None
    cached = next((int(line.split()[1]) for line in stat if line.startswith("inactive_file ")), 0)
    return int(limit) - used + cached if limit.isdigit() else None


def total(parts: Mapping[str, int]) -> int:
    """Bytes of all parts together."""
    return sum(parts.values())
