"""Questions to a person at a terminal: typed answers, and every way in which one never comes."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TypeVar

import click

from bulk_import import early
from bulk_import.cli.terminal import can_ask
from bulk_import.errors import Interrupted

T = TypeVar("T")


def asked(text: str) -> bool:
    """Ask a person and return the answer; False where nobody can be asked, or where the question is broken off."""
    return bool(_answer(lambda: click.confirm(text, default=False, err=True)))


def prompted(text: str, above: Sequence[str] = ()) -> str | None:
    """What a person types below these lines; None where nobody can be asked, or where the question is broken off."""

    def ask() -> str:
        for line in above:
            click.echo(line, err=True)
        return str(click.prompt(text, default="", show_default=False, err=True))

    return _answer(ask)


def unseen(text: str) -> str | None:
    """What a person types without its being shown, before anything is begun; None where the input ends."""
    try:
        return str(click.prompt(text, hide_input=True, err=True))
    except UnicodeDecodeError:
        return "\N{REPLACEMENT CHARACTER}"  # what was typed is no text, and so nothing that is asked for
    except (click.Abort, OSError):
        if early.caught:
            raise KeyboardInterrupt from None
        return None


def _answer(ask: Callable[[], T]) -> T | None:
    """What *ask* brings, None where it is broken off; raises `Interrupted` where a signal but Ctrl-C does that."""
    if not can_ask():
        return None
    noted = len(early.caught)
    try:
        with _interruptible():
            return ask()
    except UnicodeDecodeError:
        pass  # no text, and so no consent
    except (click.Abort, KeyboardInterrupt, OSError):  # the last where the terminal is gone
        with suppress(OSError):
            click.echo(err=True)  # off the line of the question
    if early.caught[noted:]:
        raise Interrupted(early.caught[noted])
    return None


@contextmanager
def _interruptible() -> Iterator[None]:
    """Let a signal end the question even where a run has taken the signals over.

    The run does not hear of it: its event loop stands still meanwhile, and what a question came to is said by its answer.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    heard = signal.set_wakeup_fd(-1)
    before = {number: signal.getsignal(number) for number in early.SIGNALS}
    try:
        for number, handler in before.items():
            if handler is not signal.SIG_IGN:
                signal.signal(
                    number, signal.default_int_handler if number == signal.SIGINT else early.note_and_interrupt
                )
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(heard)
