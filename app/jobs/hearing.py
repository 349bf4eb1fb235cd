"""A job that waits for a child which works, says how far it is, hands over one result and ends."""

from app.jobs.claims import Claim, Failed
from app.processes.children import Child
from app.processes.lines import Event

POLL = 0.3  # seconds between two looks whether to go on


def result_of(claim: Claim, child: Child, last: str, who: str) -> Event:
    """Hear a child out: its stages go to the page of the job, and its event named `last` is what it came to. Whoever
    started it closes it, also when something is raised here, as soon as somebody pressed cancel. who: the process, as
    a sentence begins that goes on with how it ended.

    Raises:
        Failed: it says why it can't, or has ended without a result.
        Cancelled, Fenced, Stopping: pass them on.
    """
    result: Event | None = None
    while child.code is None:
        match child.next(POLL):
            case {"event": "stage", "text": text}:
                claim.report({"stage": text}, now=True)
            case {"event": "failed", "text": text}:
                raise Failed(str(text))
            case {"event": event, **_rest} as said if event == last:
                result = said
        claim.check()
    if result is None:
        raise Failed(f"{who} {child.how_it_ended()}")
    return result
