"""Listening sockets, and the life of a server: from its first client to its last stream.

    listen      the sockets: 127.0.0.1 and ::1, the same port on both
    Server      accepts up to a number of connections, serves them, stops gracefully

A graceful stop in three steps: no new connections, but for those that are made already; idle ones
closed when no request comes, running replies left to end; after the grace time what still runs is
cut off.
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
from .routes import Routes
from .watch import Watch

__all__ = ["PortBusyError", "Server", "listen"]

log = logging.getLogger("servers")

# What accept() reports of a machine that has run out of something: wait a little, do not spin.
EXHAUSTED = {errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS}

# A machine without IPv6 has no ::1. That is no reason not to serve.
NO_SUCH_ADDRESS = {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}

# So many clients over the limit get a 503 and a goodbye at a time; more are closed without.
MAX_REFUSALS = 100


class PortBusyError(OSError):
    """Another program listens on this port."""


def listen(host: str, port: int) -> list[socket.socket]:
    """Open listening sockets.

    Args:
        host: "localhost" for 127.0.0.1 and, where the machine has it, ::1; or a name or address
            of this machine.
        port: 0 picks a free one, the same for all addresses.

    Raises:
        PortBusyError: the port is taken.
        OSError: no such host, or it is not this machine's.
    """
    sockets: list[socket.socket] = []
    try:
        for name in ["127.0.0.1", "::1"] if host == "localhost" else [host]:
            for family, *_, address in socket.getaddrinfo(name, port, type=socket.SOCK_STREAM):
                try:
                    sockets.append(_listen_on(family, (address[0], port, *address[2:])))
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


def _listen_on(family: int, address: tuple[object, ...]) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
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
        routes: who answers what.
        limits: of each connection.
        max_connections: one more is answered 503 and closed.
        max_bodies_size: bytes of request bodies that are held at a time, of all connections; a
            request that brings more is answered 503.
        grace_seconds: how long running replies may go on after `stop`.
        tls: its certificate; each connection begins with a handshake then.
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
        self._connections: set[Connection] = set()
        self._turning_away = 0
        self._stopping = trio.Event()
        self._scope = trio.CancelScope()

    @property
    def connection_count(self) -> int:
        """How many clients are connected now."""
        return len(self._connections)

    async def serve(self, sockets: Iterable[socket.socket]) -> None:
        """Serve until `stop` or `abort`. The sockets are closed in the end."""
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
        """Stop now."""
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
            # Who is in the queue takes itself for connected: a close would reset its request.
            with contextlib.suppress(OSError):  # until it would block
                while True:
                    self._welcome(sock.accept()[0], serving)
            sock.close()

    async def _accept(self, listener: socket.socket, serving: trio.Nursery) -> None:
        while True:
            await wait_readable(listener)
            try:
                sock, _ = listener.accept()
            except OSError as error:
                # Else the client has left between its SYN and our accept: nothing to do.
                if error.errno in EXHAUSTED:
                    log.warning("cannot accept: %s", error)
                    await trio.sleep(0.1)
                continue
            self._welcome(sock, serving)

    def _welcome(self, sock: socket.socket, serving: trio.Nursery) -> None:
        """Serve a client, or turn it away."""
        try:
            stall = self._limits.stall_seconds
            stream: ByteStream = SocketStream(sock, stall_seconds=stall)
        except OSError:  # macOS: the client has left already
            sock.close()
            return
        if len(self._connections) >= self._max_connections:
            if self._turning_away < MAX_REFUSALS and self._tls is None:
                serving.start_soon(self._turn_away, stream)
            else:
                stream.close()
            return
        # region tls
        tls = None
        if self._tls is not None:
            stream = tls = TLSStream(stream, self._tls, server_side=True)
        connection = Connection(
            stream, self._routes, self._watch, self._limits, self._bodies
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
        """Returns whether the client speaks TLS, and trusts us. If not, it is closed."""
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

    async def _turn_away(self, stream: ByteStream) -> None:
        message = f"This server has its {self._max_connections} connections. Try again later."
        self._turning_away += 1
        try:
            stream.send_now(encode_reply(self._routes.refuse("", 503, message)))
            await stream.aclose()
        except trio.BrokenResourceError:
            stream.close()
        finally:
            self._turning_away -= 1
