"""Opens a job: holds what was asked against what the ledger is for, and refuses what does not fit."""

from __future__ import annotations

import codecs
import hashlib
import json
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, TextIO

from bulk_import.age import has_jumped
from bulk_import.errors import LedgerRefuses, SourceError, UsageError
from bulk_import.existing import Ask, retrieved
from bulk_import.job.identity import UNNAMED, Account, host_of, identify
from bulk_import.keys import SecretKey
from bulk_import.ledger import Command, Purpose, Reader
from bulk_import.model import Status
from bulk_import.options import STRIPE, Connecting, Preparing, RunOptions
from bulk_import.reading import Fingerprint, Overrides, Reading, spool
from bulk_import.wording import counted


def ledger_path(options: RunOptions) -> Path:
    """Where the ledger of this run lies: as given, else beside the source under its full name."""
    if options.ledger is not None:
        return options.ledger
    if options.source == "-":
        raise UsageError("standard input needs a ledger of its own: pass --ledger PATH")
    kind = "simulated" if options.connecting.simulate else "dry-run" if options.connecting.dry_run else "ledger"
    source = Path(options.source)
    return source.with_name(f"{source.name}.{kind}.db")


def spool_path(ledger: Path) -> Path:
    """Where standard input is kept until every row is settled."""
    return ledger.with_name(ledger.name + ".source")


def check_key(connecting: Connecting) -> SecretKey:
    """Refuse every combination of key, mode and server that could surprise a live account."""
    key = connecting.key
    if key is None:
        raise UsageError("no API key was given: set STRIPE_API_KEY, pass --api-key-file, or rehearse with --simulate")
    if key.livemode and connecting.dry_run:
        raise UsageError("a dry run takes test keys only, and this is a live key; give a key that begins with sk_test_")
    if key.livemode and connecting.api_base != STRIPE:
        raise UsageError(f"a live key is sent to Stripe alone, never to {connecting.api_base}; give a test key")
    if key.livemode and not connecting.live:
        raise UsageError("this is a live key; pass --live to really work on live customers, or give a test key")
    if connecting.live and not key.livemode:
        raise UsageError("--live was given with a test key; give the live key, or leave out --live")
    return key


def check_reading(reading: Reading, overrides: Overrides) -> None:
    """A continued ledger keeps its reading; an option that says otherwise is refused."""
    for option in fields(overrides):
        asked = getattr(overrides, option.name)
        settled = getattr(reading, option.name, None)
        if asked is not None and not _is_same_choice(option.name, str(asked).lower(), str(settled).lower()):
            name = option.name.replace("_", "-")
            was, now = f"with {name} {settled!r}", repr(asked)
            if option.name == "header":
                was, now = ("with a header", "--no-header") if settled else ("without a header", "--header")
            raise LedgerRefuses(
                f"the ledger reads its source {was}, but {now} was asked for; "
                "leave the option out, or start a new ledger with --ledger"
            )


def _is_same_choice(option: str, asked: str, settled: str) -> bool:
    if option == "encoding":
        # Settled is the codec's own name, of UTF-16 and -32 with the byte order that was found.
        with suppress(LookupError):
            asked = codecs.lookup(asked).name.removesuffix("-sig")
        return settled in (asked, f"{asked}-le", f"{asked}-be")
    return asked == settled


def check_purpose(purpose: Purpose, connecting: Connecting, key: SecretKey, api_base: str) -> None:
    """Refuse a ledger of another mode, server, connected account or kind, naming both values."""
    words = {True: "live", False: "test"}
    pairs: tuple[tuple[str, Any, Any], ...] = (
        ("mode", words[purpose.livemode], words[key.livemode]),
        ("kind of account", _kind(purpose.simulated), _kind(connecting.simulate)),
        ("API base", host_of(purpose.api_base), host_of(api_base)),
        ("connected account", purpose.stripe_account or "none", connecting.stripe_account or "none"),
    )
    for what, was, now in pairs:
        if was != now:
            raise LedgerRefuses(
                f"the ledger belongs to another {what}: it was begun with {was}, this run has {now}; "
                "use the same again, or start a new ledger with --ledger"
            )


PROOFS = 3
"""Customers of each kind that are asked for to prove an account: one alone may have been deleted for good."""


async def same_account(ask: Ask, purpose: Purpose, key: SecretKey, api_base: str, reader: Reader) -> Account:
    """The account this key reaches, which must be the ledger's.

    Where Stripe does not name it to one of the keys, a customer that this ledger holds proves it: whoever can retrieve one
    of them is in the same account. Else it may only be another one where nothing can have been made or found yet. Raises
    `LedgerRefuses` naming both accounts.
    """
    account = await identify(ask, key, api_base, purpose.salt_bytes())
    if account.id == purpose.account:
        return account
    named = account.is_named and not purpose.account.startswith(UNNAMED)
    held = reader.held_customers(PROOFS)
    at_rest = 0 if named or held else reader.tally().count(Status.IN_DOUBT)
    if not named and not at_rest and (not held or await _knows_one_of(ask, held)):
        return account
    said = counted(at_rest, "row")
    why = f", and {said} may have been sent there, so nothing proves that both are one" if at_rest else ""
    raise LedgerRefuses(
        f"the ledger belongs to another account: it was begun on {purpose.account}, this key reaches {account.id}{why}; "
        "use a key of that account, or start a new ledger with --ledger"
    )


async def _knows_one_of(ask: Ask, customers: Sequence[str]) -> bool:
    for customer in customers:
        if await retrieved(ask, customer) is not None:
            return True
    return False


