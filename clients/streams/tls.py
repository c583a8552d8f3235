"""TLS by hand: from plaintext to records, and back (RFC 8446).

    16 03 01 02 00  01 00 01 fc 03 03 …     handshake: "hello, I want example.com, in http/1.1"
    17 03 03 01 0f  5a 91 c2 …              application data, 271 bytes: an event of 250
    17 03 03 00 13  e0 07 …                 an alert in disguise: close_notify, "I have finished"
    type version length

Every record begins with these five bytes. An eavesdropper can read only these bytes: the length of
each record, but not its content.

OpenSSL does the cryptography, without a socket. An `ssl.SSLObject` between two `MemoryBIO`s takes
bytes and returns bytes, as the decoders of `protocol/` do. `TLSStream` carries them to a byte
stream and back, and is a byte stream itself. The rules it keeps:

1. `send_now` counts only bytes whose whole records the stream below has accepted. At most one more
   record is encrypted.
2. A clean close sends close_notify. If the peer's close_notify is missing, the stream was
   truncated, and `truncated` is true.
3. The handshake proves who the peer is: its certificate is signed by a trusted CA, names this host
   and has not expired.
"""

import ssl
from dataclasses import dataclass
from typing import Any

import trio

from .tcp import LINGER_SECONDS, LINGER_SIZE, READ_SIZE, ByteStream

__all__ = ["HandshakeError", "TLSParameters", "TLSStream", "client_context"]

PROTOCOL = "http/1.1"  # the name of HTTP/1.1 in ALPN (RFC 7301 §6)

# "The length [of plaintext in a record] MUST NOT exceed 2^14 bytes." (RFC 8446 §5.1)
RECORD_SIZE = 1 << 14

# Largest number of ciphertext bytes per read. Their plaintext, together with that of one record
# that began in an earlier read (2^14 + 256 bytes at most, in TLS 1.2 2^14 + 2048: §5.2), is never
# longer than READ_SIZE.
CIPHERTEXT_SIZE = READ_SIZE - (RECORD_SIZE + 2048 + 5)

# Limit on output queued for a peer that is not reading, such as answers to its key updates.
MAX_UNSENT = 64 << 10

# A TLS peer begins with a record of type alert (21) or handshake (22).
FIRST_BYTES = (0x15, 0x16)


class HandshakeError(Exception):
    """The TLS handshake failed: the peer is not who it should be, or does not speak TLS."""


def client_context(ca_file: str | None = None) -> ssl.SSLContext:
    """Return the TLS settings of this project's clients: TLS 1.2 or newer, HTTP/1.1, checked names.

    Args:
        ca_file: A file of certificates (PEM) to trust in place of the system's.

    Raises:
        ValueError: The file cannot be read, or holds no certificate.
    """
    try:
        context = ssl.create_default_context(cafile=ca_file)
    except OSError as error:  # ssl.SSLError is an OSError too
        reason = "no certificate in it" if isinstance(error, ssl.SSLError) else error.strerror
        raise ValueError(f"the CA file {ca_file}: {reason}") from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols([PROTOCOL])
    # "The Common Name RDN MUST NOT be used to identify a service" (RFC 9525 §2)
    context.hostname_checks_common_name = False
    return context


@dataclass(frozen=True)
class TLSParameters:
    """What a handshake agreed on, and the names in the peer's certificate.

    Args:
        version: The version of TLS, such as "TLSv1.3".
        cipher: The name of the cipher suite, such as "TLS_AES_256_GCM_SHA384".
        protocol: The protocol chosen by ALPN, or None if the peer chose none.
        subject: The peer's name in its certificate.
        issuer: The name of the CA that signed the peer's certificate.
    """

    version: str
    cipher: str
    protocol: str | None
    subject: str
    issuer: str


