"""Changes in words: clauses for a sentence that begins with "If", and what would come of them."""

from collections.abc import Callable, Sequence

from app.advice.sentences.scores import variant
from app.wording import Statement, Wording, joined, percent, plural

READABLE = 3  # clauses in one sentence; more of them stand in a list

CHOICES = {
    ("recurrence", "once"): "the job ran only once",
    ("recurrence", "months"): "the job ran for some months",
    ("recurrence", "ongoing"): "the job kept running",
    ("fact_change", "none"): "no outside facts were needed",
    ("access_rights", "yes"): "people had different rights to the information",
    ("access_rights", "some"): "a part of the information was restricted",
    ("access_rights", "no"): "everybody was allowed to see all of the information",
    ("definition_changes", "monthly"): "the rules of the task changed monthly",
    ("definition_changes", "stable"): "the rules of the task stayed stable",
    ("training_rights", "yes"): "the rows were allowed to be used for training",
    ("training_rights", "no"): "the rows were not allowed to be used for training",
    ("label_agreement", "high"): "experts nearly always agreed",
    ("label_agreement", "medium"): "experts mostly agreed",
    ("label_agreement", "low"): "experts often disagreed",
    ("checker_helps", "most"): "a simple checker caught most wrong answers",
    ("checker_helps", "partly"): "a simple checker caught some wrong answers",
    ("checker_helps", "no"): "no simple checker caught the wrong answers",
    ("prompting_tried", "no"): "nobody had tried prompting",
    ("prompting_tried", "met"): "prompting met the target",
    ("prompting_tried", "unclear"): "nobody could tell what prompting reaches",
    ("prompting_tried", "short_small"): "prompting fell short by less than 10 points",
    ("prompting_tried", "short_large"): "prompting fell short by 10 points or more",
}

GOAL_NAMES = {
    "facts": "knowing facts",
    "format": "a fixed shape",
    "style": "the style",
    "terms": "your own terms",
    "classify": "sorting into categories",
    "extract": "pulling out fields",
    "tools": "calling tools or writing a query language",
    "reasoning": "reasoning",
    "efficiency": "cost or speed",
    "safety": "safety",
    "general": "general help",
}

CAUSES = {
    "behaviour": "wrong form or label",
    "facts": "missing facts",
    "instructions": "unclear instructions",
    "reference": "wrong references",
}
COSTS = {
    "pass": "the cost case showed a saving",
    "fail": "the cost case showed no saving",
    "not_goal": "cost was not the reason",
}


def condition(changed: Sequence[Sequence[Statement]]) -> str:
    """`If this were so and that`: every part of a change."""
    clauses = [joined([CLAUSES(clause) for clause in part]) for part in changed]
    if len(clauses) > READABLE:
        return f"If all of this were so ({'; '.join(clauses)})"
    return f"If {joined(clauses)}"


def outcome(approach: str, training: str, training_now: str) -> str:
    """What the advice would be then."""
    if training == "ready":
        kind = ", with retrieved passages in every row" if approach == "hybrid" else ""
        return f"training would be unlocked{kind}"
    move = "RAG" if approach == "rag" else "a prompt"
    return f"the advice would be {move}; training {'would lock' if training_now == 'ready' else 'stays locked'}"


# ------------------------------------------------------------------ the clauses


def _choice(key: str) -> Callable[[str], str]:
    return lambda value: CHOICES.get((key, value)) or f"the facts changed {value}"


def _switch(when_true: str, when_false: str = "") -> Callable[[bool], str]:
    return lambda value: when_true if value else when_false


def _named(goals: Sequence[str]) -> str:
    return joined([GOAL_NAMES[goal] for goal in goals])


def _goals_added(goals: Sequence[str], first: bool) -> str:
    return f"{_named(goals)} {'was' if len(goals) == 1 else 'were'} among the goals{'' if first else ' too'}"


def _goals_dropped(goals: Sequence[str]) -> str:
    return f"{_named(goals)} {'was' if len(goals) == 1 else 'were'} no goal"


def _calls(value: int, now: int | None) -> str:
    if now is None:
        return f"{plural(value, 'call a month was', 'calls a month were')} expected"
    return f"calls {'rose' if value > now else 'fell'} to {value:,} a month"


def _corpus(value: int, now: int | None) -> str:
    way = "had" if now is None else "grew to" if value > now else "shrank to"
    return f"the reference text {way} {plural(value, 'token')}"


def _fewer_usable(value: int, now: int) -> str:
    return f"only {value:,} of the {plural(now, 'usable example')} {'was' if value == 1 else 'were'} left"


def _target(value: float, now: float | None) -> str:
    way = "was set to" if now is None else "rose to" if value > now else "fell to"
    return f"the target {way} {value * 100:g} %"