def check_source(purpose: Purpose, path: Path) -> Fingerprint:
    """The stored fingerprint, if the source still has the same size and SHA-256; naming what differs if not."""
    size = path.stat().st_size
    if size != purpose.size:
        raise LedgerRefuses(_another(purpose, path, f"{purpose.size:,} bytes", f"{size:,} bytes"))
    found = sha256_of(path)
    if found != purpose.sha256:
        raise LedgerRefuses(_another(purpose, path, f"SHA-256 {purpose.sha256[:12]}…", f"{found[:12]}…"))
    return Fingerprint(purpose.size, purpose.sha256, purpose.chunks)


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_file(path: Path) -> None:
    """Refuse a source that is not a readable regular file."""
    if not path.exists():
        raise SourceError(f"{path} does not exist; give the path of a CSV or JSONL file, or - for standard input")
    if path.is_dir():
        raise SourceError(f"{path} is a folder; give the path of a file in it")


def options_text(options: RunOptions) -> dict[str, Any]:
    """What later commands on this ledger need to know of the options in force."""
    preparing = options.preparing
    return {
        "mapping": {f.name: getattr(preparing.mapping, f.name) for f in fields(preparing.mapping)},
        "allow_no_email": preparing.allow_no_email,
        "email_check": preparing.email_check,
        "default_payment_method": preparing.default_payment_method,
        "dedupe": options.dedupe,
        "on_existing": options.on_existing,
        "marker": options.marker,
        **({"dry_run_method": options.dry_run_method} if options.connecting.dry_run else {}),
    }


def preparing_from(stored: dict[str, Any]) -> Preparing:
    """The way rows were prepared, out of a ledger."""
    mapping_type = Preparing().mapping.__class__
    known = {f.name for f in fields(mapping_type)}
    mapping = {n: _tuples(v) for n, v in stored.get("mapping", {}).items() if n in known}
    return Preparing(
        mapping=mapping_type(**mapping),
        allow_no_email=stored.get("allow_no_email", False),
        email_check=stored.get("email_check", "strict"),
        default_payment_method=stored.get("default_payment_method", True),
    )


@dataclass(frozen=True, slots=True)
class Boot:
    """Which boot this is, and how far the wall clock is from boot time; None where the system does not tell."""

    id: str | None
    offset: float | None


def this_boot() -> Boot:
    """Read the system's boot id and the wall clock's distance from boot time, in seconds."""
    try:
        found = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return Boot(found, time.time() - time.clock_gettime(time.CLOCK_BOOTTIME))
    except (OSError, AttributeError):
        return Boot(None, None)


def clock_jumped(commands: Sequence[Command], boot: Boot) -> bool:
    """Tell whether the wall clock was moved since any earlier command of this same boot."""
    return boot.offset is not None and any(
        command.boot == boot.id and command.boot_offset is not None and has_jumped(command.boot_offset, boot.offset)
        for command in commands
    )


def spooled_source(stream: TextIO | None, target: Path, max_bytes: int | None) -> Path:
    """Keep standard input beside the ledger; raises `SourceError` when there is nothing to read."""
    if stream is None:
        raise SourceError("standard input is closed; give a path, or pipe the file in")
    if stream.isatty():
        raise SourceError("standard input is a terminal; give a path, or pipe the file in")
    spool(stream.buffer, target, max_bytes)
    if not target.stat().st_size:
        target.unlink()
        raise SourceError("standard input is empty; pipe a file with at least one row")
    return target


def check_piped(stream: TextIO | None, spooled: Path, purpose: Purpose, *, needed: bool) -> None:
    """What is piped into a continued ledger must be what was piped before; nothing at all is fine, too.

    It is kept once more where it is still *needed* and the spool is gone or no longer what it was.
    """
    if stream is None or stream.isatty():
        return
    again = spooled.with_name(spooled.name + ".again")
    try:
        spool(stream.buffer, again, None)
        if not again.stat().st_size:
            return
        if sha256_of(again) != purpose.sha256:
            raise LedgerRefuses(
                "the ledger belongs to another source: standard input holds something else than it did; "
                "pipe the same again, or start a new ledger with --ledger"
            )
        if needed and not (spooled.exists() and spooled.stat().st_size == purpose.size):
            again.replace(spooled)
    except SourceError:
        return  # nothing was piped: the spool is read
    finally:
        again.unlink(missing_ok=True)


_LATER = ("dedupe", "on_existing", "marker", "dry_run_method")
"""Options that say nothing of whether a row is valid."""


def changed_options(stored: dict[str, Any], asked: dict[str, Any]) -> list[str]:
    """The names of what is asked for otherwise than it was, as options are typed."""
    pairs = ((name, stored.get(name), asked.get(name)) for name in sorted({*stored, *asked}))
    return [name.replace("_", "-") for name, was, now in pairs if as_text({"": was}) != as_text({"": now})]


def prepares(changed: Sequence[str]) -> bool:
    """Whether any of these options decides which rows are valid."""
    return any(name.replace("-", "_") not in _LATER for name in changed)


def as_text(options: dict[str, Any]) -> str:
    """Options in one stable form, to tell whether they changed."""
    return json.dumps(options, sort_keys=True, default=list)


def _tuples(value: Any) -> Any:
    return tuple(_tuples(item) for item in value) if isinstance(value, list) else value


def _kind(simulated: bool) -> str:
    return "the simulator" if simulated else "Stripe"


def _another(purpose: Purpose, path: Path, was: str, now: str) -> str:
    if str(path.resolve()) == purpose.source:
        return (
            f"{path} was changed since this ledger was begun, so it is another source now ({was} then, {now} now); "
            "put it back as it was, or start a new ledger with --ledger"
        )
    return (
        f"the ledger belongs to another source: it was begun on {purpose.source} ({was}), but {path} has {now}; "
        "give the source it was begun on, or start a new ledger with --ledger"
    )
