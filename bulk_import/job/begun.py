"""Sees what became of an undo that was cut short: nothing that a ledger says of its rows is believed before."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from bulk_import.engine import Engine
from bulk_import.existing import Offload, Piece
from bulk_import.image import Image
from bulk_import.ledger import Pairing, Pairings
from bulk_import.model import Status
from bulk_import.restore import Halfway, Restored, Restorer, Written
from bulk_import.undo import Gone, Known, Undoer

BATCH = 100
"""Rows whose customers are looked at before what they show is written."""

AT_ONCE = 16
"""Customers that are looked at side by side; the gate decides how fast that starts."""

Standing = Gone | Restored | Halfway | Written


async def outlast(engine: Engine, sure: float, notice: Callable[[str, str], None]) -> None:
    """Wait until *sure* (wall clock, seconds), when nothing that an undo which was cut short had begun can act any more."""
    if (wait := sure - engine.parts.now()) > 0:
        notice("undo", f"waiting {wait:.0f} s until every request of that undo must have ended")
        await engine.nap(wait)
        engine.check()


class BegunUndos:
    """Takes up the rows that an undo had begun, as `Pairings.begun` names them, and settles each by its customer.

    `sure` is from when on (wall clock, seconds) no request of the dead process can act any more: who is not yet wholly
    taken back is believed only then.
    """

    def __init__(
        self,
        engine: Engine,
        pairings: Pairings,
        offload: Offload,
        known: Known,
        sure: float,
        notice: Callable[[str, str], None],
    ) -> None:
        self._engine = engine
        self._pairings = pairings
        self._offload = offload
        self._sure = sure
        self._notice = notice
        self._undoer = Undoer(engine.ask, known, engine.parts.now)
        self._restorer = Restorer(engine.ask, engine.nap, known, engine.parts.now)

    async def settle(self) -> None:
        """Settle them all: who is taken back goes to the start, who is not stays what it was.

        Raises `StripeRefuses` where Stripe does not know a customer that the ledger does.
        """
        await self._pass_over(final=False)
        if await self._offload(self._pairings.begun, 0, 1):
            await outlast(self._engine, self._sure, self._notice)
        await self._pass_over(final=True)

    async def _pass_over(self, *, final: bool) -> None:
        row = 0
        while batch := await self._offload(self._pairings.begun, row, BATCH):
            row = batch[-1].row
            await self._settle(batch, final=final)

    async def _settle(self, batch: Sequence[Pairing], *, final: bool) -> None:
        found = await self._offload(self._pairings.images_of, [p.row for p in batch])
        images = {(image.row, image.target): image for image in found}
        stands: dict[int, Standing] = {}
        looks = [partial(self._look, p, images.get((p.row, p.customer_id or "")), stands) for p in batch]
        await self._engine.together(looks, AT_ONCE)
        self._engine.check()
        made = [(p.row, p.customer_id or "") for p in batch if p.status is Status.CREATED]
        updated = [(p.row, p.customer_id or "") for p in batch if p.status is not Status.CREATED]
        await self._offload(self._pairings.settle_undo, _that_are(made, stands, Gone), [])
        restored, gone = _that_are(updated, stands, Restored), _that_are(updated, stands, Gone)
        await self._offload(partial(self._pairings.settle_restored, restored, [], gone=gone))
        if final:
            halfway = _that_are(updated, stands, Halfway)
            kept = [row for row, stand in stands.items() if isinstance(stand, Written)]
            await self._offload(self._pairings.settle_restored, [], [], kept, halfway)

    async def _look(self, pairing: Pairing, image: Image | None, stands: dict[int, Standing]) -> Sequence[Piece]:
        if pairing.status is Status.CREATED:
            seen = await self._undoer.look(pairing)
            stands[pairing.row] = seen if isinstance(seen, Gone) else Written()
        else:  # with nothing kept of what was there before, an undo had nothing to put back
            stands[pairing.row] = Written() if image is None else await self._restorer.look(image)
        return ()


def _that_are(
    rows: Sequence[tuple[int, str]], stands: Mapping[int, Standing], *kinds: type[Standing]
) -> list[tuple[int, str]]:
    return [pair for pair in rows if isinstance(stands[pair[0]], kinds)]
