"""The tool where no other process has sent anything of late, or left it under way, so that it need not be waited out.

Most tests that carry a ledger on are about what is done with it, not about when. How the cap holds from one process to the
next is seen in `test_end_to_end` and `test_run_crashes`.
"""

from __future__ import annotations

from bulk_import.__main__ import main as as_typed
from bulk_import.job.session import Session


async def it_has_passed(session: Session) -> None:
    """Stands where a session lets the last second of another process pass."""


def main() -> int:
    """Carry out the command line of this process, and of no other."""
    Session.let_the_last_second_pass = it_has_passed  # type: ignore[method-assign, assignment]
    Session.outlasted = property(lambda session: session.process_started)  # type: ignore[method-assign, assignment]
    return as_typed()
