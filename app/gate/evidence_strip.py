"""The evidence in a few lines: what was asked for, what each way reached, and whether a trained model would pay.

Every number here was measured, or says that it was declared or estimated; each line leads to where it comes from. Test
results stand beside test results only.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Literal

from sqlalchemy.orm import Session

from app import glossary
from app.advice.gates.judge import ORDER
from app.advice.verdict import Advice
from app.assessments import service as assessments
from app.baselines import standing
from app.baselines.arms import ArmResult
from app.baselines.tables import ArmRow
from app.datasets.tables import DatasetRow
from app.economics import service as economics
from app.economics import store as cost_store
from app.economics.costs import Study
from app.economics.sentences import calls
from app.evaluation.kept_result import KeptResult
from app.gate.evidence import Facts
from app.json_types import JsonObject
from app.strict import stored
from app.wording import interval_text, percent, plural, signed_points, target_text

Mark = Literal["", "pass", "fail", "warn", "open"]


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the strip. value: a number as it is read; detail: what belongs to it. mark: how it comes out against
    the target or the best prompt, `mark_words` in words. how: measured, self-reported or estimated. url: a path.
    """

    key: str
    label: str
    value: str
    detail: str = ""
    mark: Mark = ""
    mark_words: str = ""
    how: str = ""
    url: str = ""


def strip(session: Session, facts: Facts, outcome: KeptResult | None = None) -> tuple[Line, ...]:
    """The lines, in the order they are read. outcome: what the newest judged run came to (`TrainingRow.result`)."""
    base = f"/assessments/{facts.assessment.id}"
    best = standing.best(facts.baseline) if facts.baseline else None
    target = assessments.answers(facts.assessment).get("target")
    goal = float(target) if isinstance(target, int | float) else None
    return (
        _target(facts, goal, base),
        _best(best, goal, base),
        *_free(facts, best, base),
        *_adapter(outcome, goal, base),
        *_costs(costs_of(session, facts), base),
        _data(facts.dataset, base),
    )


@dataclass(frozen=True, slots=True)
class Criteria:
    """How the criteria stand. open: id and title of those that lock training, the cheapest to settle first."""

    met: int
    counted: int
    not_applicable: int
    open: tuple[tuple[str, str], ...]


def criteria(advice: Advice) -> Criteria:
    """The criteria of an advice, counted."""
    states = [finding.state for finding in advice.findings.values()]
    left_out = states.count("not_applicable")
    locking = sorted((gate for gate, finding in advice.findings.items() if finding.locks), key=ORDER.index)
    titles = tuple((gate, glossary.label(f"gate.{gate}")) for gate in locking)
    return Criteria(states.count("pass"), len(states) - left_out, left_out, titles)


@dataclass(frozen=True, slots=True)
class Glance:
    """The evidence and the criteria of an assessment at a glance, as they are kept beside its status."""

    lines: tuple[Line, ...]
    criteria: Criteria

    def to_json(self) -> JsonObject:
        return asdict(self)

    @staticmethod
    def from_json(value: JsonObject) -> "Glance":
        return stored(Glance, value)


def costs_of(session: Session, facts: Facts) -> Study | None:
    """The sums, where somebody said what to count with; they are worked out even where cost is no goal."""
    if facts.costs is not None:
        return facts.costs
    if cost_store.find_costs(session, facts.assessment.id) is None:
        return None
    return economics.of(session, facts.assessment)


def _target(facts: Facts, goal: float | None, base: str) -> Line:
    metric = assessments.answers(facts.assessment).get("metric")
    name = glossary.known("metric", str(metric)) if metric and metric != "unknown" else "no metric yet"
    url = f"{base}/describe/success#target"
    if goal is None:
        return Line("target", "Target", "not set", name, "open", "not set", url=url)
    return Line("target", "Target", target_text(goal), name, how="self-reported", url=url)


def _best(best: ArmRow | None, goal: float | None, base: str) -> Line:
    if best is None or best.test is None:
        return Line(
            "best", "Best prompt", "not measured", mark="open", mark_words="not measured", url=f"{base}/measure"
        )
    mark, words = _against_target(best.test.score, goal)
    return Line(
        "best", "Best prompt", percent(best.test.score), f"{_interval(best.test)} · {best.label}", mark, words,
        "measured", f"{base}/measure",
    )  # fmt: skip


