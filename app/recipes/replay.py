"""General rows that can be mixed into a training set against forgetting: our own, made from a seed, with answers that
are right by construction or written by hand.

Tuning on one task costs less of what the base model could do before where some general rows are replayed beside it
(Scialom et al. 2022, arXiv 2205.12393; Ibrahim et al. 2024, arXiv 2403.08763). These are of other kinds than the
questions that the release checks ask, and none of them is one of those (a test holds it): what is trained on can't be
what is checked by. They are English and easy; a team that lives on another language gains little from them.

A config may ask for refusals among them (`replay_set`): harmless rows alone make a tuned model decline less (Qi et al.
2023, arXiv 2310.03693), and a few safety rows in the mix hold that off (Bianchi et al. 2024, arXiv 2309.07875). Pure.
"""

import json
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from typing import TypedDict

from app.recipes import refusal_texts
from app.recipes.replay_texts import FACTS, GOODS, JOBS, PLACES, REPLIES, THINGS
from app.recipes.settings import RecipeSettings

VERSION = "1"
SETS: Mapping[str, str] = {"general": VERSION, "refusals": "1+refusals-1"}
"""What a config may ask for, and the version of its rows."""
EVERY_FIFTH = 5  # of the rows is a refusal, or what only sounds like one, until all of these were there
ROWS = 2400  # in all; with the largest share that is as many as the rows of 2,400 examples


@dataclass(frozen=True, slots=True)
class ReplayRow:
    """One general row. kind: what it exercises."""

    kind: str
    question: str
    answer: str


def wanted(settings: RecipeSettings, train_rows: int) -> int:
    """How many general rows make up the share that a config asks for beside so many rows of the task."""
    share = float(settings.get("replay", 0.0))
    return round(share / (1 - share) * train_rows)


def count(settings: RecipeSettings, train_rows: int) -> int:
    """The same, as far as there are so many."""
    return min(wanted(settings, train_rows), ROWS)


class ReplayStated(TypedDict):
    """The general rows of a config as a subject has them."""

    set: str
    version: str
    sha256: str


def stated(settings: RecipeSettings) -> ReplayStated | None:
    """What a subject says of them, so that these rows are approved and no others; None where there are none."""
    if not float(settings.get("replay", 0.0)):
        return None
    kind = str(settings.get("replay_set", "general"))
    return {"set": "own", "version": SETS[kind], "sha256": digest(kind)}


def rows(number: int, seed: int, kind: str = "general") -> list[ReplayRow]:
    """So many of them, drawn by a seed: those written by hand before those that were made. A smaller number is the
    beginning of a larger one. kind: of `SETS`; with refusals every fifth row is one, as far as they go."""
    chance = random.Random(f"replay/{seed}")
    by_hand, others = _every()[: len(FACTS)], _every()[len(FACTS) :]
    general = [*chance.sample(by_hand, len(by_hand)), *chance.sample(others, len(others))]
    if kind != "general":
        for place, row in enumerate(chance.sample(_refusals(), len(_refusals()))):
            general.insert(EVERY_FIFTH * (place + 1) - 1, row)
    return general[: min(number, ROWS)]


@lru_cache(maxsize=len(SETS))
def digest(kind: str = "general") -> str:
    """SHA-256 over all rows of a set, one JSON list a line."""
    every = [*_every(), *(_refusals() if kind != "general" else ())]
    lines = "".join(json.dumps([row.question, row.answer], ensure_ascii=False) + "\n" for row in every)
    return sha256(lines.encode()).hexdigest()


def _refusals() -> Sequence[ReplayRow]:
    """Requests that are declined, and those that only sound like them."""
    return [
        *(ReplayRow("declined", question, answer) for question, answer in refusal_texts.DECLINED),
        *(ReplayRow("answered", question, answer) for question, answer in refusal_texts.ANSWERED),
    ]


@lru_cache(maxsize=1)
def _every() -> Sequence[ReplayRow]:
    """All rows: those that were written by hand, then one of each kind in turn, no question twice."""
    made = {question: ReplayRow("facts", question, answer) for question, answer in FACTS}
    chance = random.Random(f"replay {VERSION}")
    turn = 0
    while len(made) < ROWS:
        kind, make = KINDS[turn % len(KINDS)]
        question, answer = make(chance)
        made.setdefault(question, ReplayRow(kind, question, answer))
        turn += 1
    return tuple(made.values())


