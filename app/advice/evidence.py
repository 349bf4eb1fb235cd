"""What was measured of one assessment, by the names of the case file: what the gate judges, and a reviewer approves.

A name that is None was not measured. The values are as they were measured; `case.parse` is stricter and rounds, and the
digest of an approved subject needs them as they are. `version` is of the shape: names are only ever added, each with a
default, so that what an earlier version wrote is read by the same class.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar

from app.json_types import JsonDict, JsonObject
from app.strict import OUR_OWN, Frozen


@dataclass(frozen=True, slots=True, kw_only=True)
class Score(Frozen):
    """A result: counted (`passed` of `total`) or graded (`score` from 0 to 1 with its interval, and how many `rows`).

    prompt_tokens: of one call, on average. split: which rows it answered, where it isn't the dev rows.
    """

    passed: int | None = None
    total: int | None = None
    score: float | None = None
    low: float | None = None
    high: float | None = None
    rows: int | None = None
    prompt_tokens: int | None = None
    split: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompting(Score):
    """What prompting reached: the kinds of arms that count as tried, and the best of them on the test rows.

    error_rate, cut_rate: shares of its rows, 0 to 1, without an answer and with one cut at the length limit.
    """

    arms: tuple[str, ...]
    revised: bool
    best_arm: str | None = None
    error_rate: float | None = None
    cut_rate: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence(Frozen):
    """Everything measured so far; `schema.Measured` says what each name means."""

    version: ClassVar[int] = 1

    uploaded_examples: int | None = None
    usable_examples: int | None = None
    contradiction_rate: float | None = None
    similar_questions: int | None = None
    agreement_kappa: float | None = None
    agreement_rows: int | None = None
    references_judged: int | None = None
    references_wrong: int | None = None
    oracle_gain: float | None = None
    rows_carry_context: bool | None = None
    test_rows: int | None = None
    test_overlap_rows: int | None = None
    test_human_checked: bool | None = None
    own_test_rows: bool | None = None
    untaught_rows: int | None = None
    checker_share: float | None = None
    checker_failures: int | None = None
    identifiers_decided: bool | None = None
    signals: JsonObject | None = None
    corpus_tokens: int | None = None
    metric_set_before_baseline: bool | None = None
    target_changes: int | None = None
    baseline: Prompting | None = None
    baseline_on_base: bool | None = None
    baseline_ran_on: str | None = None
    trains_on: str | None = None
    baseline_unfinished: bool | None = None
    winning_prompt_tokens: int | None = None
    arms: Mapping[str, Score] | None = None
    failure_causes: Mapping[str, int] | None = None
    failures: int | None = None
    tagged_twice: int | None = None
    tags_kappa: float | None = None
    judge_holds: bool | None = None
    judge_fault: str | None = None
    judge_labels: int | None = None
    judge_kappa: float | None = None
    judge_kin: str | None = None
    judge_name: str | None = None
    teacher: Score | None = None
    cost_case: str | None = None
    cost_basis: str | None = None

    @property
    def best_arm(self) -> str | None:
        """The kind of arm whose result on the test rows stands; None while there is none."""
        return self.baseline.best_arm if self.baseline else None


def joined(parts: "list[Evidence]") -> Evidence:
    """What several concepts measured, as one. A later part's word counts before an earlier one's; results of single
    arms are put together, since the check of the data tries an arm of its own."""
    values: dict[str, Any] = {}  # by the names of the fields
    null: dict[str, None] = {}
    more: JsonDict = {}
    arms: dict[str, Score] = {}
    for part in parts:
        for item in fields(part):
            if item.name not in OUR_OWN and getattr(part, item.name) is not None:
                values[item.name] = getattr(part, item.name)
                null.pop(item.name, None)
        null |= dict.fromkeys(part.null)
        for name in part.null:
            values.pop(name, None)
        more |= part.more
        arms |= part.arms or {}
    return Evidence(**(values | ({"arms": arms} if arms else {})), null=tuple(null), more=more)
