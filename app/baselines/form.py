"""The form of a measurement: what it holds as text, read into an order, and what it begins with."""

from collections.abc import Mapping
from typing import Any

from app.baselines import arms
from app.baselines.order import BaselineRequest
from app.baselines.tables import BaselineRow
from app.errors import FieldError, Invalid

NUMBERS = ("model_id", "k_random", "k_nearest", "max_tokens")
SAMPLES = ("dev_rows", "test_rows")
LONGEST_NUMBER = 9  # digits


def order(typed: Mapping[str, str]) -> BaselineRequest:
    """Read the form.

    A sample counts where `<name>_all` is not chosen; consent is that for the chosen model, `consent-<id>`; variants are
    boxes, `variant-<family>`, of which all count where the form did not bring them (`variants`).

    Raises:
        Invalid: a field that should hold a number does not.
    """
    faults: list[FieldError] = []
    usual = BaselineRequest(model_id=0, instructions="")

    def whole(name: str) -> int:
        text = typed.get(name, "").strip()
        if not text:
            return int(getattr(usual, name))
        if not text.isdecimal() or len(text) > LONGEST_NUMBER:
            faults.append(FieldError(f"#/{name}", "Use a whole number."))
            return int(getattr(usual, name))
        return int(text)

    def sample(name: str) -> int:
        return 0 if typed.get(f"{name}_all") == "all" else whole(name)

    def price(name: str) -> float | None:
        text = typed.get(name, "").strip()
        try:
            return float(text) if text else None
        except ValueError:
            faults.append(FieldError(f"#/{name}", "Use a number, like 0.25."))
            return None

    chosen = tuple(family for family in arms.PROMPTED if typed.get(f"variant-{family}") == "on")
    numbers: dict[str, Any] = {name: whole(name) for name in NUMBERS} | {name: sample(name) for name in SAMPLES}
    read = BaselineRequest(
        **numbers,
        instructions=typed.get("instructions", ""),
        metric_options={
            name.removeprefix("option_"): value for name, value in typed.items() if name.startswith("option_")
        },
        variants=chosen if "variants" in typed else usual.variants,
        consent=typed.get(f"consent-{typed.get('model_id', '').strip()}") == "on",
        price_in=price("price_in"),
        price_out=price("price_out"),
    )
    if faults:
        raise Invalid("Some fields are not numbers.", faults)
    return read


def begins_with(baseline: BaselineRow | None) -> dict[str, str]:
    """What the form holds at first: the last measurement's settings, or the usual ones."""
    if baseline is None:
        return {"dev_rows_all": "all", "test_rows_all": "all", **{f"variant-{name}": "on" for name in arms.PROMPTED}}
    nearest = next((arm.settings["k"] for arm in baseline.arms if arm.family == "few_shot_nearest"), 5)
    drawn = next((arm.settings["k"] for arm in baseline.arms if arm.family == "few_shot_random"), 3)
    families = {arm.family for arm in baseline.arms}
    return {
        "model_id": str(baseline.model_id),
        "instructions": baseline.instructions,
        "k_random": str(drawn),
        "k_nearest": str(nearest),
        "max_tokens": str(baseline.max_tokens),
        **_sample("dev_rows", baseline.dev_limit),
        **_sample("test_rows", baseline.test_limit),
        **{f"variant-{name}": "on" for name in arms.PROMPTED if name in families},
        **{f"option_{name}": "on" if value is True else str(value) for name, value in baseline.metric_options.items()},
    }


def _sample(name: str, limit: int) -> dict[str, str]:
    return {name: str(limit), f"{name}_all": "sample"} if limit else {f"{name}_all": "all"}
