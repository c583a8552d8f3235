"""Listening sockets, and a server: it accepts connections, serves them, and stops gracefully.

    listen      opens the sockets: 127.0.0.1 and ::1, the same port on both
    Server      serves connections up to a limit, and refuses more

A graceful stop has three steps:

1. The server accepts the connections that are already in the queue, and no further ones.
2. It closes the idle connections on which no request arrives, and lets running replies end.
3. After the grace time it truncates the replies that still run.
"""

import contextlib
import errno
import logging
import socket
import ssl
from collections.abc import Iterable

import trio
from trio.lowlevel import wait_readable

from clients.streams.tcp import ByteStream, SocketStream
from clients.streams.tls import HandshakeError, TLSStream

from .connection import Connection
from .limits import Budget, Limits
from .reply_head import encode_reply
from .request_head import KnownHeads
from .routes import Routes
from .watch import Watch

__all__ = ["PortBusyError", "Server", "listen"]

log = logging.getLogger("servers")

# Errors of accept() when the machine has run out of files or memory. The server waits a little,
# because an immediate new attempt would fail too.
EXHAUSTED = {errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS}

# Errors on a machine without IPv6, which has no ::1. On such a machine the server listens on
# 127.0.0.1 only.
NO_SUCH_ADDRESS = {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}

# Largest number of clients over the limit of connections that get a 503 at the same time. The
# connections of further clients are closed without a reply.
MAX_REFUSALS = 100


class PortBusyError(OSError):
    """Another program listens on this port."""


def listen(host: str, port: int, *, reuse_port: bool = False) -> list[socket.socket]:
    """Open listening sockets.

    Args:
        host: "localhost" means 127.0.0.1 and, if the machine has it, ::1. Any other host is a name
            or an address of this machine.
        port: The port number, the same for all addresses. 0 picks a free one.
        reuse_port: Whether other sockets of this user may listen on the same port (SO_REUSEPORT).

    Returns:
        One socket for each address.

    Raises:
        PortBusyError: Another program uses the port.
        OSError: There is no such host, or the host is not this machine.
    """
    sockets: list[socket.socket] = []
    try:
        for name in ["127.0.0.1", "::1"] if host == "localhost" else [host]:
            for family, *_, address in socket.getaddrinfo(name, port, type=socket.SOCK_STREAM):
                try:
                    sockets.append(_listen_on(family, (address[0], port, *address[2:]), reuse_port))
                except OSError as error:
                    if name == "::1" and error.errno in NO_SUCH_ADDRESS:
                        continue
                    raise
                port = sockets[0].getsockname()[1]
    except OSError as error:
        for sock in sockets:
            sock.close()
        if error.errno == errno.EADDRINUSE:
            raise PortBusyError(error.errno, f"port {port} is in use") from error
        raise
    return sockets


def _listen_on(family: int, address: tuple[object, ...], reuse_port: bool) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if reuse_port:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind(address)
        sock.listen(1024)
        sock.setblocking(False)
    except OSError:
        sock.close()
        raise
    return sock


