"""Imports a whole user base into Stripe."""

__version__ = "0.1.0"
