"""G2, G3 and G10 to G12: what the task is, whether it goes on, and whether training may and should be done for it."""

from app.advice.facts import EPSILON, Facts
from app.advice.gates.finding import Finding, How, action, passed
from app.advice.policy import Policy
from app.advice.schema import NOBODY, Case
from app.advice.scoring import can_look_up, corpus, examples
from app.wording import state

# ------------------------------------------------------------------ G2: not knowledge


def not_knowledge(case: Case, facts: Facts, policy: Policy) -> Finding:
    answers, gain, context = case.answers, case.measured.oracle_gain, case.measured.rows_carry_context
    goals = answers.goals or ()
    if answers.fact_change == "daily":
        return Finding("fail", "declared", (state("daily"),), (action("daily"),))
    if facts.main_goal == "facts":
        return Finding("fail", "declared", (state("main_goal"),), (action("main_goal"),))
    if not goals:
        return Finding("unknown", "declared", (state("no_goal"),), (action("no_goal"),))
    if facts.main_goal is None and "facts" in goals:
        return Finding("unknown", "declared", (state("no_main_goal"),), (action("no_main_goal"),))
    if gain is not None and gain < policy.limit("oracle_gain") - EPSILON and facts.cause != "facts":
        return passed("measured", state("small_gain", gain=gain))
    if context:
        return passed("measured", state("context"))
    if gain is not None and gain >= policy.limit("oracle_gain") - EPSILON:
        return Finding("fail", "measured", (state("large_gain", gain=gain),), (action("gap"),))
    if facts.cause == "facts":
        return Finding("fail", "measured", (state("causes"),), (action("causes"),))
    if facts.facts_unsaid:
        return Finding("unknown", "measured", (state("unsaid"),), (action("unsaid"),))
    if "facts" not in goals and (answers.fact_change == "none" or corpus(case)[0] == 0):
        return passed("declared", state("no_outside_facts"))
    causes = case.measured.failure_causes
    if "facts" not in goals and causes is not None and causes.total >= policy.count("tagged_failures"):
        share = causes.facts / causes.total
        if share <= policy.limit("facts_share") + EPSILON:
            return passed("measured", state("few_missing_facts", share=share, tagged=causes.total))
    more = action("not_measured") if can_look_up(case) else state("no_documents")
    return Finding("unknown", "declared", (state("not_measured"),), (more,))


# ------------------------------------------------------------------ G3: not a one-off


def calls_needed(case: Case, policy: Policy) -> int:
    """The least number of calls in the months ahead: ten for each example, counted up to the floor of G1."""
    floor = policy.count("usable_examples")
    count, _ = examples(case)
    return policy.count("calls_per_example") * min(floor if count is None else count, floor)


def not_one_off(case: Case, facts: Facts, policy: Policy) -> Finding:
    recurrence, calls, months = case.answers.recurrence, case.answers.calls_per_month, policy.count("months_ahead")
    if recurrence == "once":
        if calls:
            return Finding("fail", "declared", (state("contradiction", calls=calls),), (action("contradiction"),))
        return Finding("fail", "declared", (state("once"),), (action("once"),))
    if calls is None:
        return Finding("unknown", "declared", (state("no_calls"),), (action("no_calls"),))
    volume = state("volume", calls=calls, ahead=calls * months, months=months)
    least = calls_needed(case, policy)
    if calls * months < least:
        return Finding("fail", "declared", (volume,), (action("few_calls", calls=-(-least // months)),))
    if recurrence is None:
        return Finding("unknown", "declared", (volume, state("unsaid")), (action("unsaid"),))
    return passed("declared", volume)


# ------------------------------------------------------------------ G10, G11, G12


def rights(case: Case, facts: Facts, policy: Policy) -> Finding:
    match case.answers.training_rights:
        case "yes" if case.measured.identifiers_decided is False:
            return Finding("fail", "measured", (state("undecided"),), (action("undecided"),))
        case "yes":
            return passed("declared", state("allowed"))
        case "no":
            return Finding("fail", "declared", (state("forbidden"),), (action("forbidden"),))
    return Finding("unknown", "declared", (state("unsaid"),), (action("unsaid"),))


def owned(case: Case, facts: Facts, policy: Policy) -> Finding:
    owner = case.answers.owner
    if owner is None:
        return Finding("unknown", "declared", (state("unsaid"),), (action("unsaid"),))
    if owner == NOBODY:
        return Finding("fail", "declared", (state("nobody"),), (action("nobody"),))
    return passed("declared", state("owned", owner=owner))


def worth_it(case: Case, facts: Facts, policy: Policy) -> Finding:
    """A sum of money is an estimate, however well its tokens were measured: prices and hours in it are declared."""
    cost, basis = case.measured.cost_case, case.measured.cost_basis
    if cost == "pass" and facts.efficiency:
        return passed("estimated", state("pays", basis=basis))
    if not facts.efficiency_path:
        how: How = "estimated" if cost else "declared"
        return Finding("not_applicable", how, (state("not_the_goal", cost=cost),), (action("not_the_goal"),))
    if cost == "fail":
        return Finding("fail", "estimated", (state("does_not_pay", basis=basis),), (action("fail"),))
    return Finding("unknown", "declared", (state("no_cost_case"),), (action("nothing"),))