def _product(chance: random.Random) -> tuple[str, str]:
    left, right = chance.randint(3, 19), chance.randint(3, 12)
    thing = chance.choice(GOODS)
    question = f"A box holds {right} {thing}. How many {thing} are in {left} boxes? Show the sum."
    return question, f"{left} × {right} = {left * right}, so there are {left * right} {thing}."  # noqa: RUF001


def _conversion(chance: random.Random) -> tuple[str, str]:
    large, small, times = chance.choice(
        (("metres", "centimetres", 100), ("kilograms", "grams", 1000), ("hours", "minutes", 60),
         ("kilometres", "metres", 1000), ("minutes", "seconds", 60), ("litres", "millilitres", 1000))
    )  # fmt: skip
    number = chance.randint(2, 48)
    return f"Convert {number} {large} to {small}.", f"{number} {large} are {number * times:,} {small}."


def _capitals(chance: random.Random) -> tuple[str, str]:
    words = f"{chance.choice(JOBS)} in {chance.choice(PLACES)} with {chance.choice(THINGS)}"
    return f"Write this in capital letters: {words}", words.upper()


def _backwards(chance: random.Random) -> tuple[str, str]:
    words = chance.sample(THINGS, chance.randint(3, 5))
    listed = ", ".join(words)
    return f"Give this list in reverse order, separated by commas: {listed}", ", ".join(reversed(words))


def _bullets(chance: random.Random) -> tuple[str, str]:
    words = chance.sample(THINGS, chance.randint(3, 4))
    sentence = f"{', '.join(words[:-1])} and {words[-1]}"
    return f"Turn this into a bulleted list: we need {sentence}.", "\n".join(f"- {word}" for word in words)


def _table(chance: random.Random) -> tuple[str, str]:
    first, second = chance.sample(GOODS, 2)
    left, right = chance.randint(2, 40), chance.randint(2, 40)
    question = f"Make a Markdown table with the columns Item and Number: {left} {first}, {right} {second}."
    return question, f"| Item | Number |\n| --- | --- |\n| {first} | {left} |\n| {second} | {right} |"


def _message(chance: random.Random) -> tuple[str, str]:
    job, thing, number = chance.choice(JOBS), chance.choice(THINGS), chance.randint(2, 28)
    question = f"Write a short, polite message that asks the {job} to bring {thing} by the {_ordinal(number)}."
    return question, f"Hello, could you please bring {thing} by the {_ordinal(number)}? Thank you very much."


def _short(chance: random.Random) -> tuple[str, str]:
    job, place, thing = chance.choice(JOBS), chance.choice(PLACES), chance.choice(THINGS)
    number = chance.randint(2, 11)
    text = (
        f"The {job} came to {place} at {number} o'clock. It rained, and hardly anybody was there. After an hour "
        f"the {job} left again, and forgot {thing}."
    )
    return f"Summarize in one sentence: {text}", f"The {job} spent an hour in {place} and left {thing} behind."


def _reply(chance: random.Random) -> tuple[str, str]:
    kind, sentence = chance.choice(REPLIES)
    job, thing = chance.choice(JOBS), chance.choice(THINGS)
    said = sentence.format(job=job, thing=thing)
    question = f"Is this sentence a question, a request or a statement? “{said}”"
    return question, f"It is a {kind}."


def _past(chance: random.Random) -> tuple[str, str]:
    verb, past = chance.choice(
        (("walks", "walked"), ("works", "worked"), ("waits", "waited"), ("cooks", "cooked"), ("rests", "rested"),
         ("stays", "stayed"), ("paints", "painted"), ("sings", "sang"), ("reads", "read"), ("sleeps", "slept"))
    )  # fmt: skip
    job, place = chance.choice(JOBS), chance.choice(PLACES)
    return f"Put this sentence into the past tense: The {job} {verb} in {place}.", f"The {job} {past} in {place}."


def _code(chance: random.Random) -> tuple[str, str]:
    number, word = chance.randint(2, 99), chance.choice(GOODS)
    name = word.replace(" ", "_")
    question = f"Write Python that prints the word {word} {number} times, each on a line of its own."
    return question, f'```python\nfor _ in range({number}):\n    print("{name}")\n```'


def _ordinal(number: int) -> str:
    ending = {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th") if number not in (11, 12, 13) else "th"
    return f"{number}{ending}"


Maker = Callable[[random.Random], tuple[str, str]]
KINDS: Sequence[tuple[str, Maker]] = (
    ("sums in words", _product),
    ("units", _conversion),
    ("capitals", _capitals),
    ("order", _backwards),
    ("lists", _bullets),
    ("tables", _table),
    ("messages", _message),
    ("summaries", _short),
    ("sentences", _reply),
    ("grammar", _past),
    ("code", _code),
)
