"""G5, G6, G7 and G9: a fair try of prompting, short of a target set before it, by failures of behaviour."""

from app.advice.facts import BEYOND, CAUSES, EPSILON, Facts, rows_to_settle, score_of, standing
from app.advice.gates.finding import Finding, action, passed
from app.advice.policy import Policy
from app.advice.schema import Case, Result
from app.advice.scoring import can_look_up, structured
from app.wording import Statement, state

# ------------------------------------------------------------------ G5: prompting tried


LOOKED_UP = ("rag", "oracle")


def arms_needed(case: Case, facts: Facts, policy: Policy) -> list[str]:
    """The arms that a fair try of prompting has here."""
    arms = ["zero_shot", "few_shot_random", "few_shot_nearest"]
    if structured(case, policy):
        arms.append("schema")
    if facts.knowledge:
        arms += LOOKED_UP
    return arms


def prompting_tried(case: Case, facts: Facts, policy: Policy) -> Finding:
    baseline = case.measured.baseline
    if baseline is None:
        needed = arms_needed(case, facts, policy)
        more = [action("nothing", arms=needed), *_without_documents(case, needed)]
        return Finding("fail", "measured", (state("nothing"),), tuple(more))
    missing = [arm for arm in arms_needed(case, facts, policy) if arm not in baseline.arms]
    by_optimizer = "optimised_prompt" in baseline.arms and "revised_prompt" not in baseline.arms
    whose = {"by_optimizer": True} if by_optimizer else {}
    observed = [state("arms_run", arms=len(baseline.arms), revised=baseline.revised, **whose)]
    actions = []
    if case.measured.baseline_on_base is False:
        observed.append(_other_base(case))
        actions.append(action("other_base"))
    if missing:
        actions += [action("missing", arms=missing), *_without_documents(case, missing)]
    if not baseline.revised:
        actions.append(action("revise"))
    if baseline.cut_rate is not None:
        observed.append(state("cut", share=baseline.cut_rate))
        actions.append(state("cut"))
    failed = baseline.error_rate is not None and baseline.error_rate > policy.limit("error_rate")
    if actions and failed:  # what is missing may be there once the failed rows have answers
        observed.append(state("errors", share=baseline.error_rate))
        actions.insert(0, action("errors"))
    if actions:
        return Finding("fail", "measured", tuple(observed), tuple(actions))
    if case.measured.baseline_unfinished:
        return Finding("unknown", "measured", (*observed, state("unfinished")), (action("unfinished"),))
    if baseline.error_rate is None:
        return Finding("unknown", "measured", (*observed, state("uncounted")), (action("uncounted"),))
    if failed:
        errors = state("errors", share=baseline.error_rate)
        return Finding("unknown", "measured", (*observed, errors), (action("errors"),))
    return passed("measured", *observed)


def _without_documents(case: Case, arms: list[str]) -> list[Statement]:
    """What to bring where arms look things up and there is nothing to look up."""
    return [state("documents")] if not can_look_up(case) and set(LOOKED_UP) & set(arms) else []


def _other_base(case: Case) -> Statement:
    ran, trains = case.measured.baseline_ran_on, case.measured.trains_on
    return state("untrainable_base", ran=ran) if trains is None else state("other_base", ran=ran, trains=trains)


# ------------------------------------------------------------------ G6: short of the target


def short_of_target(case: Case, facts: Facts, policy: Policy) -> Finding:
    baseline, target = case.measured.baseline, case.answers.target
    arms = case.measured.arms
    if facts.without_model is not None and arms is not None and target is not None:
        score = score_of(arms[facts.without_model])
        reached = state("without_model", arm=facts.without_model, score=score, target=target)
        return Finding("fail", "measured", (reached,), (action("without_model"),))
    if facts.baseline is None or baseline is None or target is None:
        return Finding("unknown", "measured", (_why_no_standing(case, policy),), (action("not_measured"),))
    best = state("best", score=score_of(baseline), target=target)
    if facts.baseline == "met":
        return Finding("fail", "measured", (best, state("met")), (action("met"),))
    beside: tuple[Statement, ...] = ()
    if (free := _on_the_same_rows(case, facts)) is not None:
        arm, result = free
        if standing(result, target, policy) == "unclear":
            reached = state("free_may_do", arm=arm, score=score_of(result))
            return Finding("fail", "measured", (best, reached), (action("unclear"),))
        beside = (state("free_to_beat", arm=arm, score=score_of(result)),)
    if facts.baseline == "unclear":
        settled = rows_to_settle(baseline, target, policy)
        more = (
            action("unclear")
            if settled is None or not baseline.total
            else action("unclear_by", rows=settled.rows - baseline.total)
        )
        return Finding("fail", "measured", (best, state("unclear")), (more,))
    if (few := _few_answered(baseline, (best,), policy)) is not None:
        return few
    if facts.efficiency_path:
        return _teacher(case, facts, policy, best)
    return passed("measured", best, state("short"), *beside)


def _on_the_same_rows(case: Case, facts: Facts) -> tuple[str, Result] | None:
    """The arm without a language model that beats every prompt, where it answered the test rows too."""
    arm = facts.free_lead
    if arm is None:
        return None
    result = (case.measured.arms or {})[arm]
    return (arm, result) if result.split == "test" else None


