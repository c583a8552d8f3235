"""Requests that only attackers send, and the status each must get: a table for test_hostile.py.

    (name, the bytes, the statuses of the responses, a FIN after the bytes)

If two hops read one of these differently, an attacker can smuggle a request past the first hop
(request smuggling, RFC 9112 §11.2). So a server refuses all of them, and closes.
"""

from dataclasses import dataclass, field

__all__ = ["ATTACKS", "MAX_BODY", "Attack"]

MAX_BODY = 1000


@dataclass(frozen=True)
class Attack:
    """One row.

    Args:
        sent: The raw bytes of the request.
        statuses: Statuses of the responses, in order. It is empty if there must be no response.
        fin: Whether the server can refuse the request only after the FIN.
    """

    name: str
    sent: bytes = field(repr=False)
    statuses: tuple[int, ...]
    fin: bool = False


GET = b"GET / HTTP/1.1\r\nHost: a\r\n"
POST = b"POST /echo HTTP/1.1\r\nHost: a\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
NEXT = b"GET / HTTP/1.1\r\nHost: smuggled\r\n\r\n"
CLOSE = b"Connection: close\r\n"


def _refused(status: int, rows: dict[str, bytes], *, fin: bool = False) -> list[Attack]:
    return [Attack(name, sent, (status,), fin) for name, sent in rows.items()]


# "A sender MUST NOT send a Content-Length header field in any message that contains a
# Transfer-Encoding header field" (RFC 9112 §6.2), and how the last coding may be written.
SMUGGLING = {
    "CL.TE": POST
    + b"Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n"
    + b"0\r\n\r\nG",
    "TE.CL": POST
    + b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n"
    + b"%x\r\n%b\r\n0\r\n\r\n" % (len(NEXT), NEXT),
    "TE.TE, the second unknown": POST
    + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n0\r\n\r\n",
    "TE.TE, chunked twice": POST
    + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "TE.TE, identity last": POST + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "TE: xchunked": POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "TE: gzip": POST + b"Transfer-Encoding: gzip\r\n\r\n" + NEXT,
    "TE: identity": POST + b"Transfer-Encoding: identity\r\n\r\n" + NEXT,
    "TE: empty": POST + b"Transfer-Encoding: \r\n\r\n" + NEXT,
    "TE: a comma": POST + b"Transfer-Encoding: ,chunked\r\n\r\n0\r\n\r\n",
    "TE: a parameter": POST + b"Transfer-Encoding: chunked;q=1\r\n\r\n0\r\n\r\n",
    "TE: quoted": POST + b'Transfer-Encoding: "chunked"\r\n\r\n0\r\n\r\n',
    "TE: VT before chunked": POST + b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
    "TE: NBSP before chunked": POST + b"Transfer-Encoding: \xa0chunked\r\n\r\n0\r\n\r\n",
    "TE: space before the colon": POST + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    "TE: folded": POST + b"Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n",
    "TE: after a bare LF": POST + b"X: y\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "TE: after a bare CR": POST + b"X: y\rTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "TE in HTTP/1.0": b"POST /echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "TE on GET, with CL": GET + b"Transfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n",
}

# Content-Length = 1*DIGIT (RFC 9110 §8.6), and one of them.
LENGTHS = {
    "CL twice, equal": POST + b"Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
    "CL twice, different": POST + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
    "CL: a list": POST + b"Content-Length: 3, 3\r\n\r\nabc",
    "CL: empty": POST + b"Content-Length: \r\n\r\n",
    "CL: negative": POST + b"Content-Length: -1\r\n\r\n",
    "CL: a plus": POST + b"Content-Length: +3\r\n\r\nabc",
    "CL: hex": POST + b"Content-Length: 0x3\r\n\r\nabc",
    "CL: an underscore": POST + b"Content-Length: 1_0\r\n\r\n0123456789",
    "CL: a fraction": POST + b"Content-Length: 3.0\r\n\r\nabc",
    "CL: a space inside": POST + b"Content-Length: 3 3\r\n\r\nabc",
    "CL: another alphabet's digit": POST + "Content-Length: ３\r\n\r\nabc".encode(),
    "CL: thirty digits": POST + b"Content-Length: " + b"9" * 30 + b"\r\n\r\n",
    "CL: five thousand digits": POST + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n",
    "CL: space before the colon": POST + b"Content-Length : 3\r\n\r\nabc",
}