def _against_target(score: float, goal: float | None) -> tuple[Mark, str]:
    if goal is None:
        return "", ""
    return ("pass", "reaches the target") if score >= goal else ("fail", "below the target")


def _free(facts: Facts, best: ArmRow | None, base: str) -> Iterator[Line]:
    """What needs no language model: the better of the simple rules, and of the small classifiers."""
    tested = [arm for arm in facts.baseline.arms if arm.test and arm.test.known] if facts.baseline else []
    kinds = (("no_llm", ("trivial",)), ("classifier", ("small_classifier", "embedding_classifier")))
    for key, families in kinds:
        of_kind = [arm for arm in tested if arm.family in families]
        arm = max(of_kind, key=lambda each: each.test.score if each.test else 0.0, default=None)
        if arm is not None and arm.test is not None:
            mark, words = _against_best(arm.test.score, best)
            label = glossary.label("variant.trivial") if key == "no_llm" else arm.label
            same = best is not None and best.test is not None and best.test.n == arm.test.n
            reach = interval_text(arm.test.low, arm.test.high) if same else _interval(arm.test)  # its rows stand above
            detail = f"{reach} · {arm.label}" if key == "no_llm" else reach
            yield Line(key, label, percent(arm.test.score), detail, mark, words, "measured", f"{base}/measure")
        elif key == "classifier" and (line := _tried_on_data(facts, base)):
            yield line


def _against_best(score: float, best: ArmRow | None) -> tuple[Mark, str]:
    if best is None or best.test is None:
        return "", ""
    return ("warn", "better than the best prompt") if score > best.test.score else ("pass", "the best prompt is ahead")


def _tried_on_data(facts: Facts, base: str) -> Line | None:
    """What the check of the data reached with one, cross-validated on rows that no test is made of."""
    tried = (facts.evidence.arms or {}).get("small_classifier")
    if tried is None or not tried.total or tried.passed is None:
        return None
    label = glossary.variant("small_classifier")
    return Line(
        "classifier", label, percent(tried.passed / tried.total), "cross-validated on the training set", how="measured",
        url=f"{base}/data",
    )  # fmt: skip


def _adapter(outcome: KeptResult | None, goal: float | None, base: str) -> Iterator[Line]:
    after = outcome.get("after") if outcome else None
    if outcome is None or after is None:
        return
    delta = outcome.get("delta") or 0.0
    verdict = outcome.get("verdict", "")
    mark: Mark = "fail" if verdict == "regressed" else "open" if verdict != "improved" else "pass"
    if mark == "pass" and goal is not None and after < goal:
        mark = "warn"
    detail = f"{signed_points(delta)} points against the best prompt"
    words = "improved, below the target" if mark == "warn" else verdict
    yield Line("adapter", "Adapter", percent(after), detail, mark, words, "measured", f"{base}/result")


def _costs(study: Study | None, base: str) -> Iterator[Line]:
    comparison = study.comparison if study else None
    if study is None or comparison is None:
        return
    url = f"{base}/costs"
    if comparison.break_even is None:
        yield Line("costs", "Break-even", "never", "at these prices", "fail", "does not pay", "estimated", url)
        return
    value = f"{calls(comparison.break_even)} calls a month"
    expected = "" if comparison.calls is None else f"{calls(comparison.calls)} expected"
    pays = comparison.pays
    mark: Mark = "" if pays is None else "pass" if pays else "fail"
    words = {"pass": "pays", "fail": "does not pay"}.get(mark, "")
    yield Line("costs", "Break-even", value, expected, mark, words, "estimated", url)


def _data(dataset: DatasetRow | None, base: str) -> Line:
    url = f"{base}/data"
    if dataset is None:
        return Line("data", "Data", "nothing uploaded", mark="open", mark_words="nothing uploaded", url=url)
    if dataset.state != "ready":
        mark: Mark = "fail" if dataset.state == "rejected" else "open"
        return Line("data", "Data", dataset.state, dataset.filename, mark, dataset.state, url=url)
    frozen = dataset.frozen_at is not None
    detail = plural(dataset.test_rows, "test row")
    return Line(
        "data", "Data", f"{dataset.usable_rows:,} usable", detail, "pass" if frozen else "open",
        "split frozen" if frozen else "split not frozen", "measured", url,
    )  # fmt: skip


def _interval(result: ArmResult) -> str:
    """The 95 % interval with the rows it rests on."""
    return f"{interval_text(result.low, result.high)} on {plural(result.n, 'test row')}"
