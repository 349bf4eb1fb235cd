"""Children that open what people upload: a process of their own with little memory, no more time than is due, no keys.

Libraries for Parquet and PDF are large, and files are made to break them. A child that runs out of its memory or time
takes nothing with it; the parent sees how it ended and says so.
"""

import os
import resource
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

import app

ROOT = Path(app.__file__).parent.parent
MEMORY = 2 << 30  # bytes of address space, libraries included
SECONDS = 600  # of processor time


def confine(memory: int = MEMORY, seconds: int = SECONDS) -> None:
    """Called by a child first of all: from here on asking for more fails, and too long a run ends."""
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))  # it writes into a pipe and nowhere else


def start(module: str, arguments: Sequence[str], stdin: BinaryIO | int) -> "subprocess.Popen[bytes]":
    """Run `python -m MODULE` with a file as its standard input; both its outputs are pipes.

    Of our environment it gets what starting Python needs; keys and addresses of databases stay here.
    """
    keep = ("PATH", "HOME", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "VIRTUAL_ENV", "TZ")
    environment = {name: os.environ[name] for name in keep if name in os.environ} | {
        "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")])),
        "PYTHONDONTWRITEBYTECODE": "1",
        "MALLOC_ARENA_MAX": "1",  # each further arena takes 64 MiB of the address space
        "OMP_NUM_THREADS": "1",
        "ARROW_DEFAULT_MEMORY_POOL": "system",
    }
    return subprocess.Popen(  # noqa: S603  our own module, arguments as a list, no shell
        [sys.executable, "-m", module, *arguments],
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
        start_new_session=True,
    )
