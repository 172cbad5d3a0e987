"""Opens an account, out of its state file if it has one, and gives it a clock."""

from __future__ import annotations

import time

from bulk_import.simulator.account import DEFAULT_ACCOUNT, Account
from bulk_import.simulator.options import Options
from bulk_import.simulator.store import Journal, Opening, StateUnusable


class Clock:
    """Seconds since the epoch that never run backwards while the server lives."""

    def __init__(self) -> None:
        self._offset = time.time() - time.monotonic()

    def __call__(self) -> float:
        """The time now."""
        return time.monotonic() + self._offset


def open_account(options: Options, now: float) -> tuple[Account, Journal | None]:
    """The account as its last process left it, and the journal to close at the end; raises `StateUnusable`."""
    opening = Opening(options.seed, options.existing, options.account or DEFAULT_ACCOUNT, now)
    journal = None
    if options.state is not None:
        journal = Journal(options.state, opening)
        opening = journal.opening
        if options.account not in (None, opening.account):
            journal.close()
            raise StateUnusable(
                f"The state file {options.state} holds account {opening.account}, not {options.account}; name another."
            )
    account = Account(
        seed=opening.seed,
        existing=opening.existing,
        now=opening.opened,
        search_lag=options.search_lag,
        key_lifetime=options.key_lifetime,
        account=opening.account,
        limits=options.limits,
        epoch=0 if journal is None else journal.starts,
    )
    if journal is not None:
        for entry in journal.entries():
            account.restore(entry)
        account.journal = journal.append
    return account, journal
