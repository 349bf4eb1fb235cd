"""The form of a measurement: what it holds as text, read into an order, and what it begins with."""

from collections.abc import Mapping
from typing import Any

from app.baselines.offers import key_of
from app.baselines.order import BaselineRequest
from app.baselines.spending import UNITS, Budget
from app.baselines.tables import BaselineRow
from app.web.numbers import TypedNumbers, consents, ids

NUMBERS = ("model_id", "k_random", "k_nearest", "max_tokens")
SAMPLES = ("dev_rows", "test_rows")
ARM, ALSO = "arm-", "also-"
LATER = ("revised_prompt", "optimised_prompt", "adapter")  # kinds of arms that come to a measurement once it is there


def order(typed: Mapping[str, str]) -> BaselineRequest:
    """Read the form.

    A sample counts where `<name>_all` is not chosen; consent is that for the chosen model, `consent-<id>`, and for
    other ones `also-<id>`. Arms are boxes, `arm-<key>`; where the form did not bring them (`plan`), what is proposed is
    meant, and losers are dropped.

    Raises:
        Invalid: a field that should hold a number does not.
    """
    fields, usual = TypedNumbers(typed), BaselineRequest(model_id=0, instructions="")
    sampled = [name for name in SAMPLES if typed.get(f"{name}_all") != "all"]
    chosen = tuple(name.removeprefix(ARM) for name, value in typed.items() if name.startswith(ARM) and value == "on")
    also = [name.removeprefix(ALSO) for name, value in typed.items() if name.startswith(ALSO) and value == "on"]
    numbers: dict[str, Any] = dict.fromkeys(SAMPLES, 0)
    numbers |= {name: fields.whole(name, getattr(usual, name)) for name in (*NUMBERS, *sampled)}
    read = BaselineRequest(
        **numbers,
        instructions=typed.get("instructions", ""),
        metric_options={
            name.removeprefix("option_"): value for name, value in typed.items() if name.startswith("option_")
        },
        arms=chosen if "plan" in typed else None,
        passage_instructions=typed.get("passage_instructions"),
        racing="plan" not in typed or typed.get("racing") == "on",
        consent=consents(typed, "model_id"),
        consents=ids(also),
        price_in=fields.number("price_in"),
        price_out=fields.number("price_out"),
        at_once=fields.whole("at_once"),
        fresh=typed.get("fresh") == "on",
        budget_tokens=fields.whole("budget_tokens"),
        budget_money=fields.number("budget_money"),
    )
    fields.refuse()
    return read


def at_once(typed: Mapping[str, str]) -> int | None:
    """Calls at once, as somebody set them anew; None where nobody did.

    Raises:
        Invalid: it is no number.
    """
    fields = TypedNumbers(typed)
    number = fields.whole("at_once")
    fields.refuse()
    return number


def limits(typed: Mapping[str, str]) -> Budget:
    """Limits that are set anew when a run goes on.

    Raises:
        Invalid: a field that should hold a number does not.
    """
    fields = TypedNumbers({name: text.replace(",", "") for name, text in typed.items()})
    amounts = {unit: fields.number(f"budget_{unit}", "2.50") for unit in UNITS}
    fields.refuse()
    return Budget(**amounts)


def begins_with(baseline: BaselineRow | None) -> dict[str, str]:
    """What the form holds at first: the last measurement's settings, or the usual ones with what is proposed."""
    if baseline is None:
        return {"dev_rows_all": "all", "test_rows_all": "all", "racing": "on"}
    examples = {arm.name: str(arm.settings["k"]) for arm in baseline.arms if "k" in arm.settings}
    usual = BaselineRequest(model_id=0, instructions="")
    return {
        "model_id": str(baseline.model_id),
        "instructions": baseline.instructions,
        "k_random": examples.get("few_shot_random/1", str(usual.k_random)),
        "k_nearest": examples.get("few_shot_nearest", str(usual.k_nearest)),
        "max_tokens": str(baseline.max_tokens),
        **_besides(baseline),
        **_sample("dev_rows", baseline.dev_limit),
        **_sample("test_rows", baseline.test_limit),
        "plan": "chosen",
        "racing": "" if baseline.racing is False else "on",
        "at_once": str(baseline.at_once or ""),
        **{f"{ARM}{key_of(arm.name)}": "on" for arm in baseline.arms if arm.family not in LATER},
        **{f"option_{name}": "on" if value is True else str(value) for name, value in baseline.metric_options.items()},
    }


def _sample(name: str, limit: int) -> dict[str, str]:
    return {name: str(limit), f"{name}_all": "sample"} if limit else {f"{name}_all": "all"}


def _besides(baseline: BaselineRow) -> dict[str, str]:
    """What was asked besides where passages were given: the instructions of such an arm below those of the run."""
    own = baseline.instructions.strip() + "\n\n"
    arm = next((arm for arm in baseline.arms if arm.family == "rag"), None)
    asked = str(arm.settings.get("instructions", "")) if arm else ""
    return {"passage_instructions": asked.removeprefix(own)} if asked.startswith(own) else {}