def _contradiction_rate(value: float, now: float | None) -> str:
    only = "at most " if now is None or value < now else ""
    return f"{only}{value * 100:g} % of similar rows contradicted each other"


def _kappa(value: float, now: float | None) -> str:
    least = "at least " if now is None or value > now else "only "
    return f"two people who label the same rows agreed with a kappa of {least}{value:.2f}"


def _gain(value: float, now: float | None) -> str:
    least = "only " if now is not None and value < now else ""
    return f"the gold passage lifted the score by {least}{_points(value)}"


def _points(share: float) -> str:
    points = share * 100
    return f"{points:g} {'point' if points == 1 else 'points'}"


def _tagged(total: int, cause: str, number: int) -> str:
    some = "all" if number == total else f"{number}"
    return f"{plural(total, 'failure was', 'failures were')} tagged, {some} of them {CAUSES[cause]}"


def _tagged_more(total: int, cause: str, more: int) -> str:
    return f"{more} more of the {total} tagged failures {'was' if more == 1 else 'were'} {CAUSES[cause]}"


def _overlap_removed(removed: int, overlapping: int) -> str:
    rows = "test row that occurs elsewhere was" if overlapping == 1 else "test rows that occur elsewhere were"
    return f"the {removed:,} {rows} removed"


def _arms_measured(arms: Sequence[str], first: bool) -> str:
    if first:
        return "every kind of prompt was measured"
    return f"{joined([variant(arm) for arm in arms])} {'was' if len(arms) == 1 else 'were'} measured too"


def _reached(score: float, was: float | None) -> str:
    """`reached only 70.0 %`: the word where it is less than before."""
    return f"reached {'only ' if was is not None and score < was else ''}{percent(score)}"


def _on(rows: int) -> str:
    return f" on {plural(rows, 'row')}" if rows else ""


CLAUSES = Wording({
    **{key: _choice(key) for key in dict.fromkeys(key for key, _ in CHOICES)},
    "goals_added": _goals_added,
    "goals_dropped": _goals_dropped,
    "mattered_most": "mattered most",
    "main_goal": lambda goal: f"{GOAL_NAMES[goal]} mattered most",
    "calls_per_month": _calls,
    "corpus_tokens": _corpus,
    "usable_examples_first": "the check found {value:#usable example}",
    "usable_examples_fewer": _fewer_usable,
    "usable_examples_more": "{more:#more different example was|more different examples were} usable ({value:,} in all)",
    "test_rows_first": "{value:#test row was|test rows were} set aside",
    "test_rows_fewer": "only {value:#test row was|test rows were} set aside",
    "test_rows_more": "{more:#more test row was|more test rows were} set aside ({value:,} in all)",
    "no_overlap": "no test row was found in the other parts",
    "overlap_removed": _overlap_removed,
    "target": _target,
    "contradiction_rate": _contradiction_rate,
    "agreement_kappa": _kappa,
    "oracle_gain": _gain,
    "references_wrong": lambda value: (
        "no checked answer was wrong" if not value else f"only {value:,} of the checked answers were wrong"
    ),
    "tagged": _tagged,
    "tagged_more": _tagged_more,
    "owner": "somebody was named as owner",
    "no_owner": "nobody owned it",
    "metric": "a metric was picked",
    "arm_reached": lambda arm, score, was: f"{variant(arm)} {_reached(score, was)}",
    "test_human_checked": _switch("people checked every test answer", "nobody had checked the test answers"),
    "metric_set_before_baseline": _switch(
        "the target was set before fresh results", "the target was set after the results"
    ),
    "rows_carry_context": _switch(
        "every training row carried its retrieved passages", "training rows lacked the retrieved passages"
    ),
    "baseline_on_base": _switch("prompting was measured on the base that would be trained"),
    "baseline_unfinished": _switch("", "the newer measurement was finished, with the same result"),
    "judge_holds": _switch("the LLM judge agreed with people as far as is asked", "the LLM judge agreed too little"),
    "identifiers_decided": _switch(
        "somebody decided about the personal data that was found", "personal data was found"
    ),
    "cost_case": lambda value: COSTS[value],
    "teacher": lambda score, was: (
        f"the large model {_reached(score, was)}{' on the test rows' if was is None else ''}"
    ),
    "arms_measured": _arms_measured,
    "revised": "the instructions were revised once",
    "calls_repeated": "the failed calls were repeated",
    "few_calls_failed": "few calls failed",
    "passages_best": "RAG was the best variant",
    "best_of_them": lambda score, rows: f"the best of them reached {percent(score)}{_on(rows)}",
    "best_prompt": lambda score, was, rows: f"the best prompt {_reached(score, was)}{_on(rows)}",
    "score_on_rows": "the score stood on {rows:#test row}",
    "more_answered": "{more:#more test row was|more test rows were} answered as well as those so far ({rows:,} in all)",
})  # fmt: skip
"""By the codes of `what_if.changes`."""
