"""The process that holds a model: `python -m app.inference.local_child`, JSON lines in and out. Started by `local.py`.

In: `load` first, then any number of `answer`, `count` and `stop`. The end of standard input means that the parent is
gone, and ends this process at once. Answers are written by `decoding.py`, greedily; given answers are scored by
`label_scoring.py`.
"""

import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import cast

from app.chat import messages_from_json
from app.inference import constrained, decoding, devices, folders, following, label_scoring, loading, packed, tokens
from app.inference.local_protocol import AnsweredRow, AskedRow, CountedRow, Load, RowToCount
from app.inference.rows import COPIED, Row, answered, batches, in_common, prefill, repeated, tokens_at_once
from app.processes import parent

import torch  # isort: skip  (after loading, which makes it stay offline)


def answer(
    loaded: loading.Loaded,
    requests: Sequence[AskedRow],
    stop: threading.Event,
    keeper: constrained.Constraints | None = None,
    followers: Mapping[str, following.Follower] | None = None,
) -> Iterator[AnsweredRow]:
    """Yield one answer for each request as it is done; ends early, with fewer, once `stop` is set.

    keeper: what this model needs for constraints, kept from one call to the next. followers: of answers, by their id.
    """
    keeper = keeper or constrained.Constraints(loaded)
    yield from _scored(loaded, [request for request in requests if request.get("choices")], stop, keeper)
    rows = []
    for request in requests:
        if request.get("choices"):
            continue
        row, error = _row(loaded, request, keeper)
        if row is None:
            yield answered(Row(request["id"], [], 0), error=error)
        else:
            if (follower := (followers or {}).get(row.id)) is not None:
                follower.opened, row.follower = row.opened, follower
            rows.append(row)
    yield from decoding.run(loaded, rows, stop, keeper)


def _scored(
    loaded: loading.Loaded, requests: Sequence[AskedRow], stop: threading.Event, keeper: constrained.Constraints
) -> Iterator[AnsweredRow]:
    """Answer each request with the likeliest of its choices, and say how likely each one is."""
    for choices in dict.fromkeys(tuple(request["choices"]) for request in requests):
        rows = []
        for request in requests:
            if tuple(request["choices"]) != choices:
                continue
            row, error = _row(loaded, request, keeper)
            if row is None:
                yield answered(Row(request["id"], [], 0), error=error)
                continue
            messages = messages_from_json(request["messages"])
            rows.append(row)
        if not rows:
            continue
        try:
            labels = label_scoring.tree(loaded, messages, choices)
        except tokens.CannotRender as refusal:
            yield from (answered(row, error=str(refusal)) for row in rows)
        else:
            yield from _with_chances(loaded, rows, choices, labels, stop)


