"""From the rates that were asked for to the cap of every endpoint (pure)."""

from __future__ import annotations

from collections.abc import Mapping

from bulk_import.model import Endpoint
from bulk_import.options import Pacing

DEFAULT = 25.0
"""What Stripe allows one endpoint by default, requests per second (Stripe facts, section 2)."""

SEARCH = 20.0
"""What Stripe allows its search endpoints."""

LIFTED = (Endpoint.CREATE, Endpoint.UPDATE, Endpoint.LIST)
"""Endpoints that an explicit higher rate lifts with it: whoever asks for 100/s knows that the account allows it."""


def endpoint_caps(pacing: Pacing) -> dict[Endpoint, float]:
    """The cap of every endpoint in requests per second; empty when there is no gate."""
    if pacing.rate is None:
        return {}
    caps = {endpoint: SEARCH if endpoint is Endpoint.SEARCH else DEFAULT for endpoint in Endpoint}
    if pacing.rate_is_explicit and pacing.rate > DEFAULT:
        caps.update(dict.fromkeys(LIFTED, pacing.rate))
    caps.update(pacing.endpoint_rates)
    return {endpoint: min(cap, pacing.rate) for endpoint, cap in caps.items()}


def binding(pacing: Pacing) -> tuple[float | None, str]:
    """The cap that limits creates, and which one it is, for the start line."""
    if pacing.rate is None:
        return None, "no cap"
    create = endpoint_caps(pacing)[Endpoint.CREATE]
    return (pacing.rate, "all requests") if create >= pacing.rate else (create, "creates")


def seconds_at_caps(requests: Mapping[Endpoint, int], pacing: Pacing) -> float | None:
    """How long these requests take where nothing but the caps slows them; None without a cap."""
    if pacing.rate is None:
        return None
    caps = endpoint_caps(pacing)
    longest = max((count / caps[endpoint] for endpoint, count in requests.items()), default=0.0)
    return max(sum(requests.values()) / pacing.rate, longest)
