"""TLS by hand: plaintext in, records out, and back (RFC 8446).

    16 03 01 02 00  01 00 01 fc 03 03 …     handshake: "hello, I want example.com, in http/1.1"
    17 03 03 01 0f  5a 91 c2 …              application data, 271 bytes: an event of 250
    17 03 03 00 13  e0 07 …                 an alert in disguise: close_notify, "I have finished"
    type version length

Every record has these five bytes before it, and only they can be read on the way: who listens
learns how long each piece is, not what it says.

OpenSSL does the cryptography and knows no socket: an `ssl.SSLObject` between two `MemoryBIO`s is a
machine that takes bytes and gives bytes, as the decoders of `protocol/` are. `TLSStream` carries
them to a byte stream and back, and is a byte stream itself. The rules it keeps:

1. What was counted as sent is in the kernel's hands, whole records of it. Of what waits, no more
   than one record was made.
2. Who leaves says close_notify; who does not was cut off, and `truncated` tells.
3. The handshake proves who answers: a certificate of a known CA, for this host, in its time.
"""

import ssl
from dataclasses import dataclass
from typing import Any

import trio

from .tcp import LINGER_SECONDS, READ_SIZE, SEND_SIZE, ByteStream

__all__ = ["HandshakeError", "Session", "TLSStream", "client_context"]

PROTOCOL = "http/1.1"  # its name in ALPN (RFC 7301 §6)

# "The length [of plaintext in a record] MUST NOT exceed 2^14 bytes." (RFC 8446 §5.1)
RECORD_SIZE = 1 << 14

# So much ciphertext is read at a time that its plaintext, with that of a record whose beginning
# came before (2^14 + 256 bytes at most, in TLS 1.2 2^14 + 2048: §5.2), is no more than READ_SIZE.
CIPHERTEXT_SIZE = READ_SIZE - (RECORD_SIZE + 2048 + 5)

# How much a peer that does not read can make us say, such as answers to its key updates.
MAX_UNSENT = 64 << 10

# A TLS peer begins with a record of type alert (21) or handshake (22).
FIRST_BYTES = (0x15, 0x16)


class HandshakeError(Exception):
    """The TLS handshake failed: the peer is not who it should be, or does not speak TLS."""


def client_context(ca_file: str | None = None) -> ssl.SSLContext:
    """How a client of this project speaks TLS: 1.2 or newer, HTTP/1.1, no stranger trusted.

    Args:
        ca_file: certificates (PEM) to trust in place of the system's.

    Raises:
        ValueError: the file cannot be read, or holds no certificate.
    """
    try:
        context = ssl.create_default_context(cafile=ca_file)
    except OSError as error:  # ssl.SSLError is one
        reason = "no certificate in it" if isinstance(error, ssl.SSLError) else error.strerror
        raise ValueError(f"the CA file {ca_file}: {reason}") from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols([PROTOCOL])
    # "The Common Name RDN MUST NOT be used to identify a service" (RFC 9525 §2)
    context.hostname_checks_common_name = False
    return context


@dataclass(frozen=True)
class Session:
    """What a handshake has agreed on, and whom it has found.

    Args:
        version: such as "TLSv1.3".
        cipher: such as "TLS_AES_256_GCM_SHA384".
        protocol: by ALPN, or None if the peer said nothing.
        subject, issuer: of the peer's certificate: who it is, and who vouches for that.
    """

    version: str
    cipher: str
    protocol: str | None
    subject: str
    issuer: str


