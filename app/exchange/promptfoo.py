"""A measurement as promptfoo writes its own with `--output results.json`: version 3 of its results.

`promptfoo import FILE` takes it, and its viewer draws it: variants are its prompts, rows its test cases. A metric that
promptfoo has no equal of is not given as one of its assertions, since it would judge otherwise; score and verdict are
ours, and are said to be. Costs are there where they are known, in the team's own currency, which the metadata names.
"""

from collections.abc import Iterator, Mapping, Sequence

import orjson

from app.exchange.values import Block, ExportedAnswer, Lines, Measurement, Tally
from app.json_types import JsonDict, JsonObject

PASSED, FAILED, NO_ANSWER = 0, 1, 2  # promptfoo's ResultFailureReason: none, assert, error


def results(
    measurement: Measurement, blocks: Sequence[Block], lines: Lines, places: Mapping[int, int]
) -> Iterator[bytes]:
    """The file, a piece at a time. places: of each row, by its id, its number among the test cases, from 0."""
    arms = list(dict.fromkeys(block.arm for block in blocks))
    prompts = [_prompt(measurement, [block for block in blocks if block.arm == arm]) for arm in arms]
    yield b'{"evalId":' + _json(f"eval-{measurement.name}-{measurement.started_at}")
    yield b',"results":{"version":3,"timestamp":' + _json(measurement.concluded_at or measurement.started_at)
    yield b',"prompts":' + _json(prompts) + b',"results":['
    first = True
    for block in blocks:
        prompt = prompts[arms.index(block.arm)]
        for line in lines(block):
            value = _result(measurement, block, prompt, line) | {
                "promptIdx": arms.index(block.arm),
                "testIdx": places[line.example_id],
            }
            yield (b"" if first else b",") + _json(value)
            first = False
    yield b'],"stats":' + _json(_stats([block.tally for block in blocks])) + b"}"
    yield b',"config":' + _json(_config(measurement, prompts)) + b',"shareableUrl":null,"metadata":'
    yield _json(_metadata(measurement)) + b"}\n"


def _prompt(measurement: Measurement, blocks: Sequence[Block]) -> JsonDict:
    block, tallies = blocks[0], [block.tally for block in blocks]
    right, wrong = sum(tally.right for tally in tallies), sum(tally.wrong for tally in tallies)
    total = sum(tally.total for tally in tallies)
    return {
        "raw": block.instructions or "{{question}}",
        "label": block.title,
        "id": f"{measurement.name}/{block.arm}",
        "provider": f"tunegate:{block.model}",
        "metrics": {
            "score": total,
            "testPassCount": right,
            "testFailCount": wrong,
            "testErrorCount": sum(tally.errors for tally in tallies),
            "assertPassCount": right,
            "assertFailCount": wrong,
            "totalLatencyMs": round(1000 * sum(tally.seconds for tally in tallies)),
            "tokenUsage": _usage(tallies),
            "namedScores": {measurement.metric: total},
            "namedScoresCount": {measurement.metric: right + wrong},
            **_cost([block.cost for block in blocks]),
        },
    }


def _cost(amounts: Sequence[float | None]) -> dict[str, float]:
    """Left out where a part is not known: 0 would say that it cost nothing."""
    known = [amount for amount in amounts if amount is not None]
    return {"cost": round(sum(known), 9)} if amounts and len(known) == len(amounts) else {}


def _usage(tallies: Sequence[Tally]) -> JsonDict:
    prompt, completion = sum(t.prompt_tokens for t in tallies), sum(t.completion_tokens for t in tallies)
    return _tokens(prompt, completion) | {"numRequests": sum(tally.asked for tally in tallies)}


def _tokens(prompt: int, completion: int) -> JsonDict:
    return {
        "total": prompt + completion,
        "prompt": prompt,
        "completion": completion,
        "cached": 0,
        "numRequests": 1,
        "completionDetails": {"reasoning": 0, "acceptedPrediction": 0, "rejectedPrediction": 0},
    }


def _stats(tallies: Sequence[Tally]) -> JsonDict:
    return {
        "successes": sum(tally.right for tally in tallies),
        "failures": sum(tally.wrong for tally in tallies),
        "errors": sum(tally.errors for tally in tallies),
        "tokenUsage": _usage(tallies),
    }


def _result(measurement: Measurement, block: Block, prompt: JsonObject, line: ExportedAnswer) -> JsonDict:
    assertion = {"type": "equals", "value": line.target} if measurement.metric == "exact_match" else None
    variables = {"question": line.question, "expected": line.target}
    case = {
        "vars": variables,
        "assert": [assertion] if assertion else [],
        "metadata": {"split": line.split, "line": line.line},
    }
    known = line.prompt_tokens is not None
    usage = _tokens(line.prompt_tokens or 0, line.completion_tokens or 0) if known else {}
    score = line.score or 0.0
    success = bool(line.correct)
    result: JsonDict = {
        "testCase": case,
        "promptId": prompt["id"],
        "provider": {"id": prompt["provider"], "label": ", ".join(block.answered) or block.model},
        "prompt": {"raw": prompt["raw"], "label": prompt["label"]},
        "vars": variables,
        "response": {
            "output": line.output,
            "tokenUsage": usage,
            "cached": line.taken_from is not None,
            "raw": line.raw,
        },
        "error": line.error,
        "failureReason": NO_ANSWER if line.score is None else PASSED if success else FAILED,
        "success": success,
        "score": score,
        "latencyMs": line.latency_ms,
        **_cost([line.cost]),
        "gradingResult": None,
        "namedScores": {} if line.score is None else {measurement.metric: score},
        "tokenUsage": usage,
        "metadata": {
            name: getattr(line, name)
            for name in ("arm", "example_id", "compared_target", "compared_output", "status", "finish", "cause",
                         "prompt_sha256", "shots", "attempt", "created_at")
        },
    }  # fmt: skip
    if line.score is not None:
        reason = f"{measurement.metric}: {score:g}"
        graded = {"pass": success, "score": score, "reason": reason}
        inside = [graded | {"assertion": assertion}] if assertion else []
        result["gradingResult"] = graded | {"namedScores": {measurement.metric: score}, "componentResults": inside}
    return result


def _config(measurement: Measurement, prompts: Sequence[JsonObject]) -> JsonDict:
    return {
        "description": f"{measurement.title}: measurement {measurement.number}",
        "prompts": [{"raw": prompt["raw"], "label": prompt["label"]} for prompt in prompts],
        "providers": list(dict.fromkeys(prompt["provider"] for prompt in prompts)),
        "tests": [],
        "metadata": {"judgedBy": "tunegate"},
    }


def _metadata(measurement: Measurement) -> JsonDict:
    return {
        "evaluationCreatedAt": measurement.started_at,
        "author": None,
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
            "max_tokens": measurement.max_tokens,
            "seed": measurement.seed,
            "currency": measurement.currency,
        },
    }


def _json(value: object) -> bytes:
    return orjson.dumps(value)
