"""Record -> Row | Invalid: maps one record and judges it, every problem at once."""

from bulk_import.prepare.rows import Preparation, prepare

__all__ = ["Preparation", "prepare"]
