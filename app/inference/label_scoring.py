"""How likely each of some answers is to a model: what labels are scored with. Only child processes import this file.

The tokens of all labels stand as a tree behind the prompt, what labels begin with in common once, and one pass with a
mask in which every token sees the prompt and what leads to it gives the probability of each step. A label counts with
its end, so that one that another begins with is not likelier for being shorter: whole labels exclude each other, and
their probabilities, taken as shares of their sum, are the model's own given that its answer is one of them. So
nothing is divided by its length: means of logarithms are no probabilities of anything.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from app.chat import Message
from app.inference import loading, tokens

import torch  # isort: skip  (after loading, which makes it stay offline)
from transformers import DynamicCache  # isort: skip

LOGITS = 1 << 27  # numbers of logits in one pass, at most: half a gigabyte
NODES = 512  # tokens of labels in one pass: with more, each looking at each takes longer than their own computing
WRITTEN_OUT = 100_000  # tokens of a row at most, where each label needs a pass over the prompt of its own
SAME = 0.1  # of log-probability for each token, by which two ways to compute may differ; in bfloat16 they do


@dataclass(frozen=True, slots=True)
class Tree:
    """The tokens of some labels. nodes: its tokens, parents before children. parents: of each, -1 for the first of a
    label. paths: the nodes of each label. ends: the tokens that end an answer.
    """

    nodes: tuple[int, ...]
    parents: tuple[int, ...]
    paths: tuple[tuple[int, ...], ...]
    ends: tuple[int, ...]

    @property
    def depths(self) -> list[int]:
        """How many tokens lead to each node."""
        depths: list[int] = []
        for parent in self.parents:
            depths.append(depths[parent] + 1 if parent >= 0 else 0)
        return depths

    def parts(self, most: int) -> "list[tuple[Tree, list[int]]]":
        """The same labels as smaller trees of at most `most` tokens, each with the numbers of its labels; a label that
        alone is longer has a tree of its own. Labels that begin alike stand in the same one, as far as it goes."""
        if len(self.nodes) <= most:
            return [(self, list(range(len(self.paths))))]
        cut: list[list[int]] = [[]]
        nodes: set[int] = set()
        for number in sorted(range(len(self.paths)), key=self.label):
            if cut[-1] and len(nodes.union(self.paths[number])) > most:
                cut.append([])
                nodes = set()
            cut[-1].append(number)
            nodes.update(self.paths[number])
        return [(self._of(numbers), numbers) for numbers in cut]

    def _of(self, numbers: Sequence[int]) -> "Tree":
        """The tree of these labels alone."""
        kept = sorted({node for number in numbers for node in self.paths[number]})
        now = {node: at for at, node in enumerate(kept)}
        return Tree(
            tuple(self.nodes[node] for node in kept),
            tuple(now.get(self.parents[node], -1) for node in kept),
            tuple(tuple(now[node] for node in self.paths[number]) for number in numbers),
            self.ends,
        )

    def label(self, number: int) -> list[int]:
        """The tokens of a label, without its end."""
        return [self.nodes[node] for node in self.paths[number]]


def tree(loaded: loading.Loaded, messages: Sequence[Message], labels: Sequence[str]) -> Tree:
    """What the model would write for each label, as its own template writes an answer to these messages.

    Raises: tokens.CannotRender: the template does not take them.
    """
    nodes: list[int] = []
    parents: list[int] = []
    known: dict[tuple[int, int], int] = {}
    paths = []
    ends = set(loaded.stops)
    for label in labels:
        *inner, end = tokens.training_row(loaded.tokenizer, messages, label).completion
        ends.add(end)
        path: list[int] = []
        for token in inner:
            key = (path[-1] if path else -1, token)
            if key not in known:
                known[key] = len(nodes)
                nodes.append(token)
                parents.append(key[0])
            path.append(known[key])
        paths.append(tuple(path))
    return Tree(tuple(nodes), tuple(parents), tuple(paths), tuple(sorted(ends)))


def nodes_at_once(loaded: loading.Loaded) -> int:
    """Tokens of labels in one pass: what is quick, by the memory for their logits."""
    return max(1, min(NODES, LOGITS // int(loaded.model.config.vocab_size) - 1))


def rows_at_once(loaded: loading.Loaded, labels: Tree) -> int:
    """Rows in one pass, by the memory for their logits."""
    return max(1, LOGITS // ((len(labels.nodes) + 1) * int(loaded.model.config.vocab_size)))


def in_parts(
    loaded: loading.Loaded,
    parts: Sequence[tuple[Tree, Sequence[int]]],
    prompt: list[int],
    cache: DynamicCache,
    stop: Callable[[], bool],
) -> torch.Tensor:
    """Log-probability of each label after one prompt, some labels at a time: (1, labels); no row once `stop()` is true.

    cache: of all tokens of the prompt but the last one. It is as it was afterwards.
    """
    known = len(prompt) - 1
    chances = torch.empty((1, sum(len(numbers) for _, numbers in parts)))
    for labels, numbers in parts:
        if stop():
            return chances[:0]
        chances[0, list(numbers)] = log_chances(loaded, labels, [prompt], known, cache)[0].to(chances)
        cache.crop(-1 - len(labels.nodes))
    return chances


def log_chances(
    loaded: loading.Loaded,
    labels: Tree,
    prompts: Sequence[list[int]],
    shared: int = 0,
    prefix: DynamicCache | None = None,
) -> torch.Tensor:
    """Log-probability of each label, with its end, after each prompt: (prompts, labels), float32.

    shared: tokens that all prompts begin with, which `prefix` is the cache of, for this pass to use up.
    """
    rows, width, size = len(prompts), max(map(len, prompts)) - shared, len(labels.nodes)
    kind, device = loaded.model.dtype, loaded.model.device
    inputs = torch.full((rows, width + size), loaded.tokenizer.pad_token_id or 0)
    positions = torch.zeros((rows, width + size), dtype=torch.long)
    # Who sees whom: (rows, tokens, shared + tokens). Padding stands between the shared part and the rest.
    sees = torch.zeros((rows, width + size, shared + width + size), dtype=torch.bool)
    sees[:, :, :shared] = True
    above = torch.zeros((size, size), dtype=torch.bool)
    for node, parent in enumerate(labels.parents):
        if parent >= 0:
            above[node] = above[parent]
        above[node, node] = True
    depths = torch.tensor(labels.depths, dtype=torch.long)
    for number, ids in enumerate(prompts):
        own = len(ids) - shared
        start = width - own
        inputs[number, start:width] = torch.tensor(ids[shared:])
        inputs[number, width:] = torch.tensor(labels.nodes, dtype=torch.long)
        positions[number, start:width] = torch.arange(shared, len(ids))
        positions[number, width:] = len(ids) + depths
        sees[number, start:width, shared + start : shared + width] = torch.ones((own, own), dtype=torch.bool).tril()
        sees[number, width:, shared + start : shared + width] = True
        sees[number, width:, shared + width :] = above
    mask = torch.zeros(sees.shape, dtype=kind).masked_fill(~sees, torch.finfo(kind).min)
    logits = loaded.model(
        input_ids=inputs.to(device),
        attention_mask=mask.unsqueeze(1).to(device),
        position_ids=positions.to(device),
        past_key_values=prefix,
        use_cache=prefix is not None,
        logits_to_keep=size + 1,
    ).logits  # (rows, 1 + nodes, vocabulary): what follows the prompt, then what follows each node
    return torch.stack([_read(each, labels) for each in logits])


def _read(logits: torch.Tensor, labels: Tree) -> torch.Tensor:
    """Log-probability of each label from what may follow the prompt and each node: (1 + nodes, vocabulary)."""
    whole = torch.logsumexp(logits.float(), -1)  # (1 + nodes,)
    from_where = torch.tensor([parent + 1 for parent in labels.parents], dtype=torch.long)
    steps = logits[from_where, torch.tensor(labels.nodes, dtype=torch.long)].float() - whole[from_where]
    ended = torch.logsumexp(logits[:, list(labels.ends)].float(), -1) - whole
    return torch.stack([steps[list(path)].sum() + ended[path[-1] + 1 if path else 0] for path in labels.paths])


def plain(loaded: loading.Loaded, labels: Tree, prompt: list[int], chosen: Sequence[int], at_once: int) -> torch.Tensor:
    """The same for one prompt and the labels of these numbers, each written out behind the prompt: for models that a
    tree or a shared beginning doesn't fit, and to tell which ones those are. at_once: labels in one pass."""
    chances = []
    for start in range(0, len(chosen), at_once):
        part = [labels.label(number) for number in chosen[start : start + at_once]]
        width = len(prompt) + max(map(len, part))
        inputs = torch.full((len(part), width), loaded.tokenizer.pad_token_id or 0)
        mask = torch.zeros((len(part), width), dtype=torch.long)
        for number, label in enumerate(part):
            inputs[number, : len(prompt) + len(label)] = torch.tensor([*prompt, *label])
            mask[number, : len(prompt) + len(label)] = 1
        logits = loaded.model(
            input_ids=inputs, attention_mask=mask, use_cache=False, logits_to_keep=width - len(prompt) + 1
        ).logits
        for number, label in enumerate(part):
            steps = torch.log_softmax(logits[number, : len(label) + 1].float(), -1)
            written = steps[range(len(label)), label].sum()
            chances.append(written + torch.logsumexp(steps[len(label), list(labels.ends)], -1))
    return torch.stack(chances)


def tree_fits(loaded: loading.Loaded, labels: Tree, prompt: list[int]) -> bool:
    """Whether the model computes with a tree what it computes with the labels written out: tried on its longest one."""
    if not loaded.plain_cache:
        return False
    labels = max(labels.parts(nodes_at_once(loaded)), key=lambda part: max(map(len, part[0].paths)))[0]
    longest = max(range(len(labels.paths)), key=lambda number: len(labels.paths[number]))
    try:
        by_tree = log_chances(loaded, labels, [prompt])[0, longest]
    except (ValueError, TypeError, IndexError, RuntimeError):  # a model that takes no such mask says so in many ways
        return False
    written = plain(loaded, labels, prompt, [longest], 1)[0]
    return bool((by_tree - written).abs() <= SAME * (len(labels.paths[longest]) + 1))
