"""Every way to answer that could be measured for a use case: which are proposed, and why others can't be run.

A kind of arm is offered by one function in its own module; `OFFERS` is the list of them, cheap ones first.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from app.assessments.tables import AssessmentRow
from app.baselines import arms
from app.baselines.arms import Arm
from app.baselines.order import BaselineRequest
from app.datasets.store import Example
from app.datasets.tables import DatasetRow


@dataclass(frozen=True, slots=True)
class Context:
    """What offers are made from. examples: the rows of the frozen split, by its name."""

    session: Session
    assessment: AssessmentRow
    dataset: DatasetRow
    examples: Mapping[str, Sequence[Example]]
    order: BaselineRequest


@dataclass(frozen=True, slots=True)
class Offer:
    """One arm that could be measured. why: a sentence, why it is proposed or left to choose. against: why it can't be
    run and where that is mended; empty where it can. always: it costs nothing and is never left out."""

    arm: Arm
    proposed: bool
    why: str = ""
    against: str = ""
    always: bool = False


def offers(context: Context) -> list[Offer]:
    """All offers, cheap ones first."""
    return [offer for offering in OFFERS for offer in offering(context)]


def chosen(context: Context) -> tuple[Arm, ...]:
    """The arms that an order asks for: those it names, or those that are proposed where it names none."""
    named = context.order.arms
    return tuple(
        offer.arm
        for offer in offers(context)
        if not offer.against and (offer.always or (offer.proposed if named is None else offer.arm.name in named))
    )


def refused(context: Context) -> Iterator[str]:
    """Why arms that an order names can't be run, a sentence each."""
    by_name = {offer.arm.name: offer for offer in offers(context)}
    for name in context.order.arms or ():
        offer = by_name.get(name)
        if offer is None:
            yield f"There is no variant {name!r}."
        elif offer.against:
            yield f"{offer.arm.title}: {offer.against}"


def _prompts(context: Context) -> Iterable[Offer]:
    """Zero-shot and examples; what asks no model is there as well, since it shows what an adapter has to beat."""
    order, targets = context.order, [row.target for row in context.examples["train"]]
    for arm in arms.plan(order.k_random, order.k_nearest, context.dataset.seed, targets):
        yield Offer(arm, proposed=arm.free or arm.family in order.variants, always=arm.free)


OFFERS: tuple[Callable[[Context], Iterable[Offer]], ...] = (_prompts,)