# chunk = chunk-size [ chunk-ext ] CRLF chunk-data CRLF (RFC 9112 §7.1)
CHUNKS = {
    "chunk-size: not hex": CHUNKED + b"Z\r\n",
    "chunk-size: negative": CHUNKED + b"-1\r\n",
    "chunk-size: 0x": CHUNKED + b"0x3\r\nabc\r\n",
    "chunk-size: an underscore": CHUNKED + b"1_0\r\n",
    "chunk-size: empty": CHUNKED + b"\r\n",
    "chunk-size: space before": CHUNKED + b" 3\r\nabc\r\n",
    "chunk-size: space after": CHUNKED + b"3 \r\nabc\r\n",
    "chunk-size: bare LF": CHUNKED + b"3\nabc\r\n",
    "chunk-size: bare CR": CHUNKED + b"3\rabc\r\n",
    "chunk-ext: bare LF in it": CHUNKED + b"3;a\nb\r\nabc\r\n",
    "chunk-ext: no end": CHUNKED + b"3;" + b"a" * 40_000,
    "chunk-data: longer than its size": CHUNKED + b"3\r\nabcd\r\n0\r\n\r\n",
    "chunk-data: no CRLF after it": CHUNKED + b"3\r\nabc0\r\n\r\n",
    "chunk-data: LF after it": CHUNKED + b"3\r\nabc\n0\r\n\r\n",
    "trailer: space in its name": CHUNKED + b"0\r\nA B: c\r\n\r\n",
    "trailer: no name": CHUNKED + b"0\r\n: c\r\n\r\n",
    "trailer: folded": CHUNKED + b"0\r\nA: b\r\n c\r\n\r\n",
    "trailer: bare LF": CHUNKED + b"0\r\nA: b\n\r\n",
    "trailer: NUL": CHUNKED + b"0\r\nA: \0\r\n\r\n",
    "trailer: no colon": CHUNKED + b"0\r\nGET / HTTP/1.1\r\n\r\n",
    "trailers without end": CHUNKED + b"0\r\n" + b"A: b\r\n" * 6000,
}

# "Incomplete messages" (RFC 9112 §8): the message ends before its announced length.
CUT_OFF = {
    "head truncated": GET,
    "request-line truncated": b"GET / HT",
    "half of the last CRLF": GET + b"\r",
    "body shorter than its length": POST + b"Content-Length: 10\r\n\r\nabc",
    "no body at all": POST + b"Content-Length: 10\r\n\r\n",
    "chunk truncated": CHUNKED + b"5\r\nab",
    "chunk-size truncated": CHUNKED + b"5",
    "no last chunk": CHUNKED + b"3\r\nabc\r\n",
    "no CRLF after the last chunk": CHUNKED + b"3\r\nabc\r\n0\r\n",
    "trailers truncated": CHUNKED + b"0\r\nA: b\r\n",
}