class TLSStream(ByteStream):
    """A byte stream inside TLS. Await `handshake` before anything else.

    Args:
        stream: The connection below. This stream owns it from now on.
        context: The TLS settings. A client uses the settings of `client_context`. The settings of a
            server contain its certificate.
        server_hostname: The host that a client wants. Its name is sent to the server (SNI), and the
            server's certificate must contain it.
        server_side: True if this end is the server.

    Attributes:
        truncated: Whether the connection ended without close_notify. TLS cannot know whether bytes
            are missing, so the reader of the message must decide.
        ended: Whether no more plaintext will arrive. After a close_notify without a FIN, the socket
            below may never become readable again.
    """

    truncated = False
    ended = False

    def __init__(
        self,
        stream: ByteStream,
        context: ssl.SSLContext,
        *,
        server_hostname: str | None = None,
        server_side: bool = False,
    ) -> None:
        self._stream = stream
        self._peer = server_hostname or "the peer"
        self._incoming = ssl.MemoryBIO()  # ciphertext that has arrived
        self._outgoing = ssl.MemoryBIO()  # ciphertext to send
        self._tls = context.wrap_bio(
            self._incoming, self._outgoing, server_side=server_side, server_hostname=server_hostname
        )
        self._plaintext = b""  # received, and not yet returned to the caller
        self._broken = ""  # the error that broke the stream, or ""
        self._record = b""  # plaintext of a record that the stream below has not accepted whole
        self._unsent = b""  # ciphertext that the stream below has not accepted
        self._closed = False

    async def handshake(self) -> None:
        """Agree on keys, and check who the peer is.

        Raises:
            HandshakeError: The peer is not who it should be, does not speak TLS, or has closed. The
                caller must then close the stream.
        """
        begun = False
        try:
            while not self._shake_hands():
                await self._flush()
                data = await self._stream.receive_some()
                if not data:
                    raise HandshakeError(f"{self._peer} closed the connection in the TLS handshake")
                if not begun and data[0] not in FIRST_BYTES:
                    raise HandshakeError(
                        f"{self._peer} does not speak TLS: its first byte is {data[:1]!r}, "
                        "as from a port for plain http://"
                    )
                begun = True
                self._incoming.write(data)
            await self._flush()
            self._decrypt()  # the peer's first data may have come with its last handshake message
        except trio.BrokenResourceError as error:
            raise HandshakeError(f"{self._peer} broke off the TLS handshake: {error}") from error
        # A server may ignore ALPN. But if it has chosen another protocol, it will use that
        # protocol.
        if (chosen := self._tls.selected_alpn_protocol()) not in (None, PROTOCOL):
            raise HandshakeError(f"{self._peer} chose to speak {chosen}, not {PROTOCOL}")

    @property
    def parameters(self) -> TLSParameters:
        """The parameters on which `handshake` has agreed."""
        certificate = self._tls.getpeercert() or {}
        cipher = self._tls.cipher()
        return TLSParameters(
            self._tls.version() or "",
            cipher[0] if cipher else "",
            self._tls.selected_alpn_protocol(),
            _name(certificate.get("subject") or [certificate.get("subjectAltName", ())]),
            _name(certificate.get("issuer", ())),
        )

    def _shake_hands(self) -> bool:
        """Take one step of the handshake. Returns False if the peer must answer before the next
        step."""
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            return False
        except ssl.SSLError as error:
            self._flush_now()  # an alert tells the peer the reason
            raise HandshakeError(_explain(error, self._peer)) from error
        return True

    # ---- From plaintext to records

    def send_now(self, data: bytes) -> int:
        """Encrypt the data, and give the stream below as much as it accepts at once.

        Returns:
            The number of bytes of `data` sent in whole records, perhaps 0. A record that was sent
            only in part waits here and is not counted yet. So the data of the next call must begin
            with the first byte that was not counted.

        Raises:
            ValueError: The data begins with other bytes than it must.
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

    async def wait_writable(self) -> None:
        """Send the ciphertext that waits here. After that, `send_now` can accept bytes."""
        await self._stream.wait_writable()
        await self._flush()

    def _encrypt(self, piece: bytes) -> bytes:
        """Put one record into the outgoing BIO. Returns the plaintext that it holds."""
        try:
            return piece[: self._tls.write(piece)]
        except ssl.SSLError as error:
            if self._closed:
                raise trio.ClosedResourceError("this stream was closed") from error
            reason = _explain(error, self._peer)
            raise trio.BrokenResourceError(f"the connection is broken: {reason}") from error

    def _flush_now(self) -> bool:
        """Give ciphertext to the stream below. Returns whether it has accepted all of it."""
        ciphertext = self._outgoing.read()
        if self._unsent:
            ciphertext = self._unsent + ciphertext
        if not ciphertext:
            return True
        self._unsent = ciphertext  # kept if sending fails
        self._unsent = ciphertext[self._stream.send_now(ciphertext) :]
        return not self._unsent

    async def _flush(self) -> None:
        while not self._flush_now():
            await self._stream.wait_writable()

    # ---- From records to plaintext

    def receive_now(self, max_bytes: int = READ_SIZE) -> bytes | None:
        """Return the plaintext that has arrived: None for nothing, b"" for the end.

        A call that asks for READ_SIZE leaves no plaintext here. After such a call, the stream below
        becomes readable before there is more to return, except for the end (see `ended`).
        """
        if self._closed:
            raise trio.ClosedResourceError("this stream was closed")
        while not self._plaintext:
            if self._broken:
                raise trio.BrokenResourceError(self._broken)
            if self.ended:
                return b""
            ciphertext = self._stream.receive_now(CIPHERTEXT_SIZE)
            if ciphertext is None:
                return None
            self._incoming.write(ciphertext)
            if not ciphertext:
                self.ended = self.truncated = True
            self._decrypt()
        data = self._plaintext[:max_bytes]
        self._plaintext = self._plaintext[max_bytes:]
        return data

    async def wait_readable(self) -> None:
        """Wait until ciphertext has arrived, which may be a part of a record and give no plaintext.

        If plaintext is here already, perhaps because a request came together with the last message
        of the handshake, this returns at once.
        """
        if self._plaintext or self.ended:
            await trio.lowlevel.checkpoint()
        else:
            await self._stream.wait_readable()

    def _decrypt(self) -> None:
        """Decrypt everything that has arrived, because OpenSSL would drop it after our
        close_notify."""
        try:
            while not self.ended and (self._incoming.pending or self._tls.pending()):
                piece = self._tls.read(READ_SIZE)
                self.ended = not piece  # close_notify
                self._plaintext += piece
        except ssl.SSLWantReadError:
            pass  # a part of a record, or one that was not application data
        except ssl.SSLZeroReturnError:
            self.ended = True  # the peer's close_notify, after our own
        except ssl.SSLError as error:
            self.ended = True
            self._broken = f"the connection is broken: {_explain(error, self._peer)}"
        # Reading may produce an answer, such as an alert, or new keys if the peer changed its own.
        if self._outgoing.pending:
            self._flush_now()
            if len(self._unsent) > MAX_UNSENT:
                raise trio.BrokenResourceError(f"{self._peer} asks for answers and does not read")

    # ---- The end

    async def send_eof(self) -> None:
        """End our direction with close_notify and FIN. The other direction stays open."""
        self._send_close_notify()
        await self._flush()
        await self._stream.send_eof()

    async def aclose(self, size: int = LINGER_SIZE) -> None:
        """Send close_notify and FIN, drop what the peer still sends until its FIN, and close."""
        with trio.move_on_after(LINGER_SECONDS, shield=True):
            try:
                self._send_close_notify()
                await self._flush()
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                pass
        self._closed = True
        await self._stream.aclose(size)

    def close(self) -> None:
        """Send close_notify if the stream below accepts it at once, and close."""
        if not self._closed:
            self._closed = True
            self._send_close_notify()
            try:
                self._flush_now()
            except trio.BrokenResourceError:
                pass
            self._stream.close()

    def reset(self) -> None:
        """Close with an RST and without close_notify, so that the peer sees a truncated stream."""
        self._closed = True
        self._stream.reset()

    def fileno(self) -> int:
        return self._stream.fileno()

    def _send_close_notify(self) -> None:
        try:
            self._tls.unwrap()
        except ssl.SSLError:
            pass  # our close_notify is in the outgoing BIO; we do not wait for the peer's


# The usual short names of the parts of a distinguished name (RFC 4514 §3).
SHORT = {
    "commonName": "CN",
    "organizationName": "O",
    "organizationalUnitName": "OU",
    "countryName": "C",
    "stateOrProvinceName": "ST",
    "localityName": "L",
}

# OpenSSL's codes for a bad certificate (x509_vfy.h), and what a person can do about each.
NO_ROOT = "no CA that is trusted here signed it ({}); --ca-file names one of your own"
OTHER_NAME = "it is for another name ({})"
CERTIFICATE_FAULTS = {
    9: "it is not valid yet, or this machine's clock is wrong",
    10: "it has expired, or this machine's clock is wrong",
    **dict.fromkeys((2, 18, 19, 20, 21), NO_ROOT),
    **dict.fromkeys((62, 64), OTHER_NAME),
}


def _name(parts: Any) -> str:
    """Write a distinguished name, as `getpeercert` returns it: CN=example.com, O=…"""
    return ", ".join(f"{SHORT.get(key, key)}={value}" for part in parts for key, value in part)


def _explain(error: ssl.SSLError, peer: str) -> str:
    """Return a reason that a person can act on."""
    if isinstance(error, ssl.SSLCertVerificationError):
        fault = CERTIFICATE_FAULTS.get(error.verify_code, "{}").format(error.verify_message)
        return f"the certificate of {peer} is refused: {fault}"
    reason = (error.reason or str(error)).lower().replace("_", " ")
    return f"TLS with {peer} failed: {reason}"


# What this file does not do: client certificates, session resumption, or revocation lists.
