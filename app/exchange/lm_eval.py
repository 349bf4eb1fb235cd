"""A measurement in the shape of EleutherAI's evaluation harness: one summary, and the samples of each task beside it.

A task is one variant on one split. The zip holds what `--output_path DIR --log_samples` would have written: a folder
named after the model, `results_DATE.json` in it, and one `samples_TASK_DATE.jsonl` a task. `arguments` hold the
question; `prompt_hash` is of the whole prompt with instructions and examples, as every answer of ours names it.
"""

import hashlib
import io
import re
import zipfile
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, BinaryIO, cast

import orjson

from app.advice.facts import NO_MODEL as FREE
from app.exchange.values import Block, ExportedAnswer, Lines, Measurement
from app.json_types import JsonDict

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

FILTER = "none"
VERSION = 1  # of how a task is made of a variant


def archive(measurement: Measurement, blocks: Sequence[Block], lines: Lines) -> Iterator[bytes]:
    """The zip, a piece at a time: nothing of it lies in memory or on a disk as a whole."""
    sent = _Pieces()
    model = _model(blocks)
    folder, stamp = sanitized(model), measurement.started_at.replace(":", "-")
    with zipfile.ZipFile(cast("BinaryIO", sent), "w", zipfile.ZIP_DEFLATED) as zipped:
        zipped.writestr(
            f"{folder}/results_{stamp}.json", orjson.dumps(summary(measurement, blocks), option=orjson.OPT_INDENT_2)
        )
        yield from sent.taken()
        for block in blocks:
            with zipped.open(f"{folder}/samples_{block.task}_{stamp}.jsonl", "w") as file:
                for line in lines(block):
                    file.write(orjson.dumps(sample(measurement, block, line)) + b"\n")
                    yield from sent.taken()
    yield from sent.taken()


def sanitized(name: str) -> str:
    """A model's name as a folder's, as the harness makes it of one; dots alone would be a folder above."""
    made = re.sub(r"[\"<>:/|\\?*\[\]]+", "__", name)
    return made if made.strip(". ") else "model"


def summary(measurement: Measurement, blocks: Sequence[Block]) -> JsonDict:
    """The aggregate, without a score where nothing was answered."""
    started = _seconds(measurement.started_at)
    ended = _seconds(measurement.concluded_at) if measurement.concluded_at else started
    model = _model(blocks)
    tasks = [block.task for block in blocks]
    return {
        "results": {block.task: _aggregate(measurement, block) for block in blocks},
        "group_subtasks": {task: [] for task in tasks},
        "configs": {block.task: _config(measurement, block) for block in blocks},
        "versions": dict.fromkeys(tasks, VERSION),
        "n-shot": {block.task: block.examples for block in blocks},
        "higher_is_better": {task: {measurement.metric: True} for task in tasks},
        "n-samples": {block.task: {"original": block.tally.asked, "effective": block.tally.scored} for block in blocks},
        "config": {
            "model": "tunegate",
            "model_args": f"model={model}",
            "gen_kwargs": {"temperature": 0.0, "max_gen_toks": measurement.max_tokens},
            "limit": None,
            "bootstrap_iters": 0,
            "random_seed": measurement.seed,
        },
        "git_hash": None,
        "date": started,
        "model_source": "tunegate",
        "model_name": model,
        "model_name_sanitized": sanitized(model),
        "system_instruction": measurement.instructions or None,
        "system_instruction_sha": _hash(measurement.instructions) if measurement.instructions else None,
        "start_time": started,
        "end_time": ended,
        "total_evaluation_time_seconds": str(ended - started),
        "tunegate": {
            "assessment": measurement.assessment,
            "measurement": measurement.number,
            "dataset_version": measurement.dataset_version,
            "rows_sha256": measurement.rows_sha256,
            "split_sha256": measurement.split_sha256,
            "metric": measurement.metric,
            "metric_options": dict(measurement.metric_options),
            "passing": measurement.passing,
            "target": measurement.target,
            "rules": measurement.rules,
        },
    }


def _model(blocks: Sequence[Block]) -> str:
    """The measurement's own model: that of the first variant that asks one."""
    return next((block.model for block in blocks if block.family not in FREE), "none")


def _aggregate(measurement: Measurement, block: Block) -> JsonDict:
    tally = block.tally
    error = tally.standard_error
    return {
        "alias": f"{block.title}, {block.split} rows",
        f"{measurement.metric},{FILTER}": tally.mean,
        f"{measurement.metric}_stderr,{FILTER}": "N/A" if error is None else error,
        "errors": tally.errors,
    }


def _config(measurement: Measurement, block: Block) -> JsonDict:
    return {
        "task": block.task,
        "dataset_path": f"tunegate/assessment-{measurement.assessment}",
        "dataset_name": f"version {measurement.dataset_version}",
        "test_split": block.split,
        "description": block.instructions,
        "doc_to_text": "question",
        "doc_to_target": "target",
        "num_fewshot": block.examples,
        "output_type": "generate_until",
        "generation_kwargs": {"until": [], "do_sample": False, "max_gen_toks": measurement.max_tokens},
        "metric_list": [{"metric": measurement.metric, "aggregation": "mean", "higher_is_better": True}],
        "repeats": 1,
        "metadata": {
            "version": VERSION,
            "arm": block.arm,
            "model": block.model,
            "model_answered": list(block.answered),
        },
    }


def sample(measurement: Measurement, block: Block, line: ExportedAnswer) -> JsonDict:
    """One answer. An error has no score: its metrics are an empty list, and `error` says what happened."""
    document = {"id": line.example_id, "line": line.line, "question": line.question, "target": line.target}
    return {
        "doc_id": line.example_id,
        "doc": document,
        "target": line.target,
        "arguments": {
            "gen_args_0": {"arg_0": line.question, "arg_1": {"until": [], "max_gen_toks": measurement.max_tokens}}
        },
        "resps": [[line.raw or ""]],
        "filtered_resps": [line.output],
        "filter": FILTER,
        "metrics": [] if line.score is None else [measurement.metric],
        "doc_hash": _hash(orjson.dumps(document, option=orjson.OPT_SORT_KEYS).decode()),
        "prompt_hash": line.prompt_sha256,
        "target_hash": _hash(line.target),
        **({} if line.score is None else {measurement.metric: line.score}),
        **({"error": line.error} if line.error else {}),
        "compared": [line.compared_target, line.compared_output],
        "shots": list(line.shots),
        "usage": {"prompt_tokens": line.prompt_tokens, "completion_tokens": line.completion_tokens},
        "seconds": None if line.latency_ms is None else line.latency_ms / 1000,
        "finish": line.finish,
        "model": block.model,
        "model_answered": list(block.answered),
    }


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _seconds(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp()


class _Pieces(io.RawIOBase):
    """A file that only goes forward: what a zip writes into it is taken out again and sent."""

    def __init__(self) -> None:
        super().__init__()
        self._waiting: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: "ReadableBuffer") -> int:
        piece = bytes(data)
        self._waiting.append(piece)
        return len(piece)

    def taken(self) -> Iterator[bytes]:
        """What was written since the last time."""
        waiting, self._waiting = self._waiting, []
        if waiting:
            yield b"".join(waiting)
