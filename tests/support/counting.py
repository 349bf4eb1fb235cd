"""A worker whose one kind of work is to count: writes a line for every number, and goes on where it stopped.

python -m tests.support.counting SLOT TARGET FILE: the settings come from the environment, as for any worker. While
there is a FILE.hold it counts no further than the number in it, so that a test finds it in the middle of its work
whenever it looks.
"""

import sys
import time
from pathlib import Path

from app.jobs.claims import Claim, Failed
from app.settings import Settings
from app.worker import Worker

slot, target, file = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
hold = file.with_name(file.name + ".hold")


def count(claim: Claim) -> None:
    written = file.read_text().split() if file.exists() else []
    for number in range(len(written), target):
        claim.report({"done": number, "total": target, "stage": "Counting"}, now=True)
        while held(number):
            claim.check()
            time.sleep(0.01)
        with file.open("a") as out:
            out.write(f"{number}\n")
    claim.log(f"counted to {target}")


def held(number: int) -> bool:
    """Whether to wait before writing this number."""
    try:
        return number >= int(hold.read_text())
    except FileNotFoundError:
        return False


def fail(_claim: Claim) -> None:
    raise Failed("The sky is not blue. Paint it.")


def crash(_claim: Claim) -> None:
    raise RuntimeError("with a secret in it")


sys.exit(Worker(Settings(), slot, ["cpu"], {"check": count, "preflight": fail, "convert": crash}.__getitem__).run())
