"""What the optimizer finds and what it keeps out, over seeds, on scripted models.

    python tests/bench/bench_instructions.py [SEEDS]

A model on loopback whose answers depend on its instructions and the row alone, and a critic that says what it is told
to. Once one of its replies is better by 30 points and the others are faults or worse; once all of its prompts are as
good as the first one, and what looks like a gain is luck. Prints what was taken over, and the gain beside what luck
alone was said to give. No network, about two seconds a run.
"""

import hashlib
import random
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import fmean
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from app import schema
from app.db import engine_for
from app.instructions.tables import OptimisationRow
from app.jobs import engine as job_engine
from tests.support.factories import Make
from tests.support.loose import loose
from tests.support.measured import number_of, question, target
from tests.support.model_server import ModelServer, last_user, serving
from tests.support.optimised import Improvable, Reply, Script, cut, improvable, marked
from tests.support.processes import cheap

SEEDS = 10
TRAIN, DEV, TEST = 60, 100, 40
FIRST, BETTER = 0.5, 0.8  # shares of rows that the first prompt and the planted one get right
PLANTED = "Write the word label, a dash, and the number of the case."


def scripted(seed: int, share: Callable[[str], float]) -> Callable[[dict[str, Any]], str]:
    """A model that is right on that share of rows; which ones, its instructions and the seed decide."""

    def reply(body: dict[str, Any]) -> str:
        instructions = str(body["messages"][0]["content"])
        number = number_of(last_user(body))
        luck = hashlib.sha256(f"{seed}/{instructions}/{number}".encode()).digest()
        right = int.from_bytes(luck[:4], "big") / 2**32 < share(instructions)
        return target(number) if right else f"wrong-{number}"

    return reply


def planted(draw: random.Random) -> list[Reply]:
    """The better prompt among faults and worse ones, in an order of the seed; the first is never the better one."""
    faults: list[Reply] = [
        cut(f"<instructions>\n{PLANTED} And besides"),
        f"<instructions>\n{PLANTED} And bes",
        f"<think>A label is wanted.</think>{marked(PLANTED)}",
        '{"task": "classify", "instructions": "Write the label."}',
        marked(f"{PLANTED}\n{question(TRAIN + 7)}"),
        marked("Say something nice."),
        marked("Say something short."),
    ]
    draw.shuffle(faults)
    faults.insert(draw.randint(1, 4), marked(PLANTED))
    return faults


@contextmanager
def place() -> Iterator[tuple[Make, job_engine.Client]]:
    with tempfile.TemporaryDirectory() as folder:
        settings = cheap(Path(folder))
        schema.load_tables()
        schema.migrate(settings.url)
        engine, queue = engine_for(settings), job_engine.Client(settings.url)
        yield Make(engine, settings), queue
        queue.close()
        engine.dispose()


def run(
    make: Make,
    queue: job_engine.Client,
    number: int,
    model: Callable[[dict[str, Any]], str],
    replies: Sequence[Reply],
) -> tuple[Improvable, OptimisationRow]:
    with serving(model) as answers, serving(Script(replies)) as critic:
        servers: tuple[ModelServer, ModelServer] = (answers, critic)
        case = improvable(make, make.engine, make.settings, queue, servers, number, train=TRAIN, dev=DEV, test=TEST)
        row = case.optimise(candidates=len(replies), calls=100_000)
        if row.winner_arm_id is not None:
            case.measure()
        return case, row


def main(seeds: int) -> None:
    with place() as (make, queue):
        won, faults, gains, lucks, drafted = 0, 0, [], [], 0
        for seed in range(seeds):
            model = scripted(seed, lambda text: BETTER if PLANTED in text else 0.1 if "Say" in text else FIRST)
            _, row = run(make, queue, 1 + seed, model, planted(random.Random(seed)))
            result = loose(row.result or {})
            winner = next(one for one in row.candidates if one.number == result["winner"])
            won += winner.text == PLANTED
            faults += winner.number > 0 and winner.text != PLANTED
            drafted += result["drafts"]
            gains.append(result["gain"])
            lucks.append(result["luck"])
        print(
            f"A prompt that is {100 * (BETTER - FIRST):.0f} points better among faults, {seeds} seeds, {DEV} dev rows:"
        )
        print(
            f"  found in {won} of {seeds} runs; a faulty or worse one taken over in {faults}; {drafted} drafts in all"
        )
        print(f"  gain on dev {100 * fmean(gains):.1f} points on average, luck {100 * fmean(lucks):.1f}")
        gains, lucks, scored = [], [], []
        for seed in range(seeds):
            equal = [marked(f"Give the label, way {number}.") for number in range(6)]
            _, row = run(make, queue, 1001 + seed, scripted(seed, lambda _text: FIRST), equal)
            result = loose(row.result or {})
            gains.append(result["gain"])
            lucks.append(result["luck"])
            scored.append(result["scored"])
        print(f"Prompts that are all equally good, {seeds} seeds:")
        print(
            f"  {fmean(scored):.1f} prompts scored on dev; the best looks {100 * fmean(gains):.1f} points better than"
        )
        print(f"  the first; said of luck alone: {100 * fmean(lucks):.1f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else SEEDS)
