"""`status`: how an import stands, why it stopped, and what to type next; also while another process works on it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bulk_import.cli.events import to_json, values_of
from bulk_import.cli.following import next_of
from bulk_import.cli.headline import Facts, ended, headline
from bulk_import.cli.help import Verb
from bulk_import.cli.invocation import invocation, next_line, typed
from bulk_import.cli.options import PATH, examples, output_options
from bulk_import.report.table import STATUSES, aligned, duration, number, tally_pairs
from bulk_import.wording import counted

if TYPE_CHECKING:
    from bulk_import.ledger import Command, Reader, Tally


@dataclass(frozen=True, slots=True)
class Standing:
    """How a ledger stands; times are seconds, `orphans` the duplicates of failed rows.

    `rows_per_second` and `seconds_left` are those of the command that works on it now, or of the last one.
    """

    ledger: str
    state: str
    running: bool
    holder: str | None
    source: str | None
    account: str | None
    account_name: str | None
    livemode: bool
    simulated: bool
    dry_run: bool
    rows: int
    by_status: Mapping[str, int]
    orphans: int
    rows_per_second: float | None
    seconds_left: float | None
    last_command: str | None
    started_at: str | None
    ended_at: str | None
    exit_code: int | None
    reason: str | None
    next: str | None


@click.command(
    "status",
    cls=Verb,
    epilog=examples(
        "bulk-import status customers.csv.ledger.db",
        "watch bulk-import status customers.csv.ledger.db",
    ),
)
@click.argument("ledger", type=PATH)
@output_options
@click.pass_context
def command(ctx: click.Context, /, **given: Any) -> int:
    """Say how the import of LEDGER stands, why it stopped, and what to type next."""
    from bulk_import.ledger import Reader, is_locked, open_for_reading

    call, path = invocation(ctx), given["ledger"]
    reader = Reader(open_for_reading(path), path)
    try:
        found = standing(path, reader, is_locked(path), time.time)
        warning = None if found.running else begun_undo(path, reader)
    finally:
        reader.close()
    if given["json"]:
        facts = values_of(found)
        tallies = facts.pop("by_status")
        call.output.line(to_json({**facts, **tallies}))
    else:
        call.tell(*page(found))
    if warning is not None:
        call.tell(warning)
    return 0


def standing(path: Path, reader: Reader, holder: str | None, now: Callable[[], float]) -> Standing:
    """Ask the ledger; *holder* says which process works on it, if one does."""
    from bulk_import.job.history import last_at_work
    from bulk_import.model import Status

    purpose, tally, commands = reader.purpose(), reader.tally(), reader.commands()
    last = last_at_work(commands) if holder is None else commands[-1] if commands else None
    counts = {status: tally.count(Status(status)) for status in STATUSES}
    rate = _rate(reader, tally, last, holder, now())
    left = counts["pending"]
    return Standing(
        ledger=str(path),
        state=_state(reader, tally, commands, holder),
        running=holder is not None,
        holder=holder,
        source=purpose.source if purpose else None,
        account=purpose.account if purpose else None,
        account_name=purpose.account_name if purpose else None,
        livemode=bool(purpose and purpose.livemode),
        simulated=bool(purpose and purpose.simulated),
        dry_run=bool(purpose and purpose.dry_run),
        rows=tally.rows,
        by_status=counts,
        orphans=tally.orphans,
        rows_per_second=round(rate, 2) if rate is not None else None,
        seconds_left=round(left / rate, 1) if rate and left else None,
        last_command=last.verb if last else None,
        started_at=_moment(last.started_at if last else None),
        ended_at=_moment(last.ended_at if last else None),
        exit_code=last.exit_code if last else None,
        reason=why_it_stopped(last, holder),
        next=next_of(path, reader, purpose, tally) if holder is None else None,
    )


def begun_undo(path: Path, reader: Reader) -> str | None:
    """Why the ledger is not to be believed yet, where an undo of it was cut short; None where none was."""
    if not (begun := reader.begun_undos()):
        return None
    return (
        f"an undo was cut short: {counted(begun, 'row may have lost its customer', 'rows may have lost their customers')}, or had an update taken back; "
        f"finish it with {typed('undo', path)}, or see what is left with a run or a retry"
    )


def why_it_stopped(last: Command | None, holder: str | None) -> str | None:
    """In one sentence why nothing goes on, None while something does or when all was done."""
    if holder is not None or last is None:
        return None
    if last.ended_at is None:
        return f"the last command ({last.verb}, pid {last.pid} on {last.host}) was cut off without a word"
    return last.reason


def page(found: Standing) -> list[str]:
    """The standing as a person reads it."""
    lines = [f"{found.ledger}: {found.state}"]
    if found.account is not None:
        mode = "simulated" if found.simulated else "LIVE" if found.livemode else "test mode"
        name = f"{found.account} ({found.account_name})" if found.account_name else found.account
        lines.append(
            f"{'standard input' if found.source == '-' else found.source} -> {name}, {mode}{', dry run' if found.dry_run else ''}"
        )
    pairs = tally_pairs(found.by_status, found.rows)
    if found.running:  # what is being sent this moment has no outcome either
        pairs = [("under way" if name == "in doubt" else name, count) for name, count in pairs]
    if found.orphans:
        pairs.append(
            (
                "of failed",
                counted(found.orphans, "duplicate waits for a failed row", "duplicates wait for a failed row"),
            )
        )
    if found.rows_per_second is not None:
        pairs.append(("rate", f"{number(found.rows_per_second)} rows/s"))
    if found.seconds_left is not None:
        pairs.append(("time left", f"{duration(found.seconds_left)} at that rate"))
    lines += aligned(pairs)
    if found.reason is not None:
        lines.append(f"why it stopped: {found.reason}")
    if found.next is not None:
        lines.append(next_line(found.next))
    return lines


def _state(reader: Reader, tally: Tally, commands: Sequence[Command], holder: str | None) -> str:
    """How it stands in a few words; what only looked since, or was refused, changes nothing of it."""
    from bulk_import.job.history import last_at_work, last_deciding
    from bulk_import.model import Status

    if holder is not None:
        return f"running ({holder})"
    deciding, last = ended(last_deciding(commands)), ended(last_at_work(commands))
    return headline(
        Facts(
            rows=tally.rows,
            pending=tally.count(Status.PENDING),
            in_doubt=tally.count(Status.IN_DOUBT),
            failed=tally.count(Status.FAILED),
            undone=reader.undone() if deciding is not None and deciding[0] == "undo" else 0,
            kept=tally.count(Status.CREATED) + tally.count(Status.UPDATED),
            begun=reader.begun_undos(),
            deciding=deciding,
            last=last,
        )
    )


def _rate(reader: Reader, tally: Tally, last: Command | None, holder: str | None, now: float) -> float | None:
    """Rows settled per second by the last command, over the time it has worked."""
    if last is None or last.verb not in ("run", "retry"):
        return None
    if holder is None and last.ended_at is None:
        return None
    seconds = (last.ended_at if last.ended_at is not None else now) - last.started_at
    before = last.facts.get("settled") if last.verb == "run" else None  # a retry settles rows that were settled before
    settled = reader.settled_since(last.started_at) if before is None else tally.settled - before
    return settled / seconds if seconds > 0 and settled else None


def _moment(seconds: float | None) -> str | None:
    from bulk_import.report.export import moment

    return moment(seconds)
