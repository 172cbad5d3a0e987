"""The run: every task, channel and signal; the only concurrency of the project."""

from bulk_import.engine.listening import SIGNALS
from bulk_import.engine.looking import Waiting
from bulk_import.engine.looping import run_loop
from bulk_import.engine.parts import Ended, OneThread, Outdated, Parts, Stopped, abandoning, inline
from bulk_import.engine.running import Engine

__all__ = [
    "SIGNALS",
    "Ended",
    "Engine",
    "OneThread",
    "Outdated",
    "Parts",
    "Stopped",
    "Waiting",
    "abandoning",
    "inline",
    "run_loop",
]
