"""The way onto the network: our own session, no redirects, bounded bodies, one attempt.

The only module that imports aiohttp's client, and what each of its exceptions means.
"""

from __future__ import annotations

import os
import ssl
import urllib.request
from collections.abc import Awaitable, Mapping, Sequence
from urllib.parse import urlsplit

import aiohttp

from bulk_import.errors import UsageError
from bulk_import.keys import SecretKey
from bulk_import.stripe_api.answer import Answer, Broken
from bulk_import.stripe_api.composing import CERTIFICATES

MAX_BODY = 8 * 2**20
"""The largest answer that is read, in bytes after decompression; a full page of customers has less than one MiB."""


# Aiohttp's exceptions, the narrower class before the wider one.
_FAULTS: tuple[tuple[type[Exception], str, str], ...] = (
    (TimeoutError, "timeout", "{host} did not answer in time"),
    (aiohttp.ClientConnectorCertificateError, "certificate", "The TLS certificate of {host} is not trusted here{why}"),
    (aiohttp.ClientSSLError, "tls", "{host} does not speak TLS as it should"),
    (aiohttp.ServerFingerprintMismatch, "tls", "The TLS certificate of {host} is not the expected one"),
    (aiohttp.ClientConnectorDNSError, "connect", "The name {looked_up} could not be resolved"),
    (aiohttp.ClientProxyConnectionError, "connect", "The proxy on the way to {host} could not be reached{why}"),
    (aiohttp.ClientHttpProxyError, "connect", "The proxy on the way to {host} refused to connect{why}"),
    (aiohttp.ClientConnectorError, "connect", "{host} could not be reached{why}"),
    (aiohttp.ClientPayloadError, "truncated", "The answer of {host} was cut short or damaged"),
    (aiohttp.ClientConnectionError, "reset", "{host} closed the connection before its answer was complete"),
    (OSError, "reset", "The connection to {host} broke{why}"),
    (aiohttp.ClientResponseError, "protocol", "{host} answered with something that is not HTTP"),
    (aiohttp.InvalidURL, "protocol", "{host} cannot be asked: the address is not a URL"),
    (aiohttp.ClientError, "protocol", "The exchange with {host} failed"),
)


def describe_fault(error: BaseException, host: str) -> Broken:
    """What one exception of the transport means; the sentence names only its kind and *host*."""
    looked_up = getattr(error, "host", host)  # the proxy's name, where that is what could not be resolved
    why = f" ({reason})" if (reason := _reason(error)) else ""
    for kind, fault, sentence in _FAULTS:
        if isinstance(error, kind):
            return Broken(fault, sentence.format(host=host, why=why, looked_up=looked_up))
    return Broken("protocol", f"The request to {host} could not be made ({type(error).__name__})")


def _reason(error: BaseException) -> str:
    """What the exception itself says, as far as it can name nothing but a kind of trouble."""
    refused = getattr(getattr(error, "certificate_error", None), "verify_message", None)
    if isinstance(refused, str):
        return refused.rstrip(".")
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return f"HTTP {getattr(error, 'status', 0)}"
    number = getattr(error, "errno", None)
    return os.strerror(number).lower() if isinstance(number, int) and number > 0 else ""


class _Dropped(Exception):
    """A connection broke under a request that aiohttp would otherwise send again by itself."""