class Server:
    """Serves a table of routes on listening sockets.

    Args:
        routes: The object that finds the handler of each request.
        limits: Limits of each connection.
        max_connections: Largest number of connections. One more connection gets a 503 and is
            closed.
        max_bodies_size: Largest size of all request bodies held at the same time, in bytes. A
            request that brings more gets 503.
        grace_seconds: Longest time that running replies may take after `stop`, in seconds.
        tls: TLS settings with the server's certificate. If given, each connection begins with a TLS
            handshake.
    """

    def __init__(
        self,
        routes: Routes,
        *,
        limits: Limits | None = None,
        max_connections: int = 10_000,
        max_bodies_size: int = 64 << 20,
        grace_seconds: float = 5.0,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._routes = routes
        self._tls = tls
        self._limits = limits or Limits()
        self._max_connections = max_connections
        self._grace_seconds = grace_seconds
        self._watch = Watch()
        self._bodies = Budget(max_bodies_size)
        self._heads = KnownHeads()
        self._connections: set[Connection] = set()
        self._refusing = 0
        self._stopping = trio.Event()
        self._scope = trio.CancelScope()

    @property
    def connection_count(self) -> int:
        """The number of clients that are connected now."""
        return len(self._connections)

    async def serve(self, sockets: Iterable[socket.socket]) -> None:
        """Serve until `stop` or `abort`, then close the sockets."""
        sockets = list(sockets)
        try:
            async with trio.open_nursery() as watching:
                watching.start_soon(self._watch.run)
                for task in self._routes.tasks:
                    watching.start_soon(task)
                with self._scope:
                    async with trio.open_nursery() as serving:
                        await self._accept_until_stopped(sockets, serving)
                        for connection in list(self._connections):
                            connection.finish()
                        self._scope.deadline = trio.current_time() + self._grace_seconds
                watching.cancel_scope.cancel()
        finally:
            self._watch.close()
            for sock in sockets:
                sock.close()

    def stop(self) -> None:
        """Stop gracefully: `serve` returns when the running replies have ended."""
        self._stopping.set()

    def abort(self) -> None:
        """Stop now, and truncate running replies."""
        self._stopping.set()
        self._scope.cancel()

    async def _accept_until_stopped(
        self, sockets: list[socket.socket], serving: trio.Nursery
    ) -> None:
        async with trio.open_nursery() as accepting:
            for sock in sockets:
                accepting.start_soon(self._accept, sock, serving)
            await self._stopping.wait()
            accepting.cancel_scope.cancel()
        for sock in sockets:
            # Clients in the accept queue believe they are connected: a close would reset them.
            with contextlib.suppress(OSError):  # until accept() would block
                while True:
                    self._admit(sock.accept()[0], serving)
            sock.close()

    async def _accept(self, listener: socket.socket, serving: trio.Nursery) -> None:
        while True:
            await wait_readable(listener)
            try:
                sock, _ = listener.accept()
            except OSError as error:
                # Any other error means that the client disconnected before it was accepted.
                if error.errno in EXHAUSTED:
                    log.warning("cannot accept: %s", error)
                    await trio.sleep(0.1)
                continue
            self._admit(sock, serving)

    def _admit(self, sock: socket.socket, serving: trio.Nursery) -> None:
        """Serve a client, or refuse it."""
        try:
            stall = self._limits.stall_seconds
            stream: ByteStream = SocketStream(sock, stall_seconds=stall)
        except OSError:  # on macOS: the client has disconnected already
            sock.close()
            return
        if len(self._connections) >= self._max_connections:
            if self._refusing < MAX_REFUSALS and self._tls is None:
                serving.start_soon(self._refuse, stream)
            else:
                stream.close()
            return
        # region tls
        tls = None
        if self._tls is not None:
            stream = tls = TLSStream(stream, self._tls, server_side=True)
        connection = Connection(
            stream, self._routes, self._watch, self._limits, self._bodies, self._heads
        )
        # endregion
        self._connections.add(connection)
        serving.start_soon(self._serve_connection, connection, tls)

    async def _serve_connection(self, connection: Connection, tls: TLSStream | None) -> None:
        try:
            if tls is None or await self._shake_hands(tls):
                await connection.serve()
        except Exception:
            log.exception("a connection failed: a bug of this server")
        finally:
            self._connections.discard(connection)

    async def _shake_hands(self, stream: TLSStream) -> bool:
        """Do the TLS handshake. Returns whether it succeeded. After a failure the stream is
        closed."""
        done = False
        try:
            with trio.move_on_after(self._limits.head_seconds):
                await stream.handshake()
                done = True
        except HandshakeError as error:
            log.info("no TLS: %s", error)
        finally:
            if not done:
                stream.close()
        return done

    async def _refuse(self, stream: ByteStream) -> None:
        message = f"This server has its {self._max_connections} connections. Try again later."
        self._refusing += 1
        try:
            stream.send_now(encode_reply(self._routes.refuse("", 503, message)))
            await stream.aclose()
        except trio.BrokenResourceError:
            stream.close()
        finally:
            self._refusing -= 1
