"""Reading a source: bytes to records, with everything that was decided on the way said aloud.

path ── Source (bytes, fingerprint) ── unpacked ── decoded ── whole lines ── records
                                          └ detect() settles a Reading once; read() obeys it every time
"""

from bulk_import.reading.detect import detect
from bulk_import.reading.records import Records, read, read_pieces, read_records
from bulk_import.reading.remarks import Remarks
from bulk_import.reading.settled import Notice, Overrides, Reading
from bulk_import.reading.source import Fingerprint, Source, discard_unfinished, spool
from bulk_import.reading.table import NO_CUSTOMER

__all__ = [
    "NO_CUSTOMER",
    "Fingerprint",
    "Notice",
    "Overrides",
    "Reading",
    "Records",
    "Remarks",
    "Source",
    "detect",
    "discard_unfinished",
    "read",
    "read_pieces",
    "read_records",
    "spool",
]
