"""netcat: copies bytes between a connection and a terminal, and adds nothing.

    $ printf 'GET / HTTP/1.0\\r\\n\\r\\n' | workshop nc localhost 8000
    $ workshop nc -C localhost 8000          type a request; Enter sends CR LF
    $ workshop nc -l -C 8000                 you are the server: type the response

Programs named netcat differ in what they do when their input ends. This netcat does the same as
OpenBSD's: it continues to print what arrives, and ends when the peer closes. (With `-l` it ends
when its own input ends.) With `--half-close` it sends a FIN at the end of its input, as ncat, socat
and busybox do.
"""

import argparse
import os
import signal
import sys
from collections.abc import Sequence

import trio

from .streams.tcp import READ_SIZE, SocketStream, connect

__all__ = ["main"]

INTERRUPTED = 130  # the exit code of a program ended by SIGINT: 128 + 2


async def _run(options: argparse.Namespace) -> int:
    """Connect or listen, copy both ways, and return the exit code."""
    exit_code = 0
    async with trio.open_nursery() as nursery:

        async def interrupt() -> None:
            nonlocal exit_code
            with trio.open_signal_receiver(signal.SIGINT) as signals:
                await anext(signals)
            exit_code = INTERRUPTED
            nursery.cancel_scope.cancel()

        async def communicate() -> None:
            nonlocal exit_code
            stream: SocketStream | None = None
            try:
                stream = await (_accept(options) if options.listen else _connect(options))
                await _copy(stream, options)
            except (OSError, trio.BrokenResourceError) as error:
                where = f"{options.host} port {options.port}"
                print(f"nc: {where}: {error}", file=sys.stderr)
                exit_code = 1
            finally:
                if stream is not None:
                    stream.close()
            nursery.cancel_scope.cancel()

        nursery.start_soon(interrupt)
        nursery.start_soon(communicate)
    return exit_code


async def _connect(options: argparse.Namespace) -> SocketStream:
    return await connect(options.host, options.port)


async def _accept(options: argparse.Namespace) -> SocketStream:
    listener, *others = await trio.open_tcp_listeners(options.port, host=options.host)
    for other in others:
        await other.aclose()
    host, port = listener.socket.getsockname()[:2]
    print(f"listening on {host} port {port}", file=sys.stderr, flush=True)
    async with listener:
        return SocketStream.adopt(await listener.accept())


async def _copy(stream: SocketStream, options: argparse.Namespace) -> None:
    """Copy standard input to the stream and the stream to standard output.

    A client ends when the peer closes. A listener ends when its own input ends, not when the peer
    sends a FIN, because the peer may have finished only its request.
    """
    async with trio.open_nursery() as nursery:

        async def send() -> None:
            try:
                await _send_input(stream, options.crlf)
                if options.half_close or options.listen:
                    await stream.send_eof()
            except trio.BrokenResourceError:
                pass  # the peer has closed; the bytes that it sent before are still being received

        nursery.start_soon(send)
        try:
            while data := await stream.receive_some():
                # Bytes are printed at once and unchanged: a buffer would hide what this program
                # must show.
                await trio.to_thread.run_sync(_write, data, abandon_on_cancel=True)
        except trio.BrokenResourceError as error:
            print(f"nc: {error}", file=sys.stderr)
            nursery.cancel_scope.cancel()
        except BrokenPipeError:
            nursery.cancel_scope.cancel()  # the reader of our output has closed it: `| head`
        if not options.listen:
            nursery.cancel_scope.cancel()


async def _send_input(stream: SocketStream, crlf: bool) -> None:
    after_cr = False
    while data := await trio.to_thread.run_sync(_read_input, abandon_on_cancel=True):
        if crlf:
            # CR LF stays CR LF, even if it is cut between two reads.
            lines = data.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
            if after_cr and data.startswith(b"\n"):
                lines = lines[1:]
            after_cr = data.endswith(b"\r")
            data = lines
        await stream.send_all(data)


def _read_input() -> bytes:
    return os.read(sys.stdin.fileno(), READ_SIZE)


def _write(data: bytes) -> None:
    while data:
        data = data[os.write(sys.stdout.fileno(), data) :]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command. Returns the exit code: 0, 1 for no connection, 130 for Ctrl-C."""
    parser = argparse.ArgumentParser(
        prog="workshop nc",
        description="Copy bytes between a TCP connection and this terminal.",
        epilog="""examples:
  printf 'GET / HTTP/1.0\\r\\n\\r\\n' | workshop nc localhost 8000
  workshop nc -C localhost 8000     type a request, Enter sends CR LF
  workshop nc -l -C 8000            be the server, for one client""",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "host", nargs="?", default="localhost", help="name or address; default: %(default)s"
    )
    parser.add_argument("port", type=int, help="port number")
    parser.add_argument("-l", "--listen", action="store_true", help="listen, and accept one client")
    parser.add_argument("-C", "--crlf", action="store_true", help="send CR LF for each LF")
    parser.add_argument(
        "-N",
        "--half-close",
        action="store_true",
        help="send a FIN when the input ends (ncat, socat and busybox nc always do)",
    )
    options = parser.parse_args(argv)
    if not 0 <= options.port <= 65535:
        parser.error(f"not a port number: {options.port}")
    return trio.run(_run, options)


if __name__ == "__main__":
    sys.exit(main())
