"""Intervals of scores and differences that a judge gave and people's labels corrected: how often they hold the truth.

    python tests/bench/bench_corrected.py [--runs 250] [--parts scores differences]

Prints a line for each source of the labels (tests/support/judge_runs.py): the mean of all kinds of runs, the lowest and
the highest, and the share of runs without any gain that were called an improvement. `tests/judging/test_coverage.py`
(deep) holds the limits.
"""

import argparse
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.support.judge_runs import Case, Source, differences, scores

SCORES: tuple[Source, ...] = ("all of them judged", "these", "others")
DIFFERENCES: tuple[Source, ...] = ("these", "others")


def line(what: str, source: str, cases: list[Case], spent: float) -> str:
    covered = [case.covered for case in cases]
    none = [case.better for case in cases if what == "differences" and not case.truth]
    false = f"{100 * np.mean(none):.1f} % ({100 * max(none):.1f} %)" if none else ""
    mean, low, high = (100 * value for value in (float(np.mean(covered)), min(covered), max(covered)))
    return f"| {what} | {source} | {len(cases)} | {mean:.1f} % | {low:.1f} to {high:.1f} % | {false} | {spent:.0f} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=250)
    parser.add_argument("--parts", nargs="*", default=["scores", "differences"])
    given = parser.parse_args()
    print("| of | labels of | kinds of runs | covered | lowest, highest | false “better” (most) | processor s |")
    print("| --- | --- | ---: | ---: | ---: | ---: | ---: |", flush=True)
    for what, made, sources in (("scores", scores, SCORES), ("differences", differences, DIFFERENCES)):
        for source in sources if what in given.parts else ():
            began = time.process_time()
            cases = list(made(source, given.runs))
            print(line(what, source, cases, time.process_time() - began), flush=True)


if __name__ == "__main__":
    main()
