"""A simulated Stripe: one account that answers the customer endpoints as Stripe would, and misbehaves on request.

    exchange      what goes in and comes out: calls, answers, refusals
    forms         bracket notation -> nested parameters
    rules         how one parameter is checked   schema              what each endpoint accepts, as tables
    credentials   an API key -> who is calling
    records       one customer: how it is kept, changed and shown
    payment       payment methods and cards, test ids included
    catalogue     every customer of one mode, by sequence number and e-mail
    listing       one page of a list             query, searching    the search language and its index
    idempotency   keys and the answers stored under them
    limits        rate and concurrency limiters  faults              seeded misbehaviour
    operations    what each endpoint does        routes              which request names which operation
    envelope      the headers around an answer   account             the whole: call and time in, answer out
    changes       one change, to and from JSON   store               the journal that survives kill -9
    opening       an account out of its file     parent              notices when the process above is gone
    oracle        what a test may ask behind Stripe's back
    options, server, __main__    the only edges

It is an island: it imports nothing of the rest of the package, so that importer and judge share no misreading.
"""

from bulk_import.simulator.account import Account, Ticket
from bulk_import.simulator.exchange import Answer, Call
from bulk_import.simulator.faults import Fault, FaultRule, Faults
from bulk_import.simulator.limits import Limits

__all__ = ["Account", "Answer", "Call", "Fault", "FaultRule", "Faults", "Limits", "Ticket"]
