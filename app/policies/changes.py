"""What two policies differ in, and how numbers travel through a form.

In a form a share is in percent and a gap in points of a score, because that is how people speak; everywhere else both
are from 0 to 1. A name is `usable_examples` for a threshold and `F01.facts` for an answer's weight, as in
`Policy.numbers`; a weight's three fields add `.prompt`, `.rag` and `.fine_tune`.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from app.advice.policy import APPROACH_NAMES, APPROACHES, Numbers, Policy, Threshold, Weight, number_text
from app.errors import FieldError
from app.json_types import JsonObject
from app.wording import MINUS

LONGEST = 30  # characters of a number in a form


@dataclass(frozen=True, slots=True)
class Change:
    """One number that differs, in words. `approach` is set for weights."""

    name: str
    title: str
    before: str
    after: str
    approach: str = ""


def differences(before: Policy, after: Policy) -> list[Change]:
    """Every number that differs, thresholds first, in the order of the policy."""
    old = {threshold.name: threshold for threshold in before.thresholds}
    changed = [
        Change(new.name, new.label, with_unit(old[new.name]), with_unit(new))
        for new in after.thresholds
        if new.name in old and new.value != old[new.name].value
    ]
    for weight in after.weights:
        was = before.weight(weight.factor, weight.answer)
        title = f"{weight.factor} {after.factors[weight.factor].title}: {weight.label}"
        changed += [
            Change(
                f"{weight.factor}.{weight.answer}",
                title,
                f"{points_before:+d}".replace("-", MINUS),
                f"{points_after:+d}".replace("-", MINUS),
                APPROACH_NAMES[approach],
            )
            for approach, points_before, points_after in zip(APPROACHES, was.points, weight.points, strict=True)
            if points_before != points_after
        ]
    return changed


def with_unit(threshold: Threshold) -> str:
    """1,000 rows; 5 %; 10 points; kappa 0.6; 10 times."""
    if threshold.unit == "share":
        return threshold.text
    if threshold.unit == "kappa":
        return f"kappa {threshold.text}"
    return f"{threshold.text} {threshold.unit}"


def field_of(threshold: Threshold) -> str:
    """The name of a threshold's field."""
    return f"threshold.{threshold.name}"


def fields_of(weight: Weight) -> tuple[str, ...]:
    """The names of a weight's three fields."""
    return tuple(f"weight.{weight.factor}.{weight.answer}.{approach}" for approach in APPROACHES)


def typed(value: float, unit: str) -> str:
    """A threshold's number as its field has it: no commas, shares and points times a hundred."""
    return number_text(value, unit).removesuffix(" %").replace(",", "")


def form_values(policy: Policy) -> dict[str, str]:
    """What the form shows to begin with."""
    values = {field_of(threshold): typed(threshold.value, threshold.unit) for threshold in policy.thresholds}
    for weight in policy.weights:
        values |= {name: str(points) for name, points in zip(fields_of(weight), weight.points, strict=True)}
    return values


def read_form(sent: JsonObject, policy: Policy) -> tuple[Numbers, list[FieldError]]:
    """The numbers in a form, as `Policy.with_numbers` takes them, and a fault for each field that is no number.

    A field that wasn't sent keeps its number, so that a page may send only what was changed.
    """
    faults: list[FieldError] = []
    thresholds: dict[str, float] = {}
    for threshold in policy.thresholds:
        thresholds[threshold.name] = threshold.value
        if (text := sent.get(field_of(threshold))) is not None:
            try:
                thresholds[threshold.name] = _number(text, threshold)
            except ValueError:
                faults.append(FieldError(f"#/{field_of(threshold)}", f"{threshold.label} has to be a number."))
    weights: dict[str, list[int]] = {}
    for weight in policy.weights:
        points = list(weight.points)
        for at, name in enumerate(fields_of(weight)):
            if (text := sent.get(name)) is not None:
                try:
                    points[at] = int(_plain(text))
                except ValueError:
                    sentence = f"{weight.factor} {weight.label}: points are whole numbers from -3 to +3."
                    faults.append(FieldError(f"#/{name}", sentence))
        weights[f"{weight.factor}.{weight.answer}"] = points
    return {"thresholds": thresholds, "weights": weights}, faults


def _number(text: object, threshold: Threshold) -> float:
    value = float(_plain(text))
    if threshold.unit in ("share", "points"):
        return round(value / 100, 6)
    return int(value) if threshold.whole and value == int(value) else value


def _plain(text: object) -> str:
    """What a person may write around a number: spaces, a comma in thousands, a sign, a percent sign."""
    plain = str(text).strip()[:LONGEST].removesuffix("%").replace(",", "").replace("\N{MINUS SIGN}", "-").strip()
    if not plain.isascii() or not any(letter.isdigit() for letter in plain):
        raise ValueError("not a number")
    return plain


def field_errors(faults: Mapping[str, str] | list[tuple[str, str]], policy: Policy) -> list[FieldError]:
    """Faults of `Policy.faults_of` at the form's fields; a weight's at its first one."""
    fields = {threshold.name: field_of(threshold) for threshold in policy.thresholds}
    fields |= {weight.name: fields_of(weight)[0] for weight in policy.weights}
    pairs = faults.items() if isinstance(faults, Mapping) else faults
    return [FieldError(f"#/{fields.get(name, name)}", sentence) for name, sentence in pairs]
