"""`import_customers`: the command `run` for Python programs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from bulk_import.job.importing import run_job
from bulk_import.keys import parse_key
from bulk_import.ledger import Line
from bulk_import.mapping.settled import MappingOptions
from bulk_import.options import STRIPE, Connecting, Dedupe, OnExisting, Pacing, Preparing, Progress, RunOptions, Start
from bulk_import.report.summary import Summary


class Unwatched:
    """An observer of a run that nobody watches; override what you want to hear."""

    wants_rows = False

    def read(self, bytes_read: int, size: int, rows: int) -> None:
        """Pre-flight has read so far."""

    def start(self, start: Start) -> None:
        """Everything is known; sending is about to begin."""

    def notice(self, code: str, message: str) -> None:
        """Something a person should know."""

    def progress(self, progress: Progress) -> None:
        """The run goes on."""

    def lines(self, lines: Sequence[Line]) -> None:
        """These rows are on disk."""


def import_customers(
    source: str | Path,
    *,
    api_key: str | None = None,
    ledger: str | Path | None = None,
    simulate: bool = False,
    live: bool = False,
    rate: float = 20.0,
    maps: Mapping[str, str] | None = None,
    key: str | None = None,
    dedupe: Dedupe = "auto",
    on_existing: OnExisting = "skip",
    api_base: str = STRIPE,
    observer: Unwatched | None = None,
) -> Summary:
    """Import *source*, or go on with an import, and say how it ended; the same promises as the command line.

    *rate* is requests per second, *maps* goes from column to field. A live key works only with *live*; there is no
    further question. Raises `BulkImportError` for whatever makes the import impossible before its ledger was opened;
    whatever ends it later is told by the summary's `exit_code` and `reason`.
    """
    connecting = Connecting(
        key=parse_key(api_key) if api_key is not None else None,
        api_base=api_base,
        live=live,
        yes=True,
        simulate=simulate,
    )
    options = RunOptions(
        source=str(source),
        ledger=Path(ledger) if ledger is not None else None,
        pacing=Pacing(rate=rate, rate_is_explicit=True),
        connecting=connecting,
        preparing=Preparing(mapping=MappingOptions(maps=tuple((maps or {}).items()), key=key)),
        dedupe=dedupe,
        on_existing=on_existing,
        command_line="import_customers(...)",
    )
    return run_job(options, observer or Unwatched(), lambda _start: True)
