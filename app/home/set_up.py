"""The set-up checklist of a first administrator: what is to do, and what of it is done, by what is really there."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class There:
    """What the installation has. people: accounts that somebody can use; second: whether two of them are two people
    for sure (`audit.accounts`). prices: entries of the price list."""

    model: bool
    people: int
    prices: bool
    second: bool = False


NOT_INDEPENDENT = (
    "No two of these people are two for a review: whoever made an account is no second person beside it. Leave use "
    "cases to an author and a reviewer whom you add. Or, if you work on one, have a second admin add the reviewer, or "
    "the operator give them a password on the server: python -m app reset-password E-MAIL."
)


@dataclass(frozen=True, slots=True)
class Task:
    """One line of the checklist. button: verb and object, leading to the page of `route`."""

    label: str
    why: str
    done: bool
    button: str = ""
    route: str = ""


@dataclass(frozen=True, slots=True)
class SetUp:
    """The checklist as it stands."""

    tasks: Sequence[Task]

    @property
    def done(self) -> int:
        return sum(task.done for task in self.tasks)

    @property
    def next(self) -> Task | None:
        """The first task that is open; None when everything is done."""
        return next((task for task in self.tasks if not task.done), None)


def checklist(there: There) -> SetUp:
    """What is to do before a team can take a use case all the way."""
    none_independent = there.people > 1 and not there.second
    return SetUp(
        (
            Task("Create your account", "You are signed in as an administrator.", done=True),
            Task(
                "Set up a model",
                "Connect a model server, or set up the embedded one. Baselines run on it.",
                there.model,
                "Open models",
                "models",
            ),
            Task(
                "Add two more people" if none_independent else "Add a second person",
                NOT_INDEPENDENT
                if none_independent
                else "Nobody approves what they contributed to, so a review needs two people.",
                there.second,
                "Add a person",
                "users",
            ),
            Task(
                "Enter prices",
                "Costs and break-even are calculated from what your team pays.",
                there.prices,
                "Enter prices",
                "prices",
            ),
        )
    )