async def _send_once(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    try:
        return await handler(request)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise _Dropped from error


class Transport:
    """The way onto the network: our own session, no redirects, bounded bodies, one attempt."""

    def __init__(self, key: SecretKey, base: str, connections: int) -> None:
        self._key = key
        self._host = urlsplit(base).hostname or base
        secure = urlsplit(base).scheme == "https"
        proxy = _find_proxy(base)
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=connections, ssl=trusted_certificates() if secure else True),
            headers={"Accept": "application/json", "Accept-Encoding": "gzip, deflate"},
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),  # the only deadline is that of `send`
            # Instead of aiohttp's trust_env, which hops to a thread twice a request to read the environment,
            # and fails every request when a .netrc names the host.
            proxy=proxy,
        )

    async def carry(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> Answer | Broken:
        """Make one attempt; only cancellation and the deadline's are raised."""
        try:
            response = await self._session.request(
                method, url, headers=headers, data=body, allow_redirects=False, middlewares=self._middlewares(method)
            )
            try:
                content = await _read_bounded(response)  # read to its end, it has given its connection back by then
            except BaseException:
                response.close()
                raise
            return Answer(response.status, self._masked_headers(response.headers), self._masked(content))
        except _Oversized:
            return Broken("oversized", f"The answer of {self._host} is larger than {MAX_BODY >> 20} MiB")
        except _Dropped as dropped:
            return describe_fault(dropped.__cause__ or dropped, self._host)
        except Exception as error:
            return describe_fault(error, self._host)

    def _masked(self, content: bytes) -> bytes:
        """A server that repeats the key, in "Invalid API Key provided: …", must not bring it into ledger and reports."""
        secret = self._key.reveal().encode()
        return content.replace(secret, str(self._key).encode()) if secret in content else content

    def _masked_headers(self, headers: Mapping[str, str]) -> Mapping[str, str]:
        secret = self._key.reveal()
        if secret not in "\n".join(headers.values()):
            return headers
        return {name.lower(): value.replace(secret, str(self._key)) for name, value in headers.items()}

    def _middlewares(self, method: str) -> Sequence[aiohttp.ClientMiddlewareType]:
        # Aiohttp repeats a GET or DELETE whose kept connection broke: unpaced, and a second DELETE answers 404; never a POST.
        return (self._sign,) if method == "POST" else (_send_once, self._sign)

    def _sign(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> Awaitable[aiohttp.ClientResponse]:
        # Stripe-python knows the key only by its mask, so that none of its objects, errors and logs can show it. No
        # coroutine, which would be gone through twice a request.
        request.headers["Authorization"] = f"Bearer {self._key.reveal()}"
        return handler(request)

    async def aclose(self) -> None:
        """Close every connection."""
        await self._session.close()


class _Oversized(Exception):
    """An answer outgrew what we are willing to hold."""


async def _read_bounded(response: aiohttp.ClientResponse) -> bytes:
    announced = response.content_length
    if (announced or 0) > MAX_BODY:
        raise _Oversized
    if announced is not None and "Content-Encoding" not in response.headers:
        return await response.read()  # no more than was announced, and at once: the usual answer
    content = bytearray()
    async for piece in response.content.iter_any():
        content += piece
        if len(content) > MAX_BODY:
            raise _Oversized
    return bytes(content)


def trusted_certificates() -> ssl.SSLContext:
    """The system's certificates (a company's own proxy, say) and the SDK's, for machines that bring none."""
    context = ssl.create_default_context()
    context.load_verify_locations(CERTIFICATES)
    return context


def _find_proxy(base: str) -> str | None:
    """The proxy that the environment names for *base*; none where it could read the key.

    A key may go unencrypted to this machine or into a private network, and a proxy is in neither. Raises `UsageError` for one
    that cannot be used, as aiohttp knows nothing of SOCKS.
    """
    parts = urlsplit(base)
    host = parts.hostname or ""
    if parts.scheme != "https" or host == "localhost" or host == "::1" or host.startswith("127."):
        return None
    if urllib.request.proxy_bypass(host):
        return None
    proxies = urllib.request.getproxies()
    if not (proxy := (proxies.get("https") or proxies.get("all") or "").strip()):
        return None
    proxy = proxy if "://" in proxy else f"http://{proxy}"
    named = urlsplit(proxy)
    if named.scheme not in ("http", "https") or not named.hostname:
        raise UsageError(
            f"the environment names a proxy for {host} that is no http or https address; write HTTPS_PROXY like "
            "http://proxy.example.com:3128, or name the host in NO_PROXY to go without one."
        )
    return proxy
