"""A request on its way to an answer, and what rows that are computed together share. Only children import it."""

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from app.inference import constrained, following, loading, tokens
from app.inference.generator import Finish
from app.inference.local_protocol import AnsweredRow

import torch  # isort: skip  (after loading, which makes it stay offline)
from transformers import DynamicCache  # isort: skip

COPIED = 32  # rows in one batch, where each has a copy of what they share: with more a CPU core only copies more
CACHE_BYTES = 1 << 30
BATCH_TOKENS = 32768
WORTH_SHARING = 16  # tokens
SAVES = 4096  # tokens: reading as many takes a small model on a CPU core longer than a batch more
DROPPED = "Nobody waits for this answer any more."


@dataclass(slots=True)
class Row:
    """A request on its way: `ids` of its whole prompt, the tokens `generated` so far, `room` for how many.

    opened: thinking that the prompt leaves open, which is said with the answer. seconds: this row's own share of the
    time that its batch has taken. guide: keeps the answer to its constraint, None where it has none. follower: looks
    on while it is written, None where nobody does.
    """

    id: str
    ids: list[int]
    room: int
    opened: str = ""
    generated: list[int] = field(default_factory=list)
    seconds: float = 0.0
    guide: constrained.Guide | None = None
    follower: following.Follower | None = None

    @property
    def most(self) -> int:
        """Tokens that prompt and answer may have together."""
        return len(self.ids) + self.room


def in_common(loaded: loading.Loaded, rows: Sequence[Row]) -> int:
    """Tokens that all prompts begin with, where it is worth while to compute them once, and possible."""
    shared = tokens.common_prefix([row.ids for row in rows])
    return 0 if shared < WORTH_SHARING or len(rows) < 2 or not loaded.plain_cache else shared


def alike(rows: Sequence[Row]) -> list[list[Row]]:
    """Rows in parts, of which each begins alike for longer than all of them do. One row with another example in front
    would else take the shared beginning from all. A part stands alone where that saves SAVES tokens at least."""
    common = tokens.common_prefix([row.ids for row in rows])
    by_next: dict[int, list[Row]] = {}
    for row in rows:
        by_next.setdefault(row.ids[common], []).append(row)
    largest = max(by_next.values(), key=len, default=[])
    more = tokens.common_prefix([row.ids for row in largest]) - common
    if len(by_next) < 2 or more * (len(largest) - 1) < SAVES:
        return [list(rows)]
    rest = [row for row in rows if row.ids[common] != largest[0].ids[common]]
    return [*alike(largest), *alike(rest)]


def repeated(prefix: DynamicCache, times: int) -> DynamicCache:
    """A cache of the shared beginning for so many rows."""
    cache = copy.deepcopy(prefix)
    cache.batch_repeat_interleave(times)
    return cache


def batches(rows: Sequence[Row], limit: int, most: int = COPIED) -> Iterator[list[Row]]:
    """Cut rows into batches of like length, longest first: at most `most` rows, and `limit` tokens of cache."""
    batch: list[Row] = []
    for row in sorted(rows, key=lambda row: (-len(row.ids), row.id)):
        widest = max([*(other.most for other in batch), row.most])
        if batch and (len(batch) == most or widest * (len(batch) + 1) > limit):
            yield batch
            batch = []
        batch.append(row)
    if batch:
        yield batch


def tokens_at_once(loaded: loading.Loaded) -> int:
    """Tokens that a batch may hold: bounded by the memory for keys and values."""
    config = loaded.model.config
    heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    each = 2 * config.num_hidden_layers * heads * size * loading.DTYPES[loaded.dtype].itemsize
    return max(1, min(BATCH_TOKENS, int(CACHE_BYTES // each)))


def prefill(loaded: loading.Loaded, ids: list[int], before: DynamicCache | None = None) -> DynamicCache:
    """The cache of these tokens; before: of those that stand before them."""
    cache = DynamicCache(config=loaded.model.config) if before is None else before
    if not ids:
        return cache
    loaded.model(input_ids=torch.tensor([ids]), past_key_values=cache, use_cache=True, logits_to_keep=1)
    return cache


def taken(loaded: loading.Loaded, row: Row, token: int, keeper: constrained.Constraints) -> AnsweredRow | None:
    """Go on by one token; the row's answer, if it ends with that."""
    if token in loaded.stops and not (row.guide and row.guide.fault):
        return done(loaded, row, "stop")
    row.generated.append(token)
    if row.follower is not None and (ended := row.follower.took(loaded.tokenizer, row.generated)) is not None:
        return answered(row, ended.text) if ended.text is not None else answered(row, error=DROPPED)
    if row.guide is not None:
        keeper.took(row.guide, row.generated)
        if row.guide.fault:
            return answered(row, error=row.guide.fault)
        if row.guide.over:
            return done(loaded, row, "stop")
    return done(loaded, row, "length") if len(row.generated) >= row.room else None


def done(loaded: loading.Loaded, row: Row, finish: Finish) -> AnsweredRow:
    text = row.opened + loaded.tokenizer.decode(row.generated, skip_special_tokens=True)
    return answered(row, text, finish=finish)


def answered(row: Row, text: str = "", *, finish: Finish = "stop", error: str = "") -> AnsweredRow:
    return {
        "id": row.id,
        "text": text,
        "finish": finish,
        "prompt_tokens": len(row.ids),
        "completion_tokens": len(row.generated),
        "seconds": row.seconds,
        "error": error or None,
    }
