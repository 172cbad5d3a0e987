"""From the options as given to the values that the rest of the program is asked with."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from bulk_import.cli.connecting import is_loopback
from bulk_import.cli.process import connections_allowed
from bulk_import.errors import UsageError
from bulk_import.mapping.settled import MappingOptions, load_profile
from bulk_import.model import Endpoint
from bulk_import.options import Connecting, Pacing, Preparing
from bulk_import.reading import Overrides

Given = Mapping[str, Any]
"""The options of one command by their names, as click read them."""

STDIN = "-"
SMALLEST_BATCH, USUAL_BATCH, LARGEST_BATCH = 20, 100, 300
SENT_IN = 5.0
"""Seconds in which a batch is sent at the rates that Stripe allows by default, or lower ones."""


def check_source(source: str) -> str:
    """The source as it was named; raises `UsageError` for standard input that is closed."""
    if not source or (source != STDIN and not Path(source).name):
        raise UsageError(f"SOURCE {source!r} names no file; give the path of a file, or - for standard input.")
    if source == STDIN and sys.stdin is None:
        raise UsageError("SOURCE is - but standard input is closed; give the path of a file.")
    return source


def ledger_path(source: str, given: Given) -> Path:
    """Where the ledger lies: as named, else beside SOURCE, named after it and after the kind of run."""
    ledger: Path | None = given["ledger"]
    if ledger is not None and (not ledger.name or _is_no_file(ledger)):
        kind = "a device or a pipe" if not ledger.is_dir() else "a folder" if ledger.name else "empty, or a folder"
        raise UsageError(f"--ledger {str(ledger)!r} is {kind}; give it the path of a file, or leave it out.")
    if ledger is None and source == STDIN:
        raise UsageError("SOURCE is standard input, so the ledger needs a name; add --ledger PATH.")
    if ledger is None and Path(source).exists() and not Path(source).is_file():
        kind = "a folder" if Path(source).is_dir() else "a device or a pipe"
        raise UsageError(f"SOURCE {source} is {kind}; give a file, or - with --ledger PATH for standard input.")
    if ledger is None:
        return default_ledger(Path(source), dry_run=given["dry_run"], simulated=given["simulate"])
    if source != STDIN and ledger.exists() and Path(source).exists() and ledger.samefile(source):
        raise UsageError(f"--ledger names SOURCE itself ({ledger}); give the ledger a path of its own.")
    return ledger


def _is_no_file(path: Path) -> bool:
    """Whether something else than a file is there; what a link leads to is not asked, as no ledger is."""
    return path.exists() and not path.is_symlink() and not path.is_file()


def default_ledger(source: Path, *, dry_run: bool, simulated: bool) -> Path:
    """The ledger's name where none is given: SOURCE's full file name and an ending that tells rehearsals apart."""
    ending = ".simulated.db" if simulated else ".dry-run.db" if dry_run else ".ledger.db"
    return source.with_name(source.name + ending)


def settle_overrides(given: Given) -> Overrides:
    """What was said about the source."""
    return Overrides(
        given["format"], given["encoding"], given["delimiter"], given["quote"], given["skip_lines"], given["header"],
        given["max_bytes"],
    )  # fmt: skip


def settle_preparing(given: Given, *, livemode: bool = False) -> Preparing:
    """How rows are read, mapped and judged; for a live account columns nobody mapped are refused unless said."""
    options = MappingOptions(given["map"], given["set"], given["unmapped"], given["key"])
    if given["mapping"] is not None:
        options = options.over(load_profile(given["mapping"]))
    if livemode and options.unmapped is None:
        options = replace(options, unmapped="refuse")
    return Preparing(
        overrides=settle_overrides(given),
        mapping=options,
        allow_no_email=given["allow_no_email"],
        email_check=given["email_check"],
        default_payment_method=not given["no_default_payment_method"],
    )


def settle_pacing(ctx: click.Context, given: Given, connecting: Connecting) -> Pacing:
    """How fast and how patiently; raises `UsageError` for no cap at all on a server that is not on this machine."""
    rate: float | None = given["rate"]
    if rate == math.inf:
        rate = None
        if not connecting.simulate and not is_loopback(connecting.api_base):
            raise UsageError(
                f"--rate none works only against a server on this machine, not {connecting.api_base}; give a number."
            )
    count, share = given["max_errors"]
    return Pacing(
        rate=rate,
        rate_is_explicit=is_explicit(ctx, "rate"),
        endpoint_rates=_endpoint_rates(given["endpoint_rate"]),
        concurrency=given["concurrency"] or connections_allowed(),
        timeout=given["timeout"],
        give_up_after=given["give_up_after"],
        max_attempts=given["max_attempts"],
        max_errors=count,
        max_error_share=share,
    )


def batch_size_of(given: Given) -> int:
    """Rows claimed together: as asked for, else as many as are sent in `SENT_IN`; at a high rate, in a second.

    All of a batch are claimed upon one look at who is there, so it must not take long to send. But it costs a look, some
    ten trips to the ledger's thread and two syncs of the disk, however few rows are in it.
    """
    asked: int | None = given["batch_size"]
    if asked is not None:
        return asked
    rate: float = given["rate"]
    return math.ceil(max(SMALLEST_BATCH, min(rate * SENT_IN, USUAL_BATCH), min(rate, LARGEST_BATCH)))


def is_explicit(ctx: click.Context, name: str) -> bool:
    """Whether an option was given, on the command line or in the environment."""
    return ctx.get_parameter_source(name) not in (ParameterSource.DEFAULT, ParameterSource.DEFAULT_MAP, None)


def _endpoint_rates(pairs: tuple[tuple[str, float], ...]) -> dict[Endpoint, float]:
    rates: dict[Endpoint, float] = {}
    for name, rate in pairs:
        endpoint = Endpoint(name)
        if rates.setdefault(endpoint, rate) != rate:
            raise UsageError(f"--endpoint-rate gives {name} two rates; keep one of them.")
    return rates
