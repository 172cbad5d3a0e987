"""Opens a job: holds what was asked against what the ledger is for, and refuses what does not fit."""

from __future__ import annotations

import codecs
from contextlib import suppress
from dataclasses import fields
from typing import Any

from bulk_import.errors import LedgerRefuses, UsageError
from bulk_import.job.identity import host_of
from bulk_import.keys import SecretKey
from bulk_import.ledger import Purpose
from bulk_import.options import STRIPE, Connecting
from bulk_import.reading import Overrides, Reading


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


def _kind(simulated: bool) -> str:
    return "the simulator" if simulated else "Stripe"