def _with_chances(
    loaded: loading.Loaded, rows: list[Row], choices: Sequence[str], labels: label_scoring.Tree, stop: threading.Event
) -> Iterator[AnsweredRow]:
    deepest = max(labels.depths, default=0) + 1
    for row in [row for row in rows if len(row.ids) + deepest > loaded.context]:
        error = f"The prompt has {len(row.ids)} tokens, and with a label the model reads {loaded.context} at most."
        yield answered(row, error=error)
        rows.remove(row)
    if not rows:
        return
    parts = labels.parts(label_scoring.nodes_at_once(loaded))
    for row in rows:
        row.room = max(len(part.nodes) for part, _ in parts)
    shared, limit = in_common(loaded, rows), tokens_at_once(loaded)
    with torch.inference_mode():
        fits = label_scoring.tree_fits(loaded, labels, min((row.ids for row in rows), key=len))
        together = fits and len(parts) == 1
        yield from () if fits else _too_long(rows, len(choices), deepest)
        prefix = prefill(loaded, rows[0].ids[:shared]) if shared and fits else None
        for batch in batches(rows, limit, min(COPIED, label_scoring.rows_at_once(loaded, labels)) if together else 1):
            if stop.is_set():
                return
            started = time.monotonic()
            prompts = [row.ids for row in batch]
            if together:
                beginning = None if prefix is None else repeated(prefix, len(batch))
                found = label_scoring.log_chances(loaded, labels, prompts, shared, beginning)
            elif fits:
                beginning = None if prefix is None else repeated(prefix, 1)
                cache = prefill(loaded, prompts[0][shared:-1], beginning)
                found = label_scoring.in_parts(loaded, parts, prompts[0], cache, stop.is_set)
            else:
                most = max(1, limit // (len(prompts[0]) + deepest))
                found = label_scoring.plain(loaded, labels, prompts[0], range(len(choices)), most).unsqueeze(0)
            for row, chances in zip(batch, found.double().softmax(-1).tolist(), strict=False):
                best = max(range(len(choices)), key=chances.__getitem__)
                row.seconds = (time.monotonic() - started) / len(batch)
                row.generated = [*labels.label(best), labels.ends[0]]
                yield {**answered(row, choices[best]), "chances": dict(zip(choices, chances, strict=True))}


def _too_long(rows: list[Row], labels: int, deepest: int) -> Iterator[AnsweredRow]:
    """Refuse the rows, which are taken off the list, for which writing every label out would take forever."""
    for row in [row for row in rows if (len(row.ids) + deepest) * labels > label_scoring.WRITTEN_OUT]:
        error = (
            f"This model can't score labels in one pass, and {labels} labels one by one are "
            f"{(len(row.ids) + deepest) * labels:,} tokens; {label_scoring.WRITTEN_OUT:,} at most for a row."
        )
        yield answered(row, error=error)
        rows.remove(row)


def _row(loaded: loading.Loaded, request: AskedRow, keeper: constrained.Constraints) -> tuple[Row | None, str]:
    if request.get("choices") and request.get("constraint"):
        return None, "Given answers are scored, so there is nothing to hold to a constraint."
    messages = messages_from_json(request["messages"])
    try:
        thinks = bool(request.get("thinks"))
        ids = tokens.prompt_ids(loaded.tokenizer, messages, thinks=thinks)
        opened = tokens.opened(loaded.tokenizer, messages, thinks=thinks)
    except tokens.CannotRender as error:
        return None, str(error)
    if not ids:
        return None, "The prompt is empty."
    if len(ids) >= loaded.context:
        return None, f"The prompt has {len(ids)} tokens, and the model reads {loaded.context} at most."
    try:
        guide = keeper.asked(request.get("constraint"), opened)
    except constrained.CannotConstrain as error:
        return None, str(error)
    room = min(request["max_tokens"], loaded.context - len(ids))
    return Row(request["id"], ids, room, opened, guide=guide), ""


def count(loaded: loading.Loaded, rows: Sequence[RowToCount]) -> Iterator[CountedRow]:
    """Yield the token counts of rows; with a target also those of the completion, and what is trained, decoded."""
    for row in rows:
        messages = messages_from_json(row["messages"])
        try:
            ids = tokens.training_row(loaded.tokenizer, messages, row["target"])
        except tokens.CannotRender as error:
            yield {"id": row["id"], "error": str(error)}
            continue
        yield {
            "id": row["id"],
            "prompt_tokens": len(ids.prompt),
            "completion_tokens": len(ids.completion),
            "prompt": loaded.tokenizer.decode(ids.prompt),
            "completion": loaded.tokenizer.decode(ids.completion),
        }


def _open(order: Load) -> loading.Loaded:
    loading.compute_with(order["threads"])
    loaded = loading.load(
        Path(order["model"]),
        order["files"],
        order["dtype"],
        device=order["device"],
        bits=order["bits"],
    )
    if order["adapter"]:
        loaded = loading.adapted(loaded, Path(order["adapter"]))
    parameters = loaded.model.num_parameters()  # which knows that two numbers of 4 bits are one of its bytes
    packed.pack(loaded.model)
    parent.say(
        "ready",
        dtype=loaded.dtype,
        device=loaded.device.title,
        threads=torch.get_num_threads(),
        context=loaded.context,
        model=loaded.manifest.model,
        revision=loaded.manifest.revision,
        digest=loaded.manifest.digest,
        parameters=parameters,
    )
    return loaded


def _with_and_without(requests: Sequence[AskedRow]) -> Iterator[tuple[list[AskedRow], bool]]:
    """The requests for the model as it was loaded, then those for the base model alone; either only where there are."""
    for bare in (False, True):
        if asked := [request for request in requests if bool(request.get("bare")) is bare]:
            yield asked, bare


def serve() -> None:
    """Do what comes in until the parent is gone."""
    stop = threading.Event()
    dropped = following.Dropped()
    inbox = parent.orders(stop, dropped.add)
    loaded = _open(cast("Load", inbox.get()))
    keeper = constrained.Constraints(loaded)
    while True:
        order = inbox.get()
        if order["do"] == "answer":
            followers = following.followers(order["requests"], dropped)
            for asked, bare in _with_and_without(order["requests"]):
                with loading.without_adapter(loaded) if bare else nullcontext():
                    for answered in answer(loaded, asked, stop, keeper, followers):
                        parent.say("answer", answer=answered)
            dropped.forget()
        else:
            for counted in count(loaded, order["rows"]):
                parent.say("counted", row=counted)
        parent.say("end", peak_bytes=devices.peak_bytes(loaded.device))


def main() -> int:
    """Run, and put the two failures a person can do something about into words."""
    parent.give_way()
    try:
        serve()
    except (folders.NotAModel, folders.Damaged, devices.NotThere) as error:
        parent.say("failed", kind="model", text=str(error))
        return 4
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and "memory" not in str(error):
            raise
        parent.say("failed", kind="memory", text="The model process ran out of memory.")
        return 6
    return 0


if __name__ == "__main__":
    sys.exit(main())
