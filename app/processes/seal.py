"""A child's side of being sealed: from here on it can compute, read what its parent sends and answer, and nothing else.

Limits of the system bound memory, processor time and files; a filter in the kernel (seccomp) lets only a short list of
system calls through. Opening a file, a socket, a process, a thread: each fails with "not permitted", whoever asks and
by whatever way, so the seal holds for code that nobody has read. It cannot be taken off again. Standard library only:
what is sealed is started without any other.
"""

import ctypes
import platform
import resource
import struct
from collections.abc import Mapping

PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, FILTER = 38, 22, 2
LOAD, EQUAL, RETURN = 0x20, 0x15, 0x06  # of classic BPF: a word of the call, jump if equal, end
ALLOW, REFUSE, KILL = 0x7FFF0000, 0x00050001, 0x80000000  # go on; fail with EPERM; end the process

# What a computing process needs: memory, time, chance, its pipes, its end. Numbers by the kernel's tables of each
# architecture (asm/unistd.h), and the architecture's own number (linux/audit.h).
CALLS: Mapping[str, tuple[int, Mapping[str, int]]] = {
    "x86_64": (
        0xC000003E,
        {
            "read": 0, "write": 1, "lseek": 8, "mmap": 9, "mprotect": 10, "munmap": 11, "brk": 12, "rt_sigaction": 13,
            "rt_sigprocmask": 14, "rt_sigreturn": 15, "sched_yield": 24, "mremap": 25, "madvise": 28, "nanosleep": 35,
            "getpid": 39, "exit": 60, "gettimeofday": 96, "sigaltstack": 131, "futex": 202, "restart_syscall": 219,
            "clock_gettime": 228, "clock_getres": 229, "clock_nanosleep": 230, "exit_group": 231, "getrandom": 318,
        },
    ),
    "aarch64": (
        0xC00000B7,
        {
            "lseek": 62, "read": 63, "write": 64, "exit": 93, "exit_group": 94, "futex": 98, "nanosleep": 101,
            "clock_gettime": 113, "clock_getres": 114, "clock_nanosleep": 115, "sched_yield": 124,
            "restart_syscall": 128, "sigaltstack": 132, "rt_sigaction": 134, "rt_sigprocmask": 135, "rt_sigreturn": 139,
            "gettimeofday": 169, "getpid": 172, "brk": 214, "munmap": 215, "mremap": 216, "mmap": 222, "mprotect": 226,
            "madvise": 233, "getrandom": 278,
        },
    ),
}  # fmt: skip


class NotSealed(Exception):
    """This machine cannot seal a process; the text says why."""


def seal(memory: int, seconds: int) -> None:
    """Give everything up but computing.

    memory: bytes of address space, libraries included. seconds: of processor time.

    Raises:
        NotSealed: the kernel has no such filter, or none is known for this kind of processor. Nothing may run then.
    """
    for limit, value in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
    ):
        resource.setrlimit(limit, (value, value))
    machine = platform.machine()
    if machine not in CALLS:
        raise NotSealed(f"no filter is known for processors of the kind {machine}")
    architecture, calls = CALLS[machine]
    program = _program(architecture, sorted(calls.values()))
    libc = ctypes.CDLL(None, use_errno=True)
    buffer = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *line) for line in program))
    header = ctypes.create_string_buffer(struct.pack("HxxxxxxQ", len(program), ctypes.addressof(buffer)))
    if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or libc.prctl(PR_SET_SECCOMP, FILTER, header, 0, 0):
        raise NotSealed(f"the kernel refuses a filter of system calls (error {ctypes.get_errno()})")


def _program(architecture: int, calls: list[int]) -> list[tuple[int, int, int, int]]:
    """The filter: another architecture's numbering ends the process; a call that is listed goes on, others fail."""
    checks = [(EQUAL, len(calls) - at, 0, call) for at, call in enumerate(calls)]
    return [
        (LOAD, 0, 0, 4),
        (EQUAL, 1, 0, architecture),
        (RETURN, 0, 0, KILL),
        (LOAD, 0, 0, 0),
        *checks,
        (RETURN, 0, 0, REFUSE),
        (RETURN, 0, 0, ALLOW),
    ]
