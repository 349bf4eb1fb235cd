"""What a trainer says, kept in order until it is stored, and put into words for a page. Pure but for `journal`."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from app.processes.lines import Event
from app.training.legs import Outcome
from app.wording import plural


@dataclass(slots=True)
class Heard:
    """What one start of the trainer said. waiting: events that are not in the database yet. checkpoint: the newest one,
    by leg and step. leg: the number of the one that is trained now, 0 where there is one training."""

    waiting: list[dict[str, Any]] = field(default_factory=list)
    done: dict[str, Any] | None = None
    text: str = "The trainer ended without a word."
    checkpoint: tuple[int, int] = (0, -1)
    leg: int = 0
    first: tuple[int, float] | None = None

    def take(self, event: Event, now: float) -> None:
        """Keep an event that was heard at this time of `time.monotonic`."""
        self.waiting.append(event)
        match event["event"]:
            case "started":
                self.leg, self.first = event.get("leg_number", 0), None
            case "step":
                self.first = self.first or (event["step"] - 1, now)
            case "checkpoint":
                self.checkpoint = (self.leg, event["step"])
            case "done":
                self.done = event
            case "ended":
                self.text = event["text"]


def journal(path: Path) -> list[dict[str, Any]]:
    """The trainer's own list of measurements, the last one of each step; a line that a kill cut off is left out."""
    measured: dict[tuple[str, int], dict[str, Any]] = {}
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
    for line in lines:
        try:
            event = json.loads(line)
        except ValueError:
            continue
        measured[event["event"], event["step"]] = event
    return list(measured.values())


def log_line(event: Mapping[str, Any]) -> str:
    """What goes into the log that people read; steps are in the chart."""
    match event:
        case {"event": "started"}:
            line = _started(event)
        case {"event": "dev", "step": step, "loss": loss, "score": score, "best_score": best, "best_step": at}:
            line = f"Step {step}: dev loss {loss:.4f}, dev score {score:.3f} (best {best:.3f} at {at})."
        case {"event": "dev", "step": step, "loss": loss, "best_loss": best, "best_step": at}:
            line = f"Step {step}: dev loss {loss:.4f} (best {best:.4f} at {at})."
        case {"event": "leg", "diverged": "", "best_loss": loss, "steps": at} as ended:
            scored = f", dev score {ended['best_score']:.3f}" if ended["best_score"] is not None else ""
            line = f"{Outcome(**_of_leg(ended)).words} is trained: dev loss {loss:.4f}{scored} at step {at}."
        case {"event": "checkpoint", "step": step}:
            line = f"Step {step}: checkpoint stored."
        case {"event": "log", "line": line} | {"event": "ended", "text": line}:
            pass
        case {"event": "done", "best_step": step}:
            line = f"Training is done; the adapter of step {step} is kept."
        case _:
            line = ""
    return str(line)


def _of_leg(event: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in event.items() if name != "event"}


def _started(event: Mapping[str, Any]) -> str:
    begun = f"from the checkpoint of step {event['step']}" if event["step"] else "from the start"
    left_out = f", {plural(event['left_out'], 'row')} left out for their length" if event["left_out"] else ""
    return (
        f"Attempt {event['attempt']} begins {begun}: {plural(event['train_rows'], 'row')}, "
        f"{plural(event['of'], 'step')}, "
        f"{event['dtype']}, {plural(event['shared_tokens'], 'token')} shared by all prompts{left_out}."
    )


def progress(heard: Heard, step: Mapping[str, Any]) -> dict[str, Any]:
    """How far a run is, for its job. memory_bytes, peak_bytes: what the trainer takes now, and took at most."""
    now = {name: step[name] for name in ("loss", "tokens_per_second", "memory_bytes", "peak_bytes") if name in step}
    if step["step"] >= step["of"]:  # what is left has no steps to count
        return {"stage": "Last dev evaluation", **now}
    report = {
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