# field-line = field-name ":" OWS field-value OWS (RFC 9112 §5)
FIELDS = {
    "folded": GET + b"X: a\r\n b\r\n\r\n",
    "folded with a tab": GET + b"X: a\r\n\tb\r\n\r\n",
    "space before the first field": b"GET / HTTP/1.1\r\n Host: a\r\n\r\n",
    "space before the colon": b"GET / HTTP/1.1\r\nHost : a\r\n\r\n",
    "tab before the colon": b"GET / HTTP/1.1\r\nHost\t: a\r\n\r\n",
    "no colon": GET + b"X\r\n\r\n",
    "no name": GET + b": x\r\n\r\n",
    "a name with a space": GET + b"X Y: z\r\n\r\n",
    "a name that is not ASCII": GET + "é: x\r\n\r\n".encode(),
    "NUL in a value": GET + b"X: a\0b\r\n\r\n",
    "DEL in a value": GET + b"X: a\x7fb\r\n\r\n",
    "ESC in a value": GET + b"X: \x1b[2J\r\n\r\n",
    "bare LF": b"GET / HTTP/1.1\nHost: a\n\n",
    "bare LF at the end": GET + b"\n",
    "bare LF in a field": GET + b"X: a\nY: b\r\n\r\n",
    "bare CR in a field": GET + b"X: a\rY: b\r\n\r\n",
    "bare CR for line ends": b"GET / HTTP/1.1\rHost: a\r\r",
    "CR CR LF": GET + b"X: a\r\r\n\r\n",
    "no Host": b"GET / HTTP/1.1\r\n\r\n",
    "two Hosts": GET + b"Host: b\r\n\r\n",
}

# request-line = method SP request-target SP HTTP-version (RFC 9112 §3)
LINES = {
    "HTTP/0.9": b"GET /\r\n\r\n",
    "lower-case http": b"GET / http/1.1\r\nHost: a\r\n\r\n",
    "HTTP/1": b"GET / HTTP/1\r\nHost: a\r\n\r\n",
    "HTTP/1.10": b"GET / HTTP/1.10\r\nHost: a\r\n\r\n",
    "HTTP/01.1": b"GET / HTTP/01.1\r\nHost: a\r\n\r\n",
    "HTTPS/1.1": b"GET / HTTPS/1.1\r\nHost: a\r\n\r\n",
    "space after the version": b"GET / HTTP/1.1 \r\nHost: a\r\n\r\n",
    "space before the method": b" GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "two spaces": b"GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
    "tabs": b"GET\t/\tHTTP/1.1\r\nHost: a\r\n\r\n",
    "no target": b"GET HTTP/1.1\r\nHost: a\r\n\r\n",
    "space in the target": b"GET /a b HTTP/1.1\r\nHost: a\r\n\r\n",
    "a method that is not a token": b"G(T / HTTP/1.1\r\nHost: a\r\n\r\n",
    "BOM": b"\xef\xbb\xbfGET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "UTF-8 in the target": "GET /你 HTTP/1.1\r\nHost: a\r\n\r\n".encode(),
    "not UTF-8 once decoded": b"GET /%ff HTTP/1.1\r\nHost: a\r\n\r\n",
    "a target without slash": b"GET x HTTP/1.1\r\nHost: a\r\n\r\n",
    "authority-form of GET": b"GET a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n",
    "CONNECT without a port": b"CONNECT a HTTP/1.1\r\nHost: a\r\n\r\n",
    "asterisk-form of GET": b"GET * HTTP/1.1\r\nHost: a\r\n\r\n",
    "absolute-form with a user": b"GET http://a@b/ HTTP/1.1\r\nHost: a\r\n\r\n",
    "a Host with a space": b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
    "a Host with a user": b"GET / HTTP/1.1\r\nHost: user@a\r\n\r\n",
    "half an IPv6 Host": b"GET / HTTP/1.1\r\nHost: [::1\r\n\r\n",
    "a Host of markup": b"GET / HTTP/1.1\r\nHost: <x>\r\n\r\n",
    "a bad Host that does not decide": b"GET http://a/ HTTP/1.1\r\nHost: <x>\r\n\r\n",
    "another scheme": b"GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n",
    "a response": b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    "two empty lines first": b"\r\n\r\n" + GET + b"\r\n",
    "NULs": b"\0" * 100,
    "TLS hello": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "noise": bytes(range(256)),
    "SOCKS 5": b"\x05\x01\x00",
}

