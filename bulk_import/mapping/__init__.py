"""Columns -> parameters: what people's exports call things, what was asked for, and what is never sent."""

from bulk_import.mapping.options import MappingOptions, load_profile
from bulk_import.mapping.settled import Mapping, MappingLine, settle_mapping

__all__ = ["Mapping", "MappingLine", "MappingOptions", "load_profile", "settle_mapping"]