class TLSStream:
    """A byte stream inside TLS. Await `handshake` before anything else.

    One task may receive while another sends. Errors are those of `SocketStream`.

    Args:
        stream: the connection; it belongs to this one from now on.
        context: for a client from `client_context`; for a server one with a certificate.
        server_hostname: whom a client wants: told to the server (SNI), checked in its certificate.
        server_side: this end is the server.

    Attributes:
        truncated: the connection has ended without close_notify. TLS cannot say whether something
            is missing; whoever knows where the message ends must.
    """

    def __init__(
        self,
        stream: ByteStream,
        context: ssl.SSLContext,
        *,
        server_hostname: str | None = None,
        server_side: bool = False,
    ) -> None:
        self.truncated = False
        self._stream = stream
        self._peer = server_hostname or "the peer"
        self._incoming = ssl.MemoryBIO()  # ciphertext that has come
        self._outgoing = ssl.MemoryBIO()  # ciphertext to send
        self._tls = context.wrap_bio(
            self._incoming, self._outgoing, server_side=server_side, server_hostname=server_hostname
        )
        self._plaintext = b""  # received and not yet asked for
        self._ended = False  # no more of it will come
        self._broken = ""  # why it cannot come
        self._record = b""  # plaintext in records that the stream has not taken whole
        self._unsent = b""  # what it has not taken of them
        self._closed = False

    async def handshake(self) -> None:
        """Agree on keys, and learn who the peer is.

        Raises:
            HandshakeError: the peer is not who it should be, does not speak TLS, or closed.
                Close the stream then.
        """
        begun = False
        try:
            while not self._shake_hands():
                await self._flush()
                data = await self._stream.receive_some()
                if not data:
                    raise HandshakeError(
                        f"{self._peer} closed the connection in the TLS handshake"
                    )
                if not begun and data[0] not in FIRST_BYTES:
                    raise HandshakeError(
                        f"{self._peer} speaks no TLS: its first byte is {data[:1]!r}, "
                        "as from a port for plain http://"
                    )
                begun = True
                self._incoming.write(data)
            await self._flush()
            self._decrypt()  # the peer's first words may have come with its last of the handshake
        except trio.BrokenResourceError as error:
            raise HandshakeError(f"{self._peer} broke off the TLS handshake: {error}") from error
        # A server may answer ALPN with silence; with another protocol it would speak that one.
        if (chosen := self._tls.selected_alpn_protocol()) not in (None, PROTOCOL):
            raise HandshakeError(f"{self._peer} chose to speak {chosen}, not {PROTOCOL}")

    @property
    def ended(self) -> bool:
        """All that will come has come. A goodbye needs no FIN, so nothing else may announce it."""
        return self._ended

    @property
    def session(self) -> Session:
        """What was agreed, after `handshake`."""
        certificate = self._tls.getpeercert() or {}
        cipher = self._tls.cipher()
        return Session(
            self._tls.version() or "",
            cipher[0] if cipher else "",
            self._tls.selected_alpn_protocol(),
            _name(certificate.get("subject") or [certificate.get("subjectAltName", ())]),
            _name(certificate.get("issuer", ())),
        )

    def _shake_hands(self) -> bool:
        """One step. False: the peer's answer is needed."""
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            return False
        except ssl.SSLError as error:
            self._flush_now()  # an alert tells the peer why
            raise HandshakeError(_explain(error, self._peer)) from error
        return True

    # ---- Plaintext in, records out

    def send_now(self, data: bytes) -> int:
        """Encrypt, and hand to the stream what it takes at once.

        Returns:
            How many bytes of `data` have left in whole records, perhaps 0. A record that was not
            taken whole waits here, and is not counted before it was: so the next call must begin
            with the bytes after those counted, as any caller does who still has them to send.

        Raises:
            ValueError: it begins with others.
        """
        sent = 0
        while sent < len(data):
            if not self._record:
                self._record = self._encrypt(data[sent : sent + RECORD_SIZE])
            if not self._flush_now():
                break
            if not data.startswith(self._record, sent):
                raise ValueError("these are not the bytes that still wait to be sent")
            sent += len(self._record)
            self._record = b""
        return sent

    async def send_all(self, data: bytes) -> None:
        """Send all of it. If cancelled, an unknown part has left."""
        await trio.lowlevel.checkpoint()
        sent = self.send_now(data)
        while sent < len(data):
            await self.wait_writable()
            # A slice, or a long text would be copied for each of its records.
            sent += self.send_now(data[sent : sent + SEND_SIZE])

    async def wait_writable(self) -> None:
        """Send what waits here, until `send_now` would take something."""
        await self._stream.wait_writable()
        await self._flush()

    def _encrypt(self, piece: bytes) -> bytes:
        """Put one record into the outgoing BIO. Returns the plaintext that fitted into it."""
        try:
            return piece[: self._tls.write(piece)]
        except ssl.SSLError as error:
            if self._closed:
                raise trio.ClosedResourceError("this stream was closed") from error
            reason = _explain(error, self._peer)
            raise trio.BrokenResourceError(f"the connection is broken: {reason}") from error

    def _flush_now(self) -> bool:
        """Hand over ciphertext. Returns whether the stream has all there is."""
        ciphertext = self._outgoing.read()
        if self._unsent:
            ciphertext = self._unsent + ciphertext
        if not ciphertext:
            return True
        self._unsent = ciphertext  # still, if sending fails
        self._unsent = ciphertext[self._stream.send_now(ciphertext) :]
        return not self._unsent

    async def _flush(self) -> None:
        while not self._flush_now():
            await self._stream.wait_writable()

    # ---- Records in, plaintext out

    def receive_now(self, max_bytes: int = READ_SIZE) -> bytes | None:
        """The plaintext that has come: None if none has, b"" as in `receive_some`.

        If READ_SIZE was asked for, what comes next is announced by the stream below, but for the
        end: see `ended`.
        """
        if self._closed:
            raise trio.ClosedResourceError("this stream was closed")
        while not self._plaintext:
            if self._broken:
                raise trio.BrokenResourceError(self._broken)
            if self._ended:
                return b""
            ciphertext = self._stream.receive_now(CIPHERTEXT_SIZE)
            if ciphertext is None:
                return None
            self._incoming.write(ciphertext)
            if not ciphertext:
                self._ended = self.truncated = True
            self._decrypt()
        data = self._plaintext[:max_bytes]
        self._plaintext = self._plaintext[max_bytes:]
        return data

    async def wait_readable(self) -> None:
        """Wait until something has come: perhaps a part of a record, which is no plaintext yet."""
        await self._stream.wait_readable()

    async def receive_some(self, max_bytes: int = READ_SIZE) -> bytes:
        """Wait for plaintext; b"" when no more will come: see `truncated`."""
        await trio.lowlevel.checkpoint()
        while (data := self.receive_now(max_bytes)) is None:
            await self.wait_readable()
        return data

    def _decrypt(self) -> None:
        """Decrypt all that has come, at once: after a goodbye of ours (`send_eof`) OpenSSL would
        drop it."""
        try:
            while not self._ended and (self._incoming.pending or self._tls.pending()):
                piece = self._tls.read(READ_SIZE)
                self._ended = not piece  # close_notify
                self._plaintext += piece
        except ssl.SSLWantReadError:
            pass  # a part of a record, or one that was not application data
        except ssl.SSLZeroReturnError:
            self._ended = True  # close_notify, after our own
        except ssl.SSLError as error:
            self._ended = True
            self._broken = f"the connection is broken: {_explain(error, self._peer)}"
        # Reading may call for an answer, such as an alert, or new keys for a peer that changed its.
        if self._outgoing.pending:
            self._flush_now()
            if len(self._unsent) > MAX_UNSENT:
                raise trio.BrokenResourceError(f"{self._peer} asks much and reads nothing")

    # ---- The end

    async def send_eof(self) -> None:
        """Half a goodbye: close_notify, and FIN. The other direction stays open."""
        self._say_goodbye()
        await self._flush()
        await self._stream.send_eof()

    async def aclose(self) -> None:
        """Say goodbye, listen until the peer has said it too, close."""
        with trio.move_on_after(LINGER_SECONDS, shield=True):
            try:
                self._say_goodbye()
                await self._flush()
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                pass
        self._closed = True
        await self._stream.aclose()

    def close(self) -> None:
        """Say close_notify if it can leave at once, and close."""
        if not self._closed:
            self._closed = True
            self._say_goodbye()
            try:
                self._flush_now()
            except trio.BrokenResourceError:
                pass
            self._stream.close()

    def reset(self) -> None:
        """Close with an RST and without close_notify: the peer shall see that it was cut off."""
        self._closed = True
        self._stream.reset()

    def fileno(self) -> int:
        return self._stream.fileno()

    def _say_goodbye(self) -> None:
        try:
            self._tls.unwrap()
        except ssl.SSLError:
            pass  # close_notify is in the outgoing BIO; the peer's own is not waited for


