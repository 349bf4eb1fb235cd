"""G1, G4 and G8: enough examples, rows that were held out, labels that agree. `judge` has the readings."""

from app.advice.facts import EPSILON, Facts
from app.advice.gates.finding import Finding, How, action, passed
from app.advice.policy import Policy
from app.advice.schema import Case
from app.advice.scoring import LEAST_SIMILAR, can_compare_labels, contradicting
from app.wording import Statement, state

# ------------------------------------------------------------------ G1: examples


def enough_examples(case: Case, facts: Facts, policy: Policy) -> Finding:
    floor = policy.count("usable_examples")
    uploaded, usable, declared = (
        case.measured.uploaded_examples,
        case.measured.usable_examples,
        case.answers.examples_declared,
    )
    if usable is not None:
        counted = state("usable", usable=usable, uploaded=uploaded)
        if usable >= floor:
            return passed("measured", counted)
        return Finding("fail", "measured", (counted,), (action("short", missing=floor - usable),))
    if uploaded is not None and uploaded < floor:
        more = action("unfinished", missing=floor - uploaded)
        return Finding("fail", "measured", (state("unchecked", uploaded=uploaded),), (more,))
    if declared is not None and declared < floor:
        more = action("declared", missing=floor - declared)
        return Finding("fail", "declared", (state("declared_only", declared=declared),), (more,))
    observed = state("nothing") if declared is None else state("declared_enough", declared=declared)
    return Finding("unknown", "declared", (observed,), (action("nothing"),))


# ------------------------------------------------------------------ G4: held-out rows


def held_out(case: Case, facts: Facts, policy: Policy) -> Finding:
    measured, floor = case.measured, policy.count("test_rows")
    rows, overlap, checked = measured.test_rows, measured.test_overlap_rows, measured.test_human_checked
    if rows is None:
        if case.answers.holdout == "no":
            return Finding("fail", "declared", (state("not_kept"),), (action("not_kept"),))
        return Finding("unknown", "declared", (state("not_frozen"),), (action("not_frozen"),))
    faults = []
    baseline = case.measured.baseline
    asked = rows if baseline is None or not baseline.there else baseline.answered
    if rows < floor:
        faults.append(action("few", missing=floor - rows))
    elif asked is not None and asked < floor:
        faults.append(action("asked", asked=asked))
    if overlap:
        faults.append(action("overlap", rows=overlap))
    if checked is False:
        faults.append(action("unchecked"))
    answered = None if asked is None or asked >= rows else asked
    counted = state("test_rows", rows=rows, answered=answered, overlap=overlap, checked=checked)
    if faults:
        return Finding("fail", "measured", (counted,), tuple(faults))
    missing = [
        *([action("overlap_unknown")] if overlap is None else []),
        *([action("checked_unknown")] if checked is None else []),
        *([action("asked_unknown")] if asked is None else []),
    ]
    if missing:
        return Finding("unknown", "measured", (counted,), tuple(missing))
    return passed("declared", counted)


# ------------------------------------------------------------------ G8: labels agree


def labels_agree(case: Case, facts: Facts, policy: Policy) -> Finding:
    rate, kappa = case.measured.contradiction_rate, case.measured.agreement_kappa
    declared = case.answers.label_agreement
    judged = case.measured.references_judged is not None
    how: How = "declared" if rate is None and kappa is None and not judged else "measured"
    agreement = _agreement(case)
    if contradicting(case, policy):
        return Finding("fail", "measured", (agreement,), (action("contradictions"),))
    if kappa is not None and kappa < policy.limit("kappa") - EPSILON:
        return Finding("fail", "measured", (agreement,), (action("kappa"),))
    if (wrong := _wrong_references(case)) is not None and wrong > WRONG_REFERENCES + EPSILON:
        return Finding("fail", "measured", (agreement,), (state("references"),))
    if case.measured.judge_holds is False:
        return _judge_fails(case, policy, agreement)
    if kappa is not None:
        return passed("measured", agreement)
    if declared == "low":
        more = action("declared_low") if can_compare_labels(case) else state("declared_low_text")
        return Finding("fail", "declared", (agreement, state("disagree")), (more,))
    if how == "declared" and declared is None:
        return Finding("unknown", "declared", (agreement,), (action("nothing"),))
    return passed(how, agreement) if how == "measured" else passed(how, agreement, state("agree"))


def _judge_fails(case: Case, policy: Policy, agreement: Statement) -> Finding:
    """The metric is an LLM judge, and its agreement with people is not what its scores rest on."""
    measured, limit = case.measured, policy.limit("kappa")
    fault = measured.judge_fault or "judge"
    seen = state("judge_fails", fault=fault, labels=measured.judge_labels, kappa=measured.judge_kappa, limit=limit)
    return Finding("fail", "measured", (agreement, seen), (state(f"judge_{fault}"),))


WRONG_REFERENCES = 0.10  # share of a random sample's answers that may be wrong (decision rules, G8; ours)
LEAST_JUDGED = 50  # answers, below which their share says nothing


def _wrong_references(case: Case) -> float | None:
    """The share of wrong answers that a second person found, 0 to 1; None where too few were looked at."""
    judged, wrong = case.measured.references_judged or 0, case.measured.references_wrong or 0
    return wrong / judged if judged >= LEAST_JUDGED else None


def _agreement(case: Case) -> Statement:
    """What was measured of the labels. few: the questions are too few to judge all labels by. references: answers that
    a second person judged, and those of them that are wrong."""
    measured = case.measured
    rate, questions = measured.contradiction_rate, measured.similar_questions
    contradictory = None if rate is None or questions is None else round(rate * questions)
    few = bool(contradictory) and (questions or 0) < LEAST_SIMILAR
    references = None if measured.references_judged is None else (measured.references_judged, measured.references_wrong)
    return state(
        "agreement",
        rate=rate,
        questions=questions,
        contradictory=contradictory,
        few=few,
        kappa=measured.agreement_kappa,
        rows=measured.agreement_rows,
        references=references,
    )
