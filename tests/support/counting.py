"""A worker whose one kind of work is to count: writes a line for every number, slowly, and goes on where it stopped.

python counting.py SLOT TARGET FILE: the settings come from the environment, as for any worker.
"""

import sys
import time
from pathlib import Path

from app.jobs.claims import Claim, Failed
from app.settings import Settings
from app.worker import Worker

slot, target, file = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])


def count(claim: Claim) -> None:
    written = file.read_text().split() if file.exists() else []
    for number in range(len(written), target):
        claim.report({"done": number, "total": target, "stage": "Counting"}, now=True)
        with file.open("a") as out:
            out.write(f"{number}\n")
        time.sleep(0.05)
    claim.log(f"counted to {target}")


def fail(_claim: Claim) -> None:
    raise Failed("The sky is not blue. Paint it.")


def crash(_claim: Claim) -> None:
    raise RuntimeError("with a secret in it")


sys.exit(Worker(Settings(), slot, ["cpu"], {"check": count, "preflight": fail, "convert": crash}.__getitem__).run())
