"""Two ends of a TLS connection for tests, with certificates of a CA that only tests trust.

    client, server = await tls_pair()              after the handshake, over memory streams
    server_context(certificate("wrong.example"))   the context of a server with this certificate
"""

import ssl
from datetime import UTC, datetime
from functools import cache

import trio
import trustme

from clients.streams.tls import TLSStream, client_context

from ...streams import MemoryStream, memory_pair

CA = trustme.CA()
HOST = "api.example.com"
PAST = datetime(2001, 1, 1, tzinfo=UTC)
VERSIONS = (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)


@cache
def certificate(*names: str) -> trustme.LeafCert:
    return CA.issue_cert(*names)


@cache
def server_context(
    leaf: trustme.LeafCert | None = None, version: ssl.TLSVersion | None = None
) -> ssl.SSLContext:
    """Return a server's context: ALPN http/1.1, by default a certificate for HOST and loopback."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    (leaf or certificate(HOST, "localhost", "127.0.0.1")).configure_cert(context)
    context.set_alpn_protocols(["http/1.1"])
    # Over a connection that holds one byte, a server that waits until its session tickets are sent
    # and a client that does not read yet would wait for each other.
    context.num_tickets = 0
    if version is not None:
        context.maximum_version = context.minimum_version = version
    return context


@cache
def trusting_context() -> ssl.SSLContext:
    """Return a client's context that trusts the tests' CA."""
    context = client_context()
    CA.configure_trust(context)
    return context


async def shake_hands(client: TLSStream, server: TLSStream) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(client.handshake)
        nursery.start_soon(server.handshake)


async def tls_over(
    client: MemoryStream, server: MemoryStream, version: ssl.TLSVersion | None = None
) -> tuple[TLSStream, TLSStream]:
    """Put TLS over the two ends of a connection, and shake hands."""
    ends = (
        TLSStream(client, trusting_context(), server_hostname=HOST),
        TLSStream(server, server_context(version=version), server_side=True),
    )
    await shake_hands(*ends)
    return ends


async def tls_pair(
    size: int = 64 << 10, version: ssl.TLSVersion | None = None
) -> tuple[TLSStream, TLSStream]:
    """Return a client and a server; each direction holds `size` bytes of ciphertext."""
    return await tls_over(*memory_pair(size), version=version)


def records(ciphertext: bytes) -> list[bytes]:
    """Cut ciphertext where its records end: the first five bytes give the length of each."""
    cut = []
    while ciphertext:
        size = 5 + int.from_bytes(ciphertext[3:5], "big")
        assert len(ciphertext) >= size, "the last record is not whole"
        cut.append(ciphertext[:size])
        ciphertext = ciphertext[size:]
    return cut
