"""How long advice takes, in this process: the advice, what would change it, how stable it is, and the rest.

    python tests/bench/bench_advice.py [--rounds 200]

The golden cases and as many random ones, each in turn; a case is read once and judged anew every time. Prints the
median and the 99th percentile in milliseconds, by the clock and by the processor's own time (`cpu`), which a busy
machine doesn't stretch. Exits with 1 if the processor's median is above 0.5 ms for the advice or 20 ms for the flips.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from random import Random

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from app.advice.case import parse
from app.advice.schema import Case
from app.advice.verdict import advise
from tests.support.golden import GOLDEN
from tests.support.random_cases import random_case

LIMITS = {"advice": 0.5, "flips": 20.0}  # milliseconds of the processor, median

PARTS: dict[str, Callable[[Case], object]] = {
    "advice": advise,
    "flips": lambda case: advise(case).flips,
    "robustness": lambda case: advise(case).robustness,
    "contradictions": lambda case: advise(case).contradictions,
    "disagreements": lambda case: advise(case).disagreements,
    "instead": lambda case: advise(case).alternatives,
    "everything": lambda case: (advise(case).to_json(), advise(case).more()),
}


def timed(part: Callable[[Case], object], cases: list[Case], rounds: int) -> tuple[list[float], list[float]]:
    """Milliseconds by the clock and of the processor, one for each call."""
    wall, cpu = [], []
    for place in range(rounds):
        case = cases[place % len(cases)]
        started, worked = time.perf_counter(), time.process_time()
        part(case)
        wall.append((time.perf_counter() - started) * 1000)
        cpu.append((time.process_time() - worked) * 1000)
    return wall, cpu


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=200)
    rounds = parser.parse_args().rounds
    cases = {
        "golden": [parse(golden.data) for golden in GOLDEN],
        "random": [parse(random_case(Random(seed))) for seed in range(len(GOLDEN) * 4)],
    }
    slow = False
    print(f"{'':8}{'':16}{'p50':>9}{'p99':>9}{'cpu p50':>9}{'cpu p99':>9}  ms")
    for kind, some in cases.items():
        for name, part in PARTS.items():
            timed(part, some, len(some))  # warm: policies and draws are made once for a process
            wall, cpu = timed(part, some, rounds)
            numbers = [statistics.median(wall), _last(wall), statistics.median(cpu), _last(cpu)]
            print(f"{kind:8}{name:16}" + "".join(f"{number:9.2f}" for number in numbers))
            slow |= numbers[2] > LIMITS.get(name, float("inf"))
    return int(slow)


def _last(values: list[float]) -> float:
    return sorted(values)[int(len(values) * 0.99)]


if __name__ == "__main__":
    sys.exit(main())
