"""What the system allows this process: how many files it may have open."""

from __future__ import annotations

from contextlib import suppress

from bulk_import.errors import StoppedEarly

LEAST, USUAL = 64, 4096
"""Files open at a time: a ledger, a source and a few connections need the least, any run has enough with the other."""

BESIDE, PLENTY = 40, 600
"""Files open beside connections; from this limit on, as many connections as a run ever has fit in, a simulator's ends, too."""


def allow_open_files() -> None:
    """Raise this process's own limit of open files as far as it may; raises `StoppedEarly` where that is too few."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = USUAL if hard == resource.RLIM_INFINITY else min(hard, USUAL)
    if soft != resource.RLIM_INFINITY and soft < most:
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
            soft = most
    if soft != resource.RLIM_INFINITY and soft < LEAST:
        raise StoppedEarly(too_few_files(soft))


def too_few_files(limit: int | None = None) -> str:
    """What is to be said where the system opens no more files for this process."""
    allowed = f"at most {limit} open files" if limit is not None else "too few open files"
    return f"the system allows this process {allowed}; allow more (ulimit -n 1024), then give the same command again."


def connections_allowed() -> int | None:
    """How many connections the limit of open files leaves room for, both ends counted; None where it is no hindrance."""
    import resource

    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return None if limit == resource.RLIM_INFINITY or limit >= PLENTY else max(1, (limit - BESIDE) // 2)