def _few_answered(result: Result, observed: tuple[Statement, ...], policy: Policy) -> Finding | None:
    """What a result on too few rows proves: nothing, however far from the target it is."""
    answered, floor = result.answered, policy.count("test_rows")
    if answered is None:
        return Finding("unknown", "measured", (*observed, state("rows_unknown")), (action("rows_unknown"),))
    if answered < floor:
        return Finding("fail", "measured", observed, (action("few", missing=floor - answered),))
    return None


def _teacher(case: Case, facts: Facts, policy: Policy, best: Statement) -> Finding:
    teacher = case.measured.teacher
    if facts.teacher is None or teacher is None:
        return Finding("unknown", "measured", (best, state("no_teacher")), (action("no_teacher"),))
    both = (best, state("teacher", score=score_of(teacher)))
    if facts.teacher == "met":
        return _few_answered(teacher, both, policy) or passed("measured", *both)
    return Finding("fail", "measured", both, (action("teacher_short"),))


def _why_no_standing(case: Case, policy: Policy) -> Statement:
    baseline = case.measured.baseline
    if baseline is None or not baseline.there:
        return state("no_score")
    if baseline.best_arm in BEYOND:
        return state("beyond", arm=baseline.best_arm)
    if baseline.cut_rate is not None:
        return state("cut", share=baseline.cut_rate)
    if baseline.error_rate is None or baseline.error_rate > policy.limit("error_rate"):
        return state("errors")
    return state("no_target", score=score_of(baseline))


# ------------------------------------------------------------------ G7: metric and target first


def target_first(case: Case, facts: Facts, policy: Policy) -> Finding:
    metric, target, first = case.answers.metric, case.answers.target, case.measured.metric_set_before_baseline
    ran = case.measured.baseline is not None
    if metric is None or target is None:
        missing = [name for name, value in (("metric", metric), ("target", target)) if value is None]
        unset = state("unset", missing=missing)
        if ran:
            return Finding("fail", "measured", (unset, state("measured_anyway")), (action("unset_after"),))
        return Finding("unknown", "declared", (unset,), (action("unset"),))
    if first is False:
        return Finding("fail", "measured", (state("late", metric=metric, target=target),), (action("late"),))
    if first is None and ran:
        unordered = state("order_unknown", metric=metric, target=target)
        return Finding("unknown", "measured", (unordered,), (action("order_unknown"),))
    if case.measured.target_changes:
        return passed("measured", state("changed_once", metric=metric, target=target))
    return passed("measured" if first else "declared", state("first", metric=metric, target=target))


# ------------------------------------------------------------------ G9: failures are behaviour


def failures_are_behaviour(case: Case, facts: Facts, policy: Policy) -> Finding:
    causes, least = case.measured.failure_causes, policy.count("tagged_failures")
    if causes is None or causes.total < least:
        return _too_few_tagged(case, facts, policy, state("tagged", tagged=causes.total if causes else 0))
    shares = {name: getattr(causes, name) / causes.total for name in CAUSES}
    tagged = (state("shares", tagged=causes.total, shares=shares), *_tagged_twice(case))
    actions = []
    if shares["facts"] > policy.limit("facts_share") + EPSILON:
        actions.append(action("facts"))
    if shares["instructions"] > policy.limit("instructions_share") + EPSILON:
        actions.append(action("instructions"))
    if shares["reference"] > policy.limit("reference_share") + EPSILON:
        actions.append(action("reference"))
    if shares["behaviour"] < policy.limit("behaviour_share") - EPSILON:
        actions.append(action("behaviour"))
    if actions:
        return Finding("fail", "measured", tagged, tuple(actions))
    if not case.answers.goals:
        return Finding("unknown", "measured", (*tagged, state("no_goal")), (action("no_goal"),))
    if not facts.efficiency and not facts.behaviour:
        return _no_trainable_goal(*tagged)
    return passed("measured", *tagged)


def _tagged_twice(case: Case) -> tuple[Statement, ...]:
    """How far two people agree on it, where two have tagged the same failures; nothing hangs on it."""
    rows, kappa = case.measured.tagged_twice, case.measured.tags_kappa
    return (state("twice", rows=rows, kappa=kappa),) if rows else ()


def _too_few_tagged(case: Case, facts: Facts, policy: Policy, tagged: Statement) -> Finding:
    if facts.baseline == "met":
        return Finding("not_applicable", "measured", (state("met"),), (action("met"),))
    if not case.answers.goals:
        return Finding("unknown", "declared", (tagged, state("no_goal")), (action("no_goal_untagged"),))
    if not facts.efficiency and not facts.behaviour:
        return _no_trainable_goal(tagged)
    if facts.efficiency_path:
        return Finding("not_applicable", "measured", (state("copying"),), (action("copying"),))
    failed = case.measured.failures
    if failed is not None and failed < policy.count("tagged_failures"):
        return Finding("unknown", "measured", (tagged,), (action("few_failed", failed=failed),))
    return Finding("unknown", "measured", (tagged,), (action("few"),))


def _no_trainable_goal(*tagged: Statement) -> Finding:
    return Finding("fail", "declared", (*tagged, state("untrainable")), (action("untrainable"),))
