"""Requests in, replies out: the only way to Stripe, and the only package that imports stripe and aiohttp's client."""
