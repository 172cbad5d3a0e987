"""Which states a row may go through, each arrow with the reason that allows it.

Everything that changes a row's state consults this table, in the same commit as the change.
"""

from __future__ import annotations

from typing import Final

from bulk_import.model import Status

S = Status

ARROWS: Final[dict[tuple[Status, Status], str]] = {
    (S.PENDING, S.INVALID): "the row cannot be sent as it is",
    (S.PENDING, S.DUPLICATE): "an earlier row owns its e-mail",
    (S.PENDING, S.EXISTING): "its person is in Stripe already",
    (S.PENDING, S.FAILED): "--on-existing refuse: its person is in Stripe already",
    (S.PENDING, S.CLAIMED): "it is about to be sent",
    (S.CLAIMED, S.CREATED): "Stripe made its customer",
    (S.CLAIMED, S.UPDATED): "Stripe updated its customer",
    (S.CLAIMED, S.EXISTING): "the sweep found its customer without our marker",
    (S.CLAIMED, S.FAILED): "Stripe refused it for good",
    (S.CLAIMED, S.IN_DOUBT): "Stripe may have acted and the attempts are used up",
    (S.CLAIMED, S.CLAIMED): "claimed again under a new generation: absence is proven",
    (S.CLAIMED, S.PENDING): "surely never sent, or refused with the first rows as a mapping mistake",
    (S.IN_DOUBT, S.CLAIMED): "sent again: same key while young, or a new generation once absence is proven",
    (S.IN_DOUBT, S.CREATED): "the sweep found the customer it made",
    (S.IN_DOUBT, S.UPDATED): "the sweep saw the update applied",
    (S.IN_DOUBT, S.EXISTING): "the sweep found its customer without our marker",
    (S.IN_DOUBT, S.FAILED): "the customer that it was to update was deleted, or is another person's by now",
    (S.IN_DOUBT, S.IN_DOUBT): "looked for again and still unproven",
    (S.FAILED, S.CLAIMED): "retry: a new generation",
    (S.FAILED, S.EXISTING): "retry: its person is in Stripe by now",
    (S.FAILED, S.DUPLICATE): "retry: its corrected e-mail belongs to another row",
    (S.FAILED, S.INVALID): "retry: what it was corrected to cannot be sent",
    (S.FAILED, S.FAILED): "retry: mended and not sent yet, or refused again by --on-existing refuse",
    (S.FAILED, S.PENDING): "refused with the first rows alike: a mapping mistake, not the row's fault",
    (S.INVALID, S.PENDING): "never sent, and a changed mapping may read it otherwise",
    (S.INVALID, S.CLAIMED): "retry: it was corrected",
    (S.INVALID, S.EXISTING): "retry: corrected, and its person is in Stripe already",
    (S.INVALID, S.FAILED): "retry: corrected and not sent yet, or refused by --on-existing refuse",
    (S.INVALID, S.DUPLICATE): "retry: corrected, and another row owns its e-mail",
    (S.INVALID, S.INVALID): "retry: still cannot be sent",
    (S.DUPLICATE, S.PENDING): "its owner begins anew: never sent, taken back or undone",
    (S.DUPLICATE, S.FAILED): "retry: it was mended, or its owner comes again as another or unfit; not sent yet",
    (S.DUPLICATE, S.INVALID): "retry: what it was mended to cannot be sent",
    (S.CREATED, S.PENDING): "undo saw the customer deleted",
    (S.UPDATED, S.PENDING): "undo restored the customer",
}


def allowed_from(target: Status) -> tuple[Status, ...]:
    """The states from which a row may become *target*."""
    return tuple(source for source, to in ARROWS if to is target)


def sources_of(target: Status) -> str:
    """The states from which a row may become *target*, as a query lists them."""
    return ", ".join(f"'{source.value}'" for source in allowed_from(target))


def is_allowed(source: Status, target: Status) -> bool:
    """Tell whether a row in *source* may become *target*."""
    return (source, target) in ARROWS
