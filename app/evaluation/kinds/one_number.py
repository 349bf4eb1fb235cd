"""The answer is one number."""

from collections.abc import Iterator
from decimal import Decimal

from app.evaluation import numbers
from app.evaluation.kinds.metric import Fault, Kept, Metric, Option, Options, text_of


def _number(text: str, options: Options) -> tuple[Decimal, str] | None:
    return numbers.read(text, str(options.get("decimal", ".")))


def _number_match(output: str, target: str, options: Options) -> float:
    answer, wanted = _number(output, options), _number(target, options)
    if answer is None or wanted is None or answer[1] != wanted[1]:
        return float(output.strip() == target.strip())
    return float(numbers.same(answer[0], wanted[0], str(options.get("tolerance", ""))))


def _number_view(text: str, options: Options) -> str:
    number = _number(text, options)
    return "not one number" if number is None else f"{number[0].normalize():f} {number[1]}".strip()


def _faults(kept: Kept) -> Iterator[Fault]:
    """Words for the decimal sign become the sign."""
    if "decimal" in kept:
        sign = text_of(kept, "decimal").strip()
        kept["decimal"] = {"point": ".", "comma": ","}.get(sign.lower(), sign)
        if kept["decimal"] not in (".", ","):
            yield "decimal", "Type . (as in 1,234.5) or , (as in 1.234,5)."
    if "tolerance" in kept and not numbers.TOLERANCE.fullmatch(text_of(kept, "tolerance").strip()):
        yield "tolerance", "Use a number like 0.01, or a share like 1 %."


METRICS = (
    Metric(
        name="number_match",
        binary=True,
        score=_number_match,
        view=_number_view,
        faults=_faults,
        options=(
            Option(
                name="decimal",
                kind="text",
                title="Decimal sign",
                help="A point as in 1,234.5, or a comma as in 1.234,5: type . or ,",
                required=True,
            ),
            Option(
                name="tolerance",
                kind="text",
                title="Tolerance",
                help="How far off still counts as right: 0.01, or 1 % of the expected number. Empty: not at all.",
            ),
        ),
    ),
)