# How certificates are usually written (RFC 4514 §3).
SHORT = {
    "commonName": "CN",
    "organizationName": "O",
    "organizationalUnitName": "OU",
    "countryName": "C",
    "stateOrProvinceName": "ST",
    "localityName": "L",
}

# What OpenSSL found wrong in a certificate (x509_vfy.h), and what to do.
NO_ROOT = "it is signed by no CA that is trusted here ({}); --ca-file names one of your own"
OTHER_NAME = "it is for another name ({})"
CERTIFICATE_FAULTS = {
    9: "it is not valid yet, or this machine's clock is wrong",
    10: "it has expired, or this machine's clock is wrong",
    **dict.fromkeys((2, 18, 19, 20, 21), NO_ROOT),
    **dict.fromkeys((62, 64), OTHER_NAME),
}


def _name(parts: Any) -> str:
    """A distinguished name, of the form that `getpeercert` gives: CN=example.com, O=…"""
    return ", ".join(f"{SHORT.get(key, key)}={value}" for part in parts for key, value in part)


def _explain(error: ssl.SSLError, peer: str) -> str:
    """What a person can act on."""
    if isinstance(error, ssl.SSLCertVerificationError):
        fault = CERTIFICATE_FAULTS.get(error.verify_code, "{}").format(error.verify_message)
        return f"the certificate of {peer} is refused: {fault}"
    reason = (error.reason or str(error)).lower().replace("_", " ")
    return f"TLS with {peer} failed: {reason}"


# What this file does not do: client certificates, resuming sessions, revocation lists.
