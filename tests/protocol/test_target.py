"""The target of a request: request-target and Host, by RFC 9112 §3.2 and RFC 3986."""

import contextlib

import pytest

from protocol.errors import DecodeError
from protocol.head import Head, HeadReader
from protocol.target import RequestTarget, path_of, read_host, read_target


def head_of(line: str, *fields: str) -> Head:
    head = HeadReader().receive_data("\r\n".join([line, *fields, "", ""]).encode("latin-1"))
    assert head is not None
    return head


TARGETS = {
    "/": RequestTarget("/", "", "a"),
    "/?": RequestTarget("/", "", "a"),
    "/a?b?c": RequestTarget("/a", "b?c", "a"),
    "/a?%41=%42": RequestTarget("/a", "%41=%42", "a"),
    "/%E4%BD%A0%2f%3F": RequestTarget("/你/?", "", "a"),
    "/%zz%": RequestTarget("/%zz%", "", "a"),
    "/a+b": RequestTarget("/a+b", "", "a"),
    "//evil.example/b": RequestTarget("//evil.example/b", "", "a"),
    "/http://evil.example/b": RequestTarget("/http://evil.example/b", "", "a"),
    "/../a": RequestTarget("/../a", "", "a"),
    "/a#b": RequestTarget("/a#b", "", "a"),
    # absolute-form: its host is used
    "http://evil.example/b?c": RequestTarget("/b", "c", "evil.example"),
    "http://evil.example": RequestTarget("/", "", "evil.example"),
    "http://evil.example?b": RequestTarget("/", "b", "evil.example"),
    "http://evil.example/b#c": RequestTarget("/b#c", "", "evil.example"),
    "http://evil.example#c": RequestTarget("/#c", "", "evil.example"),
    "HTTPS://B:1/b": RequestTarget("/b", "", "b"),
    "http://[0:0::1]:80/b%20c": RequestTarget("/b c", "", "[::1]"),
    "http://b//c": RequestTarget("//c", "", "b"),
}


@pytest.mark.parametrize(("target", "read"), TARGETS.items())
def test_target(target: str, read: RequestTarget) -> None:
    """origin-form and absolute-form, with `Host: a` beside them."""
    assert read_target(head_of(f"GET {target} HTTP/1.1", "Host: a")) == read


def test_asterisk_form() -> None:
    """The server as a whole, for OPTIONS and nothing else (§3.2.4)."""
    assert read_target(head_of("OPTIONS * HTTP/1.1", "Host: a")) == RequestTarget("*", "", "a")


REFUSED = {
    "GET *": (400, "GET *: only OPTIONS is for the server as a whole"),
    "HEAD *": (400, "HEAD *: only OPTIONS is for the server as a whole"),
    "options *": (400, "options *: only OPTIONS is for the server as a whole"),
    "OPTIONS **": (400, "not a request-target for this server: '**'"),
    "OPTIONS *?a": (400, "not a request-target for this server: '*?…'"),
    "GET a": (400, "not a request-target for this server: 'a'"),
    "GET a:443": (400, "not a request-target for this server: 'a:443'"),
    "GET ftp://a/": (400, "not a request-target for this server: 'ftp://a/'"),
    "GET http:/a": (400, "not a request-target for this server: 'http:/a'"),
    "GET http:///b": (400, "a URL without a host: 'http:///b'"),
    "GET http://:80/b": (400, "a URL without a host: 'http://:80/b'"),
    # A user name before the host is a trick of phishing (RFC 9110 §4.2.4).
    "GET http://localhost@evil.example/": (400, "not a host: '…@evil.example'"),
    "GET http://a\\@b/": (400, "not a host: '…@b'"),
    # The message is logged, so it must not hold a password or a part of the query.
    "GET http://a:key@b/?key": (400, "not a host: '…@b'"),
    "GET ftp://a:key@b/?key": (400, "not a request-target for this server: '…@b/?…'"),
    "GET http:///b?key": (400, "a URL without a host: 'http:///b?…'"),
    "CONNECT a:key@b:1": (400, "not a host: '…@b:1'"),
    "GET http://[/": (400, "not a host: '['"),
    "GET http://[zz]/": (400, "not a host: '[zz]'"),
    "GET http://[::1/a": (400, "not a host: '[::1'"),
    "GET http://[1::2::3]/": (400, "not an IPv6 address: '[1::2::3]'"),
    "GET http://a]/": (400, "not a host: 'a]'"),
    "GET /%ff": (400, "the path is not UTF-8 once percent-decoded"),
    "GET /%ed%a0%80": (400, "the path is not UTF-8 once percent-decoded"),
    "GET /%c0%af": (400, "the path is not UTF-8 once percent-decoded"),
    # authority-form (§3.2.3): understood, but not implemented (RFC 9110 §15.6.2)
    "CONNECT a:443": (501, "CONNECT: this server opens no tunnels"),
    "CONNECT [::1]:443": (501, "CONNECT: this server opens no tunnels"),
    "CONNECT a": (400, "CONNECT asks for host:port, not for 'a'"),
    "CONNECT a1": (400, "CONNECT asks for host:port, not for 'a1'"),
    "CONNECT a:": (400, "CONNECT asks for host:port, not for 'a:'"),
    "CONNECT [::1]": (400, "CONNECT asks for host:port, not for '[::1]'"),
    "CONNECT :443": (400, "CONNECT asks for host:port, not for ':443'"),
    "CONNECT /": (400, "not a host: '/'"),
    "CONNECT *": (400, "CONNECT asks for host:port, not for '*'"),
    "CONNECT http://a:1": (400, "not a host: 'http://a:1'"),
    "CONNECT a:65536": (400, "not a host: 'a:65536'"),
}


