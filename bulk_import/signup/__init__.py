"""One person at a time, without a ledger: `find_or_create` for a program that signs people up."""

from bulk_import.signup.client import Client
from bulk_import.signup.finding import FoundOrCreated, find_or_create

__all__ = ["Client", "FoundOrCreated", "find_or_create"]
