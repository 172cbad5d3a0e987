"""A process that has imported everything, and forks for each program that a test starts.

Most of what a start costs is its imports, and tests start hundreds. What is forked is a process like any other, with
arguments, environment, standard streams and an exit code of its own; only what a start itself does, and what Python does
last of all, is left to those tests that start the program as a user does.

    python -m tests.warm FD        # takes what is asked at a socket, until nobody holds its other end
"""

from __future__ import annotations

import atexit
import gc
import importlib
import json
import os
import select
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NoReturn

ROOT = Path(__file__).parent.parent
NUMBER = struct.Struct("i")
"""What is told of a process: its id, and once it has ended its exit code."""


class Forked:
    """A program in a process of its own, which ends as a child of ours would."""

    def __init__(self, status: socket.socket) -> None:
        self._status = status
        self.pid = self._told()

    def _told(self) -> int:
        (number,) = NUMBER.unpack(self._status.recv(NUMBER.size))
        return int(number)

    def wait(self, timeout: float) -> int:
        """Its exit code, negative for a signal; it is killed if it does not end in time."""
        with self._status:
            if not select.select([self._status], [], [], timeout)[0]:
                os.kill(self.pid, signal.SIGKILL)
                raise TimeoutError(f"the process did not end within {timeout} s")
            return self._told()


def start(
    program: str,
    words: Sequence[str],
    env: Mapping[str, str],
    streams: tuple[int, int, int],
    folder: Path | None = None,
) -> Forked:
    """Fork for *program*, `module:function` without arguments, whose answer is the exit code.

    *streams* are the descriptors of its standard input, output and error, *folder* is where it works.
    """
    ours, theirs = socket.socketpair()
    with theirs:
        facts = {"program": program, "words": list(words), "env": dict(env), "folder": str(folder or Path.cwd())}
        socket.send_fds(_warm(), [json.dumps(facts).encode() + b"\n"], [*streams, theirs.fileno()])
    return Forked(ours)


@cache
def _warm() -> socket.socket:
    """The way to the warm process of this one."""
    ours, theirs = socket.socketpair()
    with theirs:
        fd = theirs.fileno()
        process = subprocess.Popen([sys.executable, "-m", "tests.warm", str(fd)], pass_fds=[fd], cwd=ROOT)

    def leave() -> None:
        ours.close()
        process.wait(timeout=20)

    atexit.register(leave)
    return ours


def get_warm() -> None:
    """Import what the programs import, most of it only when they come to need it."""
    for name in (
        "bulk_import.__main__", "bulk_import.cli.ending", "bulk_import.job.importing", "bulk_import.job.planning",
        "bulk_import.job.retrying", "bulk_import.job.undoing", "bulk_import.job.verifying", "bulk_import.report.page",
        "bulk_import.simulator.__main__", "bulk_import.stripe_api.sending", "tests.at_once", "tests.dying",
    ):  # fmt: skip
        importlib.import_module(name)
    gc.freeze()  # else every child copies all of it at its first look for unreachable cycles


def serve(asking: socket.socket) -> Callable[[], int]:
    """Fork for whatever is asked until nobody can ask any more; what it answers is to be done by whoever gets it."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # keepers need nobody to wait for them
    while True:
        asked, fds, _, _ = socket.recv_fds(asking, 1 << 16, 4)
        if not asked:
            return lambda: 0
        while not asked.endswith(b"\n"):
            asked += asking.recv(1 << 16)
        if not os.fork():
            asking.close()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            child = os.fork()
            if not child:
                return become(json.loads(asked), fds)
            keep(child, fds)
        for fd in fds:
            os.close(fd)


def keep(child: int, fds: Sequence[int]) -> None:
    """Wait for the program's end, and tell of it; whatever the program holds open is its own alone."""
    *streams, status = fds
    for fd in (0, 1, 2, *streams):
        os.close(fd)
    os.write(status, NUMBER.pack(child))
    _, ended = os.waitpid(child, 0)
    os.write(status, NUMBER.pack(os.waitstatus_to_exitcode(ended)))
    os._exit(0)


def become(asked: Mapping[str, Any], fds: Sequence[int]) -> Callable[[], int]:
    """Be a process that was just started: only its program is still to be called."""
    *streams, status = fds
    os.close(status)
    for number, fd in enumerate(streams):
        os.dup2(fd, number)
        os.close(fd)
    os.chdir(asked["folder"])
    os.environ.clear()
    os.environ.update(asked["env"])
    sys.argv = [sys.executable, *asked["words"]]
    module, name = asked["program"].split(":")
    program: Callable[[], int] = getattr(importlib.import_module(module), name)
    return program


def leave(code: int) -> NoReturn:
    """End this process, which has nothing left to do but to say what it has not said yet.

    Python would take apart first all that it holds, which costs five times what the program did: all of it is shared with
    the process that forked, and is copied page by page to be let go of.
    """
    try:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
    except (OSError, ValueError):
        sys.exit(code)  # what comes of an end that cannot say everything is Python's to show
    os._exit(code)


if __name__ == "__main__":
    get_warm()
    leave(serve(socket.socket(fileno=int(sys.argv[1])))())