@pytest.mark.parametrize(("start", "status", "message"), [(k, *v) for k, v in REFUSED.items()])
def test_a_target_that_is_refused(start: str, status: int, message: str) -> None:
    with pytest.raises(DecodeError) as caught:
        read_target(head_of(f"{start} HTTP/1.1", "Host: a"))
    assert (caught.value.error_status_hint, caught.value.reason) == (status, message)


HOSTS = {
    "localhost": "localhost",
    "LocalHost:8000": "localhost",
    "localhost:": "localhost",
    "localhost:00080": "localhost",
    "localhost:65535": "localhost",
    "localhost.": "localhost.",
    "127.0.0.1:80": "127.0.0.1",
    "a_b-c.d~e": "a_b-c.d~e",
    "%6cocalhost": "%6cocalhost",  # differs from every allowed name, so it is refused
    "a!$&'()*+,;=b": "a!$&'()*+,;=b",
    "[::1]": "[::1]",
    "[::1]:8000": "[::1]",
    "[0:0:0:0:0:0:0:1]": "[::1]",
    "[::FFFF:127.0.0.1]": "[::ffff:7f00:1]",
    "[v1.Fe80::a+en1]:1": "[v1.fe80::a+en1]",
    "": "",
    ":80": "",
}


@pytest.mark.parametrize(("said", "host"), HOSTS.items())
def test_host(said: str, host: str) -> None:
    """Host = uri-host [ ":" port ] (RFC 9110 §7.2); an empty Host is legal, too."""
    assert read_host(said) == host
    assert read_target(head_of("GET / HTTP/1.1", f"Host: {said}")).host == host


BAD_HOSTS = [
    *("a b", "a\tb", "user@h", "@h", "[::1", "::1", "[]", "[::1]x", "[::1%25eth0]", "[g::]", "[:]"),
    *("<x>", "a/b", "/", "a?b", "a#b", "a\\b", 'a"b', "a{b", "a|b", "a^b", "a`b", "%", "%4", "%zz"),
    *("a:b", "a:-1", "a:+1", "a:1 ", "a:80:80", "a:65536", "a:99999999999", "a:1_0", "http://a"),
    *("é", "a,b c", "[v.a]", "[vg.a]", "[v1]", "a:８０", "localhost, evil.example"),
]  # fmt: skip


@pytest.mark.parametrize("said", BAD_HOSTS)
def test_not_a_host(said: str) -> None:
    with pytest.raises(DecodeError) as caught:
        read_host(said)
    assert caught.value.error_status_hint == 400
    for target in ("/", "http://localhost/"):  # rule 1: also if the target names the host
        if said == said.strip() and said.isascii():
            with pytest.raises(DecodeError) as caught:
                read_target(head_of(f"GET {target} HTTP/1.1", f"Host: {said}"))
            assert caught.value.error_status_hint == 400


def test_the_number_of_hosts() -> None:
    """Once in HTTP/1.1, at most once in HTTP/1.0 (RFC 9112 §3.2)."""
    missing = "no Host, which HTTP/1.1 requires: Host: localhost"
    for target in ("/", "http://a/"):
        with pytest.raises(DecodeError) as caught:
            read_target(head_of(f"GET {target} HTTP/1.1"))
        assert caught.value.reason == missing
    assert read_target(head_of("GET / HTTP/1.0")).host == ""
    assert read_target(head_of("GET http://a/ HTTP/1.0")).host == "a"
    for version in ("1.0", "1.1"):
        for second in ("a", "b", ""):
            with pytest.raises(DecodeError) as caught:
                read_target(head_of(f"GET / HTTP/{version}", "Host: a", f"HOST: {second}"))
            assert caught.value.reason == "more than one Host"


PATHS = {
    b"": "",
    b"GET": "",
    b"GET ": "",
    b"GET /v1/x?y HTTP/1.1": "/v1/x",
    b"GET /v1/%78": "/v1/x",
    b"POST http://[/v1/x HTTP/9.9": "/v1/x",
    b"GET /v1/\xff a b": "/v1/\xff",
    b"OPTIONS * HTTP/1.1": "*",
}


@pytest.mark.parametrize(("line", "path"), PATHS.items())
def test_the_path_of_a_bad_request(line: bytes, path: str) -> None:
    assert path_of(line) == path


@pytest.mark.parametrize("rest", [b"", b"Host: a\r\n", b"Host: a\r\n\r\n", b"bad\r\n\r\n", b"\0"])
def test_an_unfinished_start_line(rest: bytes) -> None:
    """The reply to a bad or incomplete head needs it; it has a limit, too."""
    reader = HeadReader(max_start_line_size=14)
    assert reader.start_line == b""
    reader.receive_data(b"\r\nGET /")
    assert reader.start_line == b"GET /"
    with contextlib.suppress(DecodeError):
        reader.receive_data(b" HTTP/1.1\r\n" + rest)
    assert reader.start_line == b"GET / HTTP/1.1"
    reader = HeadReader(max_start_line_size=3)
    with pytest.raises(DecodeError):
        reader.receive_data(b"GET / HTTP/1.1")
    assert reader.start_line == b"GET"
