"""Which key, which server, and the guard before a live account."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, urlsplit

from bulk_import.cli.asking import prompted, unseen
from bulk_import.cli.invocation import Invocation
from bulk_import.cli.terminal import can_ask, safe
from bulk_import.errors import UsageError
from bulk_import.options import STRIPE, Connecting, Start
from bulk_import.report.table import aligned, duration

if TYPE_CHECKING:
    from bulk_import.keys import SecretKey
    from bulk_import.options import Confirm

_NEAR = (".localhost", ".local", ".internal", ".lan", ".home.arpa", ".test")
"""Endings of names that the internet does not know."""

KEY_VARIABLES = ("STRIPE_API_KEY", "STRIPE_SECRET_KEY")


def find_key(
    file: Path | None,
    environ: Mapping[str, str],
    *,
    may_ask: bool,
    dry_run: bool = False,
    account: str | None = None,
) -> SecretKey:
    """The key from *file*, else from the environment, else from a person; raises `UsageError`, never quoting it.

    *account* is the one that a ledger belongs to, where there is a ledger: then no rehearsal takes the key's place.
    """
    from bulk_import.keys import parse_key, read_key_file

    if file is not None:
        return read_key_file(file)
    for name in KEY_VARIABLES:
        if value := environ.get(name):
            try:
                return parse_key(value)
            except UsageError as error:
                raise UsageError(f"{error} (read from {name})") from None
    typed = unseen("Stripe API key (not shown)") if may_ask else None
    if typed is None:
        raise UsageError(_without_key("test key" if dry_run else "API key", account, dry_run=dry_run))
    return parse_key(typed)


def _without_key(wanted: str, account: str | None, *, dry_run: bool) -> str:
    if account is not None:
        return f"no {wanted} is given; put the key of account {account} into STRIPE_API_KEY or a file named with --api-key-file."
    return (
        f"no {wanted} is given; put it into STRIPE_API_KEY or a file named with --api-key-file, or rehearse without "
        f"any key: {'leave --dry-run out and ' if dry_run else ''}add --simulate."
    )


def settle_connecting(
    given: Mapping[str, Any],
    environ: Mapping[str, str],
    *,
    dry_run: bool = False,
    simulate: bool = False,
    writes: bool = True,
    account: str | None = None,
) -> Connecting:
    """Settle key and server, and refuse every surprise for a live account; raises `UsageError`.

    What only reads, not *writes*, asks nobody. *account* is the one that a known ledger belongs to.
    """
    live, yes, base = bool(given["live"]), bool(given["yes"]), api_base(given["api_base"] or STRIPE)
    connected = given["stripe_account"]
    if live and (simulate or dry_run):
        raise UsageError(f"--live and --{'simulate' if simulate else 'dry-run'} exclude each other; choose one.")
    if simulate and dry_run:
        raise UsageError("--simulate and --dry-run are two rehearsals; choose one.")
    if simulate and base != STRIPE:
        raise UsageError("--simulate starts a server of its own, so --api-base has no place beside it; choose one.")
    if simulate:
        return Connecting(None, STRIPE, connected, live=False, yes=yes, dry_run=False, simulate=True)
    key = find_key(given["api_key_file"], environ, may_ask=can_ask(), dry_run=dry_run, account=account)
    guard(key.livemode, live=live, dry_run=dry_run, base=base)
    refuse_clear_text(base)
    if key.livemode and writes and not yes and not can_ask():
        raise UsageError(
            "a live import asks before it writes, and there is no terminal to ask on; add --yes to go ahead."
        )
    return Connecting(key, base, connected, live=live, yes=yes, dry_run=dry_run, simulate=False)


def guard(livemode: bool, *, live: bool, dry_run: bool, base: str) -> None:
    """Refuse a live key that was not asked for twice, and a test key where a live one is meant."""
    if not livemode:
        if live:
            raise UsageError("--live is given but the key is a test key; leave --live out, or use the live key.")
        return
    if dry_run:
        raise UsageError("--dry-run works with test keys only and this key is live; use a test key.")
    if base != STRIPE:
        raise UsageError(f"a live key is sent to {STRIPE} only, not to {base}; use a test key there.")
    if not live:
        raise UsageError("this key is live and would make real customers; add --live if that is meant.")


def api_base(url: str) -> str:
    """The base URL in one spelling, without a slash at its end; raises `UsageError` for what is no base URL."""
    try:
        parts = urlsplit(url)
        has_port = parts.port is not None
    except ValueError:
        parts, has_port = SplitResult("", "", "", "", ""), False
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UsageError(f"--api-base {url} is no http or https address; write it like http://127.0.0.1:12111.")
    if parts.username is not None or parts.query or parts.fragment:
        raise UsageError(
            "--api-base takes an address without user, query or fragment; give only scheme, host, port and path."
        )
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    port = f":{parts.port}" if has_port and parts.port != {"http": 80, "https": 443}[parts.scheme] else ""
    return f"{parts.scheme}://{host}{port}{parts.path.rstrip('/')}"


def is_loopback(base: str) -> bool:
    """Whether requests to *base* never leave this machine."""
    host = urlsplit(base).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def refuse_clear_text(base: str) -> None:
    """Refuse to send a key unencrypted to where others can read it; raises `UsageError`."""
    parts = urlsplit(base)
    if parts.scheme == "http" and not _is_near(parts.hostname or ""):
        raise UsageError(
            f"--api-base {base} would send the key unencrypted over the network; use https, or a server on this machine or "
            "in a private network."
        )


def _is_near(host: str) -> bool:
    """Whether *host* is this machine or one of a private network, by its address or by a name that is none of the internet."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return "." not in host or host.endswith(_NEAR)
    return address.is_loopback or address.is_private or address.is_link_local


def confirming(invocation: Invocation, yes: bool, pause: Callable[[], None]) -> Confirm:
    """What asks before the first write to a live account; *pause* takes any bar off the screen first."""

    def confirm(start: Start) -> bool:
        if yes or not start.livemode:
            return True
        return told_the_account(start, pause)

    return confirm


def told_the_account(start: Start, pause: Callable[[], None]) -> bool:
    """Show what is about to happen, and go ahead only if the account's name or id is typed."""
    pause()
    names = {start.account.casefold(), (start.account_name or start.account).strip().casefold()}
    typed = prompted("Type the account's name or id to go ahead", question(start))
    return typed is not None and typed.strip().casefold() in names


def question(start: Start) -> list[str]:
    """Account, mode, rows, requests and time, so that a wrong key is seen before it writes."""
    left = start.rows - start.settled if start.most is None else start.most
    lasts = f", in {duration(start.seconds)} or more" if start.seconds is not None else ""
    return aligned(
        [
            ("account", safe(start.account)),
            ("name", safe(start.account_name) if start.account_name else "not told to this key"),
            ("mode", "LIVE: real customers"),
            ("source", safe(start.source)),
            ("rows", f"up to {left:,} of {start.rows:,} are written"),
            ("requests", f"at least one for each of these{lasts}"),
        ]
    )
