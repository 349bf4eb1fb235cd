"""Children that open what people upload: a process of their own with little memory, no more time than is due, no keys.

Libraries for Parquet and PDF are large, and files are made to break them. A child that runs out of its memory or time
takes nothing with it; the parent sees how it ended and says so.
"""

import resource
from typing import BinaryIO

from app.processes import children
from app.processes.children import Child

MEMORY = 2 << 30  # bytes of address space, libraries included
SECONDS = 600  # of processor time
BOMB = 100  # bytes out for a byte in, from which on a packed file is a bomb
KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "VIRTUAL_ENV", "TZ")  # of our environment
SETTINGS = {
    "PYTHONDONTWRITEBYTECODE": "1",
    "MALLOC_ARENA_MAX": "1",  # each further arena takes 64 MiB of the address space
    "OMP_NUM_THREADS": "1",
    "ARROW_DEFAULT_MEMORY_POOL": "system",
}


def confine(memory: int = MEMORY, seconds: int = SECONDS) -> None:
    """Called by a child first of all: from here on asking for more fails, and too long a run ends.

    memory: bytes of address space. seconds: of processor time.
    """
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))  # it writes into a pipe and nowhere else


def start(module: str, *arguments: str, file: BinaryIO) -> Child:
    """Run `python -m MODULE` with this file as its standard input; both its outputs are pipes.

    Of our environment it gets what starting Python needs; keys and addresses of databases stay here. It has no
    lifeline: it ends when it writes and nobody reads, at the latest with its time.
    """
    return children.spawn(module, arguments, children.environment(KEPT, (), SETTINGS), stdin=file)


def out_of_memory(child: Child) -> bool:
    """Whether a child that ended did so because it asked for more than it may have."""
    return any(sign in child.last_words() for sign in ("MemoryError", "bad_alloc", "malloc"))
