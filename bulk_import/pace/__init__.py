"""The gate: every request takes a turn here; the only package that uses aiolimiter."""

from bulk_import.pace.gate import Gate, Unused

__all__ = ["Gate", "Unused"]
