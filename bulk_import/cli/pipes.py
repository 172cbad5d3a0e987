"""Standard output where a program reads it: waited for as long as nobody wants this process to end."""

from __future__ import annotations

import os
import select
import stat
from typing import Any

from bulk_import import early

HELD = 1 << 16
"""Bytes that are gathered before they are handed on."""

LOOK_EVERY, PATIENCE = 0.25, 1.0
"""Seconds between two looks whether a signal came, and for which a reader may then take nothing before it is given up."""


class Pipe:
    """Writes to the pipe *number*, and never blocks a process that was asked to end.

    A plain write to a pipe that nobody reads and nobody closes returns never, whatever signals come: only a kill would help.
    """

    def __init__(self, number: int) -> None:
        self._number = number
        self._held = bytearray()
        self._room = select.poll()
        self._room.register(number, select.POLLOUT)

    def write(self, data: bytes) -> None:
        """Take *data*, and hand it on once there is enough; raises what `flush` raises."""
        self._held += data
        if len(self._held) >= HELD:
            self.flush()

    def flush(self) -> None:
        """Hand on what is held; an interrupt leaves the rest to the next call.

        Raises `BrokenPipeError` where the reader has gone away, or takes nothing though a signal came.
        """
        waited = 0.0
        while self._held:
            if self._room.poll(LOOK_EVERY * 1000):
                waited = 0.0
                self._write_some()
            elif early.came():
                waited += LOOK_EVERY
                if waited >= PATIENCE:
                    raise BrokenPipeError

    def _write_some(self) -> None:
        """As much as a pipe with room takes without blocking."""
        try:
            written = os.write(self._number, self._held[: select.PIPE_BUF])
        except BlockingIOError:
            return
        del self._held[:written]


def pipe_of(stream: Any) -> Pipe | None:
    """The pipe or socket behind *stream*, if there is one."""
    try:
        number = stream.fileno()
        mode = os.fstat(number).st_mode
    except (OSError, ValueError, AttributeError):
        return None
    return Pipe(number) if stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) else None
