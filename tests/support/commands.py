"""Commands to a house with their labels: what a small classifier learns."""

import random

ROOMS = ("kitchen", "hall", "attic", "cellar", "garage", "garden")
ORDERS = {"light_on": "switch on the lamp", "light_off": "switch off the lamp", "heat_up": "make it warmer"}
FILLING = [
    "please",
    "now",
    "quickly",
    "could",
    "right",
    "away",
    "when",
    "you",
    "can",
    "big",
    "old",
    "over",
    "there",
    "today",
]


def command(number: int) -> tuple[str, str]:
    """A command to a house and its label; no two are near-duplicates."""
    draw = random.Random(number)
    label = tuple(ORDERS)[number % len(ORDERS)]
    words = " ".join(draw.sample(FILLING, 7))
    return f"{words} {ORDERS[label]} in the {draw.choice(ROOMS)} {draw.randrange(100, 999)}", label
