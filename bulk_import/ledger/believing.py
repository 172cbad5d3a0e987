"""One row, one customer: an answer that names the customer of another row is not believed, whatever else it shows."""

from __future__ import annotations

from collections.abc import Sequence

from bulk_import.ledger.chunks import chunks, marks
from bulk_import.ledger.database import Query
from bulk_import.model import Created, InDoubt, Refusal, Settled


def believed(ask: Query, settled: Sequence[Settled]) -> Sequence[Settled]:
    """These outcomes, with a row in doubt where the answer to it names a customer whom an earlier row has made.

    What a sweep has seen in a list is believed: it goes by the customer's own marker.
    """
    made = [s.outcome.customer_id for s in settled if _is_answered(s) and isinstance(s.outcome, Created)]
    makers: dict[str, int] = {}
    for chunk in chunks(made):
        query = f"SELECT customer_id, number FROM entry WHERE +status = 'created' AND customer_id IN ({marks(chunk)})"  # noqa: S608 - marks only
        makers.update(ask(query, chunk))
    if not makers and len(set(made)) == len(made):
        return settled
    return [_believed(one, makers) for one in settled]


def _believed(one: Settled, makers: dict[str, int]) -> Settled:
    if not isinstance(one.outcome, Created) or not _is_answered(one):
        return one
    customer, request = one.outcome.customer_id, one.outcome.request_id
    maker = makers.setdefault(customer, one.number)
    if maker == one.number:
        return one
    why = f"the server said that {customer} was made for it, and that is row {maker}'s customer"
    return one._replace(outcome=InDoubt(Refusal("impossible_answer", None, None, why, 200, request)))


def _is_answered(one: Settled) -> bool:
    return one.attempts > 0