# The first bytes of other protocols. They do not end a head, so the server refuses them at the FIN.
STRANGERS = {
    "SMTP": b"EHLO a\r\n",
    "SSH": b"SSH-2.0-OpenSSH_9.2\r\n",
    "Redis": b"*1\r\n$4\r\nPING\r\n",
    "high bytes": b"\xff" * 100,
}

START_LINES = {
    "start-line, 16 KiB and a byte": b"GET /" + b"a" * (16 * 1024 - 13) + b" HTTP/1.1\r\n",
    "start-line without end": b"GET /" + b"a" * 20_000,
    "method without end": b"A" * 20_000,
}

HEADS = {
    "a field over 64 KiB": GET + b"X: " + b"a" * (65 << 10),
    "fields over 64 KiB": GET + (b"X: " + b"a" * 1000 + b"\r\n") * 70,
    "101 fields": GET + b"X: a\r\n" * 100 + b"\r\n",
}

OTHERS = [
    Attack("nothing", b"", (), fin=True),
    Attack("one empty line", b"\r\n", (), fin=True),
    Attack("HTTP/2 preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", (505,)),
    Attack("HTTP/3.0", b"GET / HTTP/3.0\r\nHost: a\r\n\r\n", (505,)),
    Attack("HTTP/0.9 spelled out", b"GET / HTTP/0.9\r\n\r\n", (505,)),
    Attack("TE: gzip, chunked", POST
           + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", (501,)),
    Attack("CL: over the limit", POST + b"Content-Length: 1001\r\n\r\n", (413,)),
    Attack("CL: eighteen digits", POST + b"Content-Length: " + b"9" * 18 + b"\r\n\r\n", (413,)),
    Attack("chunks over the limit", CHUNKED + b"12c\r\n" + b"x" * 300 + b"\r\n" +
           (b"12c\r\n" + b"x" * 300 + b"\r\n") * 3, (413,)),
    Attack("a chunk over the limit", CHUNKED + b"7d0\r\n" + b"x" * 1001, (413,)),
    Attack("a good one first", GET + b"\r\n" + b"GET / HTTP/1.1\r\nHost : a\r\n\r\n", (200, 400)),
    Attack("nothing after close", GET + CLOSE + b"\r\n" + NEXT, (200,)),
    Attack("a body nobody reads", b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n"
           % len(NEXT) + NEXT, (404,)),
    Attack("absolute-form", b"GET http://a/ HTTP/1.1\r\nHost: a\r\n" + CLOSE + b"\r\n", (200,)),
    Attack("asterisk-form", b"OPTIONS * HTTP/1.1\r\nHost: a\r\n" + CLOSE + b"\r\n", (204,)),
    Attack("authority-form", b"CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n", (501,)),
    Attack("lower-case method", b"get / HTTP/1.1\r\nHost: a\r\n" + CLOSE + b"\r\n", (405,)),
    Attack("upgrade", GET + b"Upgrade: h2c\r\nConnection: Upgrade, close\r\n\r\n", (200,)),
    Attack("many dots", b"GET /../../etc/passwd HTTP/1.1\r\nHost: a\r\n" + CLOSE + b"\r\n", (404,)),
    Attack("TE: CHUNKED, and a trailer that lies", POST
           + b"Transfer-Encoding: CHUNKED\r\n" + CLOSE + b"\r\n"
           + b"0\r\nContent-Length: 9\r\n\r\n", (200,)),
]  # fmt: skip

ATTACKS = [
    *_refused(400, SMUGGLING),
    *_refused(400, LENGTHS),
    *_refused(400, CHUNKS),
    *_refused(400, FIELDS),
    *_refused(400, LINES),
    *_refused(400, CUT_OFF, fin=True),
    *_refused(400, STRANGERS, fin=True),
    *_refused(414, START_LINES),
    *_refused(431, HEADS),
    *OTHERS,
]
