"""Temporary files, and what is said where the system has no place for them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from bulk_import.errors import StoppedEarly


@contextmanager
def needing_room() -> Iterator[None]:
    """Raise `StoppedEarly` where a temporary file cannot be made or written in this block."""
    try:
        yield
    except OSError as error:
        raise StoppedEarly(
            f"a temporary file cannot be written ({error.strerror}); make room where TMPDIR leads, or set it to a folder "
            "with room, then give the same command again."
        ) from error
