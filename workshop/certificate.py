"""A certificate for localhost, made on the spot: for lesson 10, on any machine that has Python.

    certificate, key = make(folder)        two PEM files, for curl's --cacert and for a server

The key is new each time and forgotten with its folder, so there is none to keep secret. It is made
with arithmetic anybody can read, on the curve P-256: ten lines. Do not use it where somebody could
measure how long that takes. The rest is DER: each thing is its tag, its length and its bytes.

    Certificate  ::=  SEQUENCE  { tbsCertificate, signatureAlgorithm, signature BIT STRING }
                                                                            (RFC 5280 §4.1)
"""

import base64
import hashlib
import os
import secrets
import textwrap
from datetime import UTC, datetime, timedelta
from pathlib import Path

__all__ = ["make"]

VALID = timedelta(days=30)

# ---- The curve P-256 (SEC 2 §2.4.2): y² = x³ - 3x + b modulo P; G generates a group of N points.

P = 2**256 - 2**224 + 2**192 + 2**96 - 1
N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
G = (
    0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
    0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
)
Point = tuple[int, int]


def _add(one: Point, other: Point) -> Point:
    """The third point on the line through two, mirrored; the tangent, if they are the same."""
    (x1, y1), (x2, y2) = one, other
    if one == other:
        slope = (3 * x1 * x1 - 3) * pow(2 * y1, -1, P)
    else:
        slope = (y2 - y1) * pow(x2 - x1, -1, P)
    x = (slope * slope - x1 - x2) % P
    return x, (slope * (x1 - x) - y1) % P


def _times(number: int) -> Point:
    """G added to itself so many times: bit by bit, doubling."""
    result, power = None, G
    while number:
        if number & 1:
            result = _add(result, power) if result else power
        power, number = _add(power, power), number >> 1
    assert result is not None
    return result


def _sign(key: int, data: bytes) -> bytes:
    """ECDSA with SHA-256 (RFC 6979 §2.4), with a random k."""
    k = secrets.randbelow(N - 1) + 1
    r = _times(k)[0] % N
    s = pow(k, -1, N) * (int.from_bytes(hashlib.sha256(data).digest()) + r * key) % N
    return _sequence(_integer(r), _integer(s))


# ---- DER (X.690): tag, length, bytes


def _der(tag: int, *parts: bytes) -> bytes:
    data = b"".join(parts)
    if len(data) < 128:
        return bytes([tag, len(data)]) + data
    length = len(data).to_bytes((len(data).bit_length() + 7) // 8)
    return bytes([tag, 128 + len(length)]) + length + data


def _sequence(*parts: bytes) -> bytes:
    return _der(0x30, *parts)


def _integer(number: int) -> bytes:
    return _der(0x02, number.to_bytes(number.bit_length() // 8 + 1))


def _bits(data: bytes, unused: int = 0) -> bytes:
    return _der(0x03, bytes([unused]), data)


def _octets(data: bytes) -> bytes:
    return _der(0x04, data)


def _oid(digits: str) -> bytes:
    return _der(0x06, bytes.fromhex(digits))


EC_PUBLIC_KEY = _oid("2a8648ce3d0201")
PRIME256V1 = _oid("2a8648ce3d030107")
ECDSA_WITH_SHA256 = _sequence(_oid("2a8648ce3d040302"))
TRUE = _der(0x01, b"\xff")

# ---- The certificate


def _certificate(key: int, public: bytes, now: datetime) -> bytes:
    name = _sequence(_der(0x31, _sequence(_oid("550403"), _der(0x0C, b"lesson 10"))))
    times = (now - timedelta(days=1), now + VALID)  # yesterday: other clocks may be late
    valid = _sequence(*(_der(0x17, f"{time:%y%m%d%H%M%SZ}".encode()) for time in times))
    identifier = hashlib.sha1(public, usedforsecurity=False).digest()
    loopback = bytes([127, 0, 0, 1]), bytes([0] * 15 + [1])
    names = _der(0x82, b"localhost"), *(_der(0x87, address) for address in loopback)
    extensions = _sequence(
        _sequence(_oid("551d13"), TRUE, _octets(_sequence(TRUE))),  # basicConstraints: a CA
        _sequence(_oid("551d0f"), TRUE, _octets(_bits(b"\x84", 2))),  # keyUsage: sign, certify
        _sequence(_oid("551d11"), _octets(_sequence(*names))),  # subjectAltName
        _sequence(_oid("551d0e"), _octets(_octets(identifier))),  # subjectKeyIdentifier
        _sequence(_oid("551d23"), _octets(_sequence(_der(0x80, identifier)))),  # …of the issuer
    )
    signed = _sequence(
        _der(0xA0, _integer(2)),  # version 3
        _integer(secrets.randbits(64) + 1),
        ECDSA_WITH_SHA256,
        name,  # the issuer: itself
        valid,
        name,
        _sequence(_sequence(EC_PUBLIC_KEY, PRIME256V1), _bits(public)),
        _der(0xA3, extensions),
    )
    return _sequence(signed, ECDSA_WITH_SHA256, _bits(_sign(key, signed)))


def _pem(label: str, data: bytes) -> str:
    lines = textwrap.wrap(base64.b64encode(data).decode(), 64)  # RFC 7468 §2
    return "\n".join([f"-----BEGIN {label}-----", *lines, f"-----END {label}-----", ""])


def make(folder: Path) -> tuple[Path, Path]:
    """Write a certificate for localhost, 127.0.0.1 and ::1, and its key.

    Args:
        folder: where to; only its owner may read the key.

    Returns:
        The files of the certificate, which signs itself, and of the key (RFC 5915).
    """
    key = secrets.randbelow(N - 1) + 1
    x, y = _times(key)
    public = b"\x04" + x.to_bytes(32) + y.to_bytes(32)
    certificate_file, key_file = folder / "certificate.pem", folder / "key.pem"
    certificate = _certificate(key, public, datetime.now(UTC))
    certificate_file.write_text(_pem("CERTIFICATE", certificate), encoding="ascii")
    curve, point = _der(0xA0, PRIME256V1), _der(0xA1, _bits(public))
    private = _sequence(_integer(1), _octets(key.to_bytes(32)), curve, point)
    with open(key_file, "w", encoding="ascii", opener=_for_the_owner) as file:
        file.write(_pem("EC PRIVATE KEY", private))
    return certificate_file, key_file


def _for_the_owner(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
