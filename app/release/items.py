"""What an adapter must not have forgotten: our own questions, each of which a program can check.

Tuning on one task can cost what the base model could do before (Luo et al. 2023, arXiv 2308.08747), and the task's own
test rows cannot show it. So base and adapter are asked the same short questions of ten kinds, and the pairs are
compared. They are made from a seed, so everybody has the same ones; `VERSION` goes with every answer that is kept. They
are easy on purpose: what a model of 135M parameters gets right one time in three, one of 8B gets right nearly always,
and either way a drop shows.
"""

import random
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from app.chat import Message
from app.evaluation import form, structure

VERSION = "1"
A_KIND = 24  # questions; ten kinds make 240, on which a drop of 6 points can be told from none
MAX_TOKENS = 48

Check = Literal["number", "word", "exact", "json"]


@dataclass(frozen=True, slots=True)
class Item:
    """One question. wanted: the right answer. options: the words among which one is right, where there are such."""

    id: str
    kind: str
    question: str
    check: Check
    wanted: str
    options: tuple[str, ...] = ()

    @property
    def messages(self) -> tuple[Message, ...]:
        return (Message("user", self.question),)


NUMBER = re.compile(r"-?\d+(?:,\d{3})*")
WORD = re.compile(r"[^\W_]+")


def right(item: Item, answer: str) -> bool:
    """Whether an answer is right. A sentence around it is allowed where it says one thing only: it is what the model
    knows that counts here, not whether it keeps to a form."""
    match item.check:
        case "number":
            numbers = NUMBER.findall(answer)
            return bool(numbers) and numbers[-1].replace(",", "") == item.wanted
        case "word":
            named = [option for option in item.options if _mentions(answer, option)]
            return named == [item.wanted]
        case "exact":
            return answer.strip().strip("\"'“”`").strip() == item.wanted
        case "json":
            given = structure.parsed(answer, fence=True, around=True)
            return given is not structure.NOTHING and structure.same(given, structure.parsed(item.wanted))


def _mentions(answer: str, option: str) -> bool:
    return option.lower() in WORD.findall(form.folded(answer))


FRUIT = ("apple", "banana", "cherry", "fig", "grape", "lemon", "mango", "orange", "peach", "pear", "plum", "quince")
ANIMALS = (
    "badger",
    "camel",
    "dolphin",
    "eagle",
    "ferret",
    "goat",
    "horse",
    "lizard",
    "otter",
    "rabbit",
    "tiger",
    "zebra",
)
TOOLS = ("anvil", "brush", "drill", "hammer", "ladder", "needle", "pencil", "ruler", "shovel", "wrench", "yardstick")
COLOURS = ("red", "green", "blue", "yellow", "black", "white", "brown", "purple")
PEOPLE = ("Anna", "Boris", "Carla", "David", "Elena", "Felix", "Greta", "Hugo", "Irene", "Jonas", "Klara", "Leon")
CITIES = ("Lisbon", "Oslo", "Vienna", "Madrid", "Dublin", "Prague", "Athens", "Helsinki", "Warsaw", "Bern")
AWAY = (("right after", 1), ("right before", -1), ("two days after", 2), ("two days before", -2))
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def _sums(chance: random.Random) -> Item:
    left, right_side = chance.randint(3, 60), chance.randint(3, 39)
    question = f"What is {left} + {right_side}? Answer with the number only."
    return Item("", "addition", question, "number", str(left + right_side))


def _differences(chance: random.Random) -> Item:
    small, more = chance.randint(2, 30), chance.randint(2, 40)
    question = f"What is {small + more} - {small}? Answer with the number only."
    return Item("", "subtraction", question, "number", str(more))


def _larger(chance: random.Random) -> Item:
    pair = chance.sample(range(11, 990), 2)
    question = f"Which number is larger, {pair[0]} or {pair[1]}? Answer with that number only."
    return Item("", "comparison", question, "number", str(max(pair)))


def _copies(chance: random.Random) -> Item:
    balloons, tool = f"{chance.randint(2, 9)} {chance.choice(COLOURS)} balloons", chance.choice(TOOLS[1:])
    text = f"{chance.choice(PEOPLE)} has {balloons} and a {tool}."
    return Item("", "copying", f"Repeat this sentence exactly and write nothing else: {text}", "exact", text)


def _first(chance: random.Random) -> Item:
    words = tuple(chance.sample(FRUIT, 3))
    question = f"Which of these words comes first in the alphabet: {', '.join(words)}? Answer with one word."
    return Item("", "alphabet", question, "word", min(words), words)


def _kinds(chance: random.Random) -> Item:
    wanted, others = chance.choice(ANIMALS), chance.sample(TOOLS, 2)
    words = [wanted, *others]
    chance.shuffle(words)
    question = f"Which of these is an animal: {', '.join(words)}? Answer with one word."
    return Item("", "category", question, "word", wanted, tuple(words))


def _reading(chance: random.Random) -> Item:
    person = chance.choice(PEOPLE)
    before, after, third = chance.sample(CITIES, 3)
    question = (
        f"{person} lived in {before}, worked in {third} for a summer, and moved to {after} in "
        f"{chance.randint(1985, 2020)}. To which city did {person} move? Answer with one word."
    )
    return Item("", "reading", question, "word", after, (before, after, third))


def _days(chance: random.Random) -> Item:
    at, (words, away) = chance.randrange(7), chance.choice(AWAY)
    wanted = DAYS[(at + away) % 7]
    question = f"Which day comes {words} {DAYS[at]}? Answer with one word."
    return Item("", "days", question, "word", wanted, tuple(day for day in DAYS if day != DAYS[at]))


def _counting(chance: random.Random) -> Item:
    words = chance.sample(FRUIT, chance.randint(2, 6))
    question = f"How many words are in this list: {', '.join(words)}? Answer with the number only."
    return Item("", "counting", question, "number", str(len(words)))


def _objects(chance: random.Random) -> Item:
    person, years = chance.choice(PEOPLE), chance.randint(18, 79)
    question = (
        f'Write a JSON object with the key "name" set to "{person}" and the key "age" set to {years}. Write only the '
        "JSON."
    )
    return Item("", "JSON", question, "json", f'{{"name": "{person}", "age": {years}}}')


MAKERS: Sequence[Callable[[random.Random], Item]] = (
    _sums, _differences, _larger, _copies, _first, _kinds, _reading, _days, _counting, _objects,
)  # fmt: skip


@lru_cache(maxsize=8)
def general(count: int) -> tuple[Item, ...]:
    """The first `count` questions, the kinds in turn; at most `A_KIND` of each. No question comes twice."""
    return tuple(_drawn())[:count]


def _drawn() -> Iterator[Item]:
    chances = [random.Random(f"probe/{VERSION}/{maker.__name__}") for maker in MAKERS]
    seen: set[str] = set()
    for number in range(A_KIND):
        for maker, chance in zip(MAKERS, chances, strict=True):
            item = maker(chance)
            for _ in range(200):  # some kinds have few questions: there are seven days
                if item.question not in seen:
                    break
                item = maker(chance)
            if item.question not in seen:
                seen.add(item.question)
                yield Item(f"{item.kind}/{number}", item.kind, item.question, item.check, item.wanted, item.options)
