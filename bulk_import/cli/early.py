"""Signals before anything listens for them: they end the process by the documented code, from its first moment on."""

from __future__ import annotations

import signal
from types import FrameType
from typing import NoReturn


def heed_signals() -> None:
    """Until a run listens for itself, SIGTERM and SIGHUP end the process in order; one ignored at start stays ignored."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, _leave)


def ignore_impatience(code: int) -> int:
    """After an interrupted command, one more Ctrl-C must not change the exit *code*, which is given back."""
    if code == 128 + signal.SIGINT:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    return code


def _leave(number: int, frame: FrameType | None) -> NoReturn:
    raise SystemExit(128 + number)
