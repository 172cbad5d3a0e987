"""Notices when the process that started us is gone: our standard input ends, however that process ended."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable
from contextlib import suppress


def when_stdin_ends(loop: asyncio.AbstractEventLoop, act: Callable[[], None]) -> None:
    """Call *act* in the loop at the end of standard input, which may be a pipe, a terminal or a file."""

    def wait() -> None:
        with suppress(OSError):
            while os.read(0, 4096):
                pass
        with suppress(RuntimeError):  # the loop may have ended first
            loop.call_soon_threadsafe(act)

    threading.Thread(target=wait, name="standard-input", daemon=True).start()
