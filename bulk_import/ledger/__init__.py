"""The ledger: what was promised, sent and answered for every input row; the only SQL of the project."""

from bulk_import.ledger.arrows import ARROWS, allowed_from, is_allowed
from bulk_import.ledger.database import Connect, Connection, check_sqlite, connect
from bulk_import.ledger.founding import is_begun
from bulk_import.ledger.listed import Listed
from bulk_import.ledger.lock import Lock, is_locked
from bulk_import.ledger.mended import Mended
from bulk_import.ledger.mending import MENDED, TakenOver
from bulk_import.ledger.opening import open_for_reading, open_for_writing, open_scratch
from bulk_import.ledger.pairings import PAIRED, Follower, Kept, Pairing, Pairings, Span
from bulk_import.ledger.planned import Planned
from bulk_import.ledger.purpose import Purpose, new_salt, new_token
from bulk_import.ledger.reading import Reader
from bulk_import.ledger.settling import why_invalid
from bulk_import.ledger.troubles import Place, Trouble
from bulk_import.ledger.views import Command, Line, Mapped, Owner, Tally
from bulk_import.ledger.writing import Writer

__all__ = [
    "ARROWS",
    "MENDED",
    "PAIRED",
    "Command",
    "Connect",
    "Connection",
    "Follower",
    "Kept",
    "Line",
    "Listed",
    "Lock",
    "Mapped",
    "Mended",
    "Owner",
    "Pairing",
    "Pairings",
    "Place",
    "Planned",
    "Purpose",
    "Reader",
    "Span",
    "TakenOver",
    "Tally",
    "Trouble",
    "Writer",
    "allowed_from",
    "check_sqlite",
    "connect",
    "is_allowed",
    "is_begun",
    "is_locked",
    "new_salt",
    "new_token",
    "open_for_reading",
    "open_for_writing",
    "open_scratch",
    "why_invalid",
]
