"""Every way to answer that could be measured for a use case: which are proposed, and why others can't be run.

A kind of arm is offered by one function in its own module; `OFFERS` is the list of them. A measurement runs what was
chosen from the cheapest prompt to the longest, and other models last.
"""

from collections.abc import Callable, Iterable, Iterator

from app.baselines import constrained, examples, label_arms, other_models, with_passages
from app.baselines.arms import Arm
from app.baselines.offers import Context, Offer, Sizes

__all__ = ["OFFERS", "Context", "Offer", "chosen", "offers", "refused"]

OFFERS: tuple[Callable[[Context], Iterable[Offer]], ...] = (
    examples.offers,
    label_arms.offers,
    constrained.offers,
    with_passages.offers,
    other_models.offers,
)


def offers(context: Context) -> list[Offer]:
    """All offers, cheap ones first: those without a model, by the length of their prompt, other models, and at the end
    what can't be run."""
    made = [offer for offering in OFFERS for offer in offering(context)]
    sizes = Sizes.of(context)
    by_others = other_models.FAMILY
    return sorted(made, key=lambda one: (bool(one.against), one.arm.family == by_others, sizes.prompt(one)))


def chosen(context: Context, made: Iterable[Offer] | None = None) -> tuple[Arm, ...]:
    """The arms that an order asks for: those it names, or those that are proposed where it names none."""
    return tuple(offer.arm for offer in (offers(context) if made is None else made) if takes(context, offer))


def takes(context: Context, offer: Offer) -> bool:
    """Whether an order asks for an offer; one that can't be run is never taken."""
    named = context.order.arms
    wanted = offer.proposed if named is None else bool({offer.arm.name, offer.key} & set(named))
    return not offer.against and (offer.always or wanted)


def refused(context: Context, made: Iterable[Offer] | None = None) -> Iterator[str]:
    """Why arms that an order names can't be run, a sentence each."""
    known = list(offers(context) if made is None else made)
    by_name = {name: offer for offer in known for name in (offer.arm.name, offer.key)}
    for name in context.order.arms or ():
        offer = by_name.get(name)
        if offer is None:
            yield f"There is no variant {name!r}."
        elif offer.against:
            yield f"{offer.arm.title}: {offer.against}"
