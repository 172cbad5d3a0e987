"""Who is already in Stripe: three ways to learn it behind one small face, and the choice between them."""

from bulk_import.existing.choice import Choice, choose
from bulk_import.existing.directory import Ask, Directory, Matches, Means, Nobody, Offload, Piece, Together
from bulk_import.existing.lookup import Lookup
from bulk_import.existing.pages import UNSEEN, attached_since, customer_from, is_attached, pages, reread, retrieved

__all__ = [
    "UNSEEN", "Ask", "Choice", "Directory", "Lookup", "Matches", "Means", "Nobody", "Offload", "Piece", "Together", "attached_since",
    "choose", "customer_from", "is_attached", "pages", "reread", "retrieved",
]  # fmt: skip
