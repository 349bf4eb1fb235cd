"""What a critic is asked: the prompt as it is, some train rows with what the model made of them, and the task. Pure.

GEPA's own template asks for every fact that stands in the examples, which is how rows end up in prompts. This one asks
for what holds for all rows like these, and forbids quoting them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from app.chat import Message
from app.instructions.replies import CLOSED, OPENED

CUT = 1_500  # characters of a question or an answer that the critic reads

GIVEN = "You improve the instructions that a language model is given.\n\nThe instructions now:"
MADE = "What the model made of them, on some rows:"
TASK = f"""Write better instructions. Find out from the rows where the model did something else than was wanted, and \
say what it should do: the form of the answer, what belongs in it and what does not, how to decide between alternatives.
- They have to hold for rows that nobody has seen yet, of the same kind as these.
- Do not quote or list rows, and do not give their answers. Name a label only if it is one of a fixed set.
- Keep what works. Be as short as you can.
- No introduction, no thinking aloud, no JSON around it.

Reply with the new instructions between {OPENED} and {CLOSED}, and nothing else."""


@dataclass(frozen=True, slots=True)
class Tried:
    """One row with the answer that it got. score: 0 to 1."""

    question: str
    answer: str
    wanted: str
    score: float


def asked(current: str, rows: Sequence[Tried]) -> tuple[Message, ...]:
    """The message for the critic."""
    listed = [_row(number, row) for number, row in enumerate(rows, start=1)]
    parts = [f"{GIVEN}\n<current>\n{current.strip()}\n</current>", MADE, *listed, TASK]
    return (Message("user", "\n\n".join(parts)),)


def _row(number: int, row: Tried) -> str:
    verdict = "This was right." if row.score >= 1 else f"This scored {row.score:.2f} of 1."
    parts = (("Asked", row.question), ("Answered", row.answer), ("Wanted", row.wanted))
    lines = [f"{name}:\n{_cut(text)}" for name, text in parts]
    return "\n".join([f"Row {number}", *lines, verdict])


def _cut(text: str) -> str:
    bare = text.strip() or "(nothing)"
    return bare if len(bare) <= CUT else f"{bare[:CUT]} [...]"
