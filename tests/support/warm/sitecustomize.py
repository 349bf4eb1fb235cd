"""This interpreter stands for a process that the zygote forks for it; see `tests/support/zygote.py`.

Python imports this before anything else. It does nothing unless what is started is one of the app's torch processes.
"""

import os
import sys

MODULES = {"app.inference.local_child", "app.merged.child", "app.training.child", "app.training.probe"}


def stand_for(module: str, arguments: list[str], place: str) -> None:
    """Have it forked with our standard streams, pass signals on, and end as it ends. Never returns."""
    import json
    import signal
    import socket

    zygote = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    zygote.connect(place)
    order = {"module": module, "arguments": arguments, "env": dict(os.environ), "cwd": os.getcwd()}  # noqa: PTH109 - pathlib would have to be imported
    socket.send_fds(zygote, [json.dumps(order).encode()], [0, 1, 2])
    pid = int(zygote.recv(100))
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _: os.kill(pid, number))
    for handle in (0, 1, 2):  # these are the fork's now: who reads them hears the end when it ends
        os.close(handle)
    code = int(zygote.recv(100) or -signal.SIGKILL)
    if code < 0:
        signal.signal(-code, signal.SIG_DFL) if code != -signal.SIGKILL else None
        os.kill(os.getpid(), -code)
    os._exit(code)


if sys.orig_argv[1:2] == ["-m"] and sys.orig_argv[2] in MODULES:
    stand_for(sys.orig_argv[2], sys.orig_argv[3:], os.path.join(os.path.dirname(__file__), "at.torch"))  # noqa: PTH118, PTH120 - pathlib would have to be imported
