"""What everybody has who works on the rows of one run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bulk_import.engine import Engine
from bulk_import.existing import Offload
from bulk_import.job.terms import Terms
from bulk_import.job.watching import Watch
from bulk_import.ledger import Reader, Writer


@dataclass(frozen=True, slots=True)
class Common:
    """What everybody has who works on the rows of one run; ledger work goes through `offload`."""

    engine: Engine
    terms: Terms
    writer: Writer
    reader: Reader
    offload: Offload
    watch: Watch
    notice: Callable[[str, str], None]
