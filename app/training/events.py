"""What a trainer says, kept in order until it is stored, and put into words for a page. Pure but for `journal`."""

import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from app.jobs.progress import Progress
from app.processes.lines import Event
from app.training.legs import Outcome
from app.training.protocol import Done, LegOver, Measured, Started, TrainerEvent
from app.wording import plural


@dataclass(slots=True)
class Heard:
    """What one start of the trainer said. waiting: events that are not in the database yet. checkpoint: the newest one,
    by leg and step. leg: the number of the one that is trained now, 0 where there is one training."""

    waiting: list[TrainerEvent] = field(default_factory=list)
    done: Done | None = None
    text: str = "The trainer ended without a word."
    checkpoint: tuple[int, int] = (0, -1)
    leg: int = 0
    first: tuple[int, float] | None = None

    def take(self, event: Event, now: float) -> None:
        """Keep an event that was heard at this time of `time.monotonic`."""
        said = cast("TrainerEvent", event)
        self.waiting.append(said)
        if said["event"] == "started":
            self.leg, self.first = said.get("leg_number", 0), None
        elif said["event"] == "step":
            self.first = self.first or (said["step"] - 1, now)
        elif said["event"] == "checkpoint":
            self.checkpoint = (self.leg, said["step"])
        elif said["event"] == "done":
            self.done = said
        elif said["event"] == "ended":
            self.text = said["text"]


def journal(path: Path) -> list[Measured]:
    """The trainer's own list of measurements, the last one of each step; a line that a kill cut off is left out."""
    measured: dict[tuple[str, int], Measured] = {}
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
    for line in lines:
        try:
            event: Measured = json.loads(line)
        except ValueError:
            continue
        measured[event["event"], event["step"]] = event
    return list(measured.values())


def log_line(event: TrainerEvent) -> str:
    """What goes into the log that people read; steps are in the chart."""
    line = ""
    if event["event"] == "started":
        line = _started(event)
    elif event["event"] == "dev":
        line = _dev(event)
    elif event["event"] == "leg":
        line = _leg(event)
    elif event["event"] == "checkpoint":
        line = f"Step {event['step']}: checkpoint stored."
    elif event["event"] == "log":
        line = event["line"]
    elif event["event"] == "ended":
        line = event["text"]
    elif event["event"] == "done":
        line = f"Training is done; the adapter of step {event['best_step']} is kept."
    return line


def _dev(event: Measured) -> str:
    measured, best = f"dev loss {event['loss']:.4f}", f"{event['best_loss']:.4f}"
    if "score" in event:
        measured, best = f"{measured}, dev score {event['score']:.3f}", f"{event['best_score']:.3f}"
    return f"Step {event['step']}: {measured} (best {best} at {event['best_step']})."


def _leg(event: LegOver) -> str:
    outcome = Outcome.from_json(event)
    if outcome.diverged or outcome.best_loss is None:
        return ""
    scored = f", dev score {outcome.best_score:.3f}" if outcome.best_score is not None else ""
    return f"{outcome.words} is trained: dev loss {outcome.best_loss:.4f}{scored} at step {outcome.steps}."


def _started(event: Started) -> str:
    begun = f"from the checkpoint of step {event['step']}" if event["step"] else "from the start"
    left_out = f", {plural(event['left_out'], 'row')} left out for their length" if event["left_out"] else ""
    return (
        f"Attempt {event['attempt']} begins {begun}: {plural(event['train_rows'], 'row')}, "
        f"{plural(event['of'], 'step')}, "
        f"{event['dtype']}, {plural(event['shared_tokens'], 'token')} shared by all prompts{left_out}."
    )


def progress(heard: Heard, step: Measured) -> Progress:
    """How far a run is, for its job. memory_bytes, peak_bytes: what the trainer takes now, and took at most."""
    now: Progress = {"loss": step["loss"]}
    if "tokens_per_second" in step:
        now["tokens_per_second"] = step["tokens_per_second"]
    if "memory_bytes" in step:
        now["memory_bytes"] = step["memory_bytes"]
    if "peak_bytes" in step:
        now["peak_bytes"] = step["peak_bytes"]
    if step["step"] >= step["of"]:  # what is left has no steps to count
        return {"stage": "Last dev evaluation", **now}
    report: Progress = {
        "stage": f"Training: loss {step['loss']:.3f}",
        "done": step["step"],
        "total": step["of"],
        "unit": "steps",
        **now,
    }
    if heard.first:
        begun, at = heard.first
        rate = (step["step"] - begun) / max(time.monotonic() - at, 1e-9)
        report |= {"rate": rate, "seconds_left": (step["of"] - step["step"]) / max(rate, 1e-9)}
    return report
