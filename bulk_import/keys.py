"""Tells usable API keys from everything else, and keeps their value out of sight."""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import stat
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from bulk_import.errors import UsageError

_USABLE = re.compile(r"(?:sk|rk)_(?:test|live)_[A-Za-z0-9_]+")
_ADVICE = "give a secret or restricted key of the account (sk_test_, rk_test_, sk_live_ or rk_live_)"
_LARGEST_FILE = 4096

# The first prefix that fits decides; sk_org must be asked before the usable prefixes are missed.
_REFUSED_PREFIXES = (
    ("pk_", "is a publishable key, which cannot create customers"),
    ("whsec_", "is a webhook signing secret, not an API key"),
    ("sk_org", "belongs to an organisation, which names no single account"),
    ("ek_", "is an ephemeral key made for one customer's device"),
)


class SecretKey:
    """One API key whose `repr`, `str` and `vars` show a mask; it refuses to be pickled or copied.

    Build it with `parse_key`. Only the module that sends may call `reveal`.
    """

    __slots__ = ("_reveal",)

    def __init__(self, value: str) -> None:
        # A closure, so that tools which list an object's attributes meet a function and not the text.
        self._reveal: Callable[[], str] = lambda: value

    def reveal(self) -> str:
        """The key itself."""
        return self._reveal()

    @property
    def livemode(self) -> bool:
        """True when the key works on real customers."""
        return self.reveal()[3:8] == "live_"

    @property
    def restricted(self) -> bool:
        """True for a key that may lack permissions."""
        return self.reveal().startswith("rk_")

    def fingerprint(self, salt: bytes) -> str:
        """32 hex digits that tell this key from another without giving it away, given a *salt* kept private."""
        return hmac.new(salt, self.reveal().encode(), hashlib.sha256).hexdigest()[:32]

    def __str__(self) -> str:
        prefix, body = self.reveal()[:8], self.reveal()[8:]
        # Four characters of a long key tell two keys apart; of a short one they would be most of it.
        return f"{prefix}…{body[-4:]}" if len(body) >= 16 else f"{prefix}…"

    def __repr__(self) -> str:
        return f"SecretKey({self})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("An API key is never pickled or copied; hand on the object itself.")


def parse_key(text: str) -> SecretKey:
    """The key in *text*, without the white space around it; raises `UsageError` saying what is wrong, never quoting it."""
    value = text.strip()
    if reason := _why_unusable(value):
        raise UsageError(f"The API key {reason}; {_ADVICE}.")
    return SecretKey(value)


def _why_unusable(value: str) -> str | None:
    if not value:
        return "is empty"
    if any(character.isspace() for character in value):
        return "has white space inside, so it is more than one word or was broken over lines"
    for prefix, reason in _REFUSED_PREFIXES:
        if value.startswith(prefix):
            return reason
    if not re.match(r"[sr]k_(?:test|live)_", value):
        return "does not begin like a Stripe key"
    if not _USABLE.fullmatch(value):
        return "is cut short or has characters that no key has (a copy that was masked, perhaps)"
    return None


def read_key_file(path: Path) -> SecretKey:
    """The key in the file at *path*.

    Raises `UsageError` when the file is missing, a symbolic link, not a regular file, readable or writable by
    anyone but its owner, or holds no usable key.
    """
    try:
        content = _read_private(path)
    except OSError as error:
        raise UsageError(_why_not_read(path, error)) from None
    if len(content) > _LARGEST_FILE:
        raise UsageError(f"The API key file {path} is too large to hold a key; name a file that holds only the key.")
    try:
        return parse_key(content.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise UsageError(f"The API key file {path} is not text; {_ADVICE}.") from None
    except UsageError as error:
        raise UsageError(f"In the file {path}: {error}") from None


def _read_private(path: Path) -> bytes:
    # Without O_NONBLOCK, opening a named pipe would wait for its writer.
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        _check_privacy(path, os.fstat(descriptor).st_mode)
        return os.read(descriptor, _LARGEST_FILE + 1)
    finally:
        os.close(descriptor)


def _why_not_read(path: Path, error: OSError) -> str:
    if path.is_symlink():
        return f"The API key file {path} is a symbolic link; name the file it points to."
    return f"The API key file {path} cannot be read ({os.strerror(error.errno or 0)}); name a file that holds the key."


def _check_privacy(path: Path, mode: int) -> None:
    if not stat.S_ISREG(mode):
        raise UsageError(f"The API key file {path} is not a regular file; name a file that holds the key.")
    if mode & 0o066:
        raise UsageError(f"The API key file {path} is open to other users; close it with: chmod 600 {path}")
