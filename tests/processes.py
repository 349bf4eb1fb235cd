"""Looking at processes."""

from pathlib import Path


def runs(pid: int) -> bool:
    """Whether a process is there and not a zombie that its new parent has yet to reap."""
    return state(pid) not in {"", "Z"}


def state(pid: int) -> str:
    """The letter by which the kernel names what a process does, R, S, D, T (stopped), Z; empty when it is not there."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return ""


def children() -> set[int]:
    """The processes that this one has started and not yet buried."""
    lists = Path("/proc/self/task").glob("*/children")
    return {int(pid) for one in lists for pid in one.read_text(encoding="utf-8").split()}
