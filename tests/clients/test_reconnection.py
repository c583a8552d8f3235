"""What a client that reconnects decides: the answer to each response, and the next request."""

import math

import pytest

from clients.reconnection import EventSourceError, ReadyState, Reconnection

URL = "https://a.example/news"
STREAM = "text/event-stream"
SECRET = (("Authorization", "Bearer canary"), ("X-Api-Key", "canary"), ("User-Agent", "me"))


def deciding(**arguments: object) -> Reconnection:
    return Reconnection(URL, **{"jitter": 0.0, **arguments})  # type: ignore[arg-type]


def test_the_first_request() -> None:
    ours = (("Accept", "text/event-stream"), ("Cache-Control", "no-cache"))
    assert deciding().next_request() == ("GET", URL, ours, b"")


def test_a_header_of_the_caller_replaces_ours() -> None:
    headers = (("accept", "text/event-stream, */*"), ("X-Mine", "1"))
    sent = deciding(headers=headers).next_request()[2]
    assert sent == (("Cache-Control", "no-cache"), *headers)


@pytest.mark.parametrize(
    "kind",
    ["text/event-stream", "Text/Event-Stream; charset=windows-1251", "text/event-stream ;x=y"],
)
def test_an_event_stream_opens(kind: str) -> None:
    decides = deciding()
    assert decides.receive_head(200, None, kind)
    assert decides.state is ReadyState.OPEN


@pytest.mark.parametrize(
    ("status", "kind", "message"),
    [
        (200, None, "not an event stream: no content type"),
        (200, "text/plain", "not an event stream: text/plain"),
        (200, "text/event-streams", "not an event stream: text/event-streams"),
        (201, STREAM, "the server answered with status 201"),
        (205, STREAM, "the server answered with status 205"),
        (304, STREAM, "the server answered with status 304"),
        (401, STREAM, "the server answered with status 401"),
        (429, STREAM, "the server answered with status 429"),
        (500, STREAM, "the server answered with status 500"),
        (503, STREAM, "the server answered with status 503"),
    ],
)
def test_any_other_answer_ends_it_for_good(status: int, kind: str | None, message: str) -> None:
    decides = deciding()
    with pytest.raises(EventSourceError) as caught:
        decides.receive_head(status, None, kind)
    assert (str(caught.value), caught.value.status) == (message, status)
    assert decides.state is ReadyState.CLOSED


def test_204_ends_it_without_an_error() -> None:
    decides = deciding()
    assert not decides.receive_head(204, None, None)
    assert decides.state is ReadyState.CLOSED


@pytest.mark.parametrize(
    ("status", "method", "next_method"),
    [
        (301, "GET", "GET"),
        (301, "POST", "GET"),
        (302, "POST", "GET"),
        (302, "REPORT", "REPORT"),
        (303, "POST", "GET"),
        (303, "REPORT", "GET"),
        (307, "POST", "POST"),
        (308, "POST", "POST"),
        (308, "REPORT", "REPORT"),
    ],
)
def test_a_redirect_is_followed(status: int, method: str, next_method: str) -> None:
    """A request that becomes a GET has no body, and no type of it."""
    headers = (("Content-Type", "application/json"),)
    decides = deciding(method=method, headers=headers, body=b"{}")
    assert not decides.receive_head(status, "../other?x=1", None)
    assert decides.state is ReadyState.CONNECTING
    sent_method, url, sent, body = decides.next_request()
    assert (sent_method, url) == (next_method, "https://a.example/other?x=1")
    assert (headers[0] in sent, body) == ((True, b"{}") if next_method == method else (False, b""))


@pytest.mark.parametrize(
    ("location", "message"),
    [
        (None, "a redirect without a Location"),
        ("", "a redirect without a Location"),
        ("http://a.example/news", "a redirect from https:// to http://"),
        ("ftp://a.example/", "a redirect to not an http:// or https:// URL: 'ftp://a.example/'"),
        (
            "https://a.example:x/",
            "a redirect to not an http:// or https:// URL: 'https://a.example:x/'",
        ),
    ],
)
def test_a_redirect_that_leads_nowhere(location: str | None, message: str) -> None:
    decides = deciding()
    with pytest.raises(EventSourceError) as caught:
        decides.receive_head(302, location, None)
    assert str(caught.value) == message
    assert decides.state is ReadyState.CLOSED


def test_a_loop_of_redirects_ends() -> None:
    decides = deciding()
    for _ in range(20):
        decides.receive_head(302, "/news", None)
    with pytest.raises(EventSourceError, match="more than 20 redirects"):
        decides.receive_head(302, "/news", None)


@pytest.mark.parametrize(
    "location",
    ["https://b.example/", "https://a.example:444/", "https://a.example.b.example/"],
)
def test_no_credential_goes_to_another_origin(location: str) -> None:
    """Nor does it after a permanent redirect, and after a break."""
    decides = deciding(headers=SECRET)
    assert all(field in decides.next_request()[2] for field in SECRET)
    decides.receive_head(308, location, None)
    for _ in range(2):
        _, url, sent, _ = decides.next_request()
        assert url == location
        assert "canary" not in str(sent)
        assert ("User-Agent", "me") in sent
        decides.receive_break("")


def test_a_credential_comes_back_with_the_origin() -> None:
    decides = deciding(headers=SECRET)
    decides.receive_head(307, "https://b.example/", None)
    decides.receive_head(307, URL, None)
    assert all(field in decides.next_request()[2] for field in SECRET)


@pytest.mark.parametrize(
    ("statuses", "path"),
    [
        ([301], "/1"),
        ([308, 301], "/2"),
        ([302], "/news"),
        ([307], "/news"),
        ([303], "/news"),
        ([301, 302], "/1"),
        ([302, 301], "/news"),
    ],
)
def test_only_a_permanent_redirect_is_remembered(statuses: list[int], path: str) -> None:
    decides = deciding()
    for number, status in enumerate(statuses, 1):
        decides.receive_head(status, f"/{number}", None)
    decides.receive_head(200, None, STREAM)
    decides.receive_break("")
    assert decides.next_request()[1] == f"https://a.example{path}"


@pytest.mark.parametrize(
    ("id", "sent"),
    [
        ("7", "7"),
        ("", None),
        ("  ", None),
        (" a b ", "a b"),
        ("豆腐", "豆腐".encode().decode("latin-1")),
    ],
)
def test_the_last_event_id(id: str, sent: str | None) -> None:
    headers = dict(deciding(last_event_id=id).next_request()[2])
    assert headers.get("Last-Event-ID") == sent


@pytest.mark.parametrize("id", ["a\vb", "a\fb", "a\nb", "a\rb", "a\0b", "a\ud800"])
def test_an_id_that_no_header_may_contain(id: str) -> None:
    with pytest.raises(EventSourceError, match="no header may contain"):
        deciding(last_event_id=id).next_request()


def test_waits_grow_while_nothing_opens() -> None:
    decides = deciding(seconds=1.0, max_seconds=10.0)
    assert [decides.receive_break("refused") for _ in range(6)] == [1, 2, 4, 8, 10, 10]
    decides.receive_head(200, None, STREAM)
    assert [decides.receive_break("cut") for _ in range(3)] == [1, 1, 2]
    assert decides.error == "cut"


def test_what_the_server_asks_for_is_a_lower_bound() -> None:
    decides = deciding(seconds=100.0, max_seconds=10.0)
    assert [decides.receive_break("") for _ in range(3)] == [100, 100, 100]


def test_waits_stay_finite() -> None:
    decides = deciding(seconds=1.0, max_seconds=1e300, backoff=1e6)
    assert all(math.isfinite(decides.receive_break("")) for _ in range(100))


def test_jitter_only_adds() -> None:
    chances = iter([0.0, 0.5])
    decides = deciding(seconds=2.0, backoff=1.0, jitter=0.1, random=lambda: next(chances))
    assert [decides.receive_break("") for _ in range(2)] == [2.0, 2.1]


@pytest.mark.parametrize("location", ["http://[bad", "//[", "http://[::g]/"])
def test_a_redirect_to_half_an_address_ends_it(location: str) -> None:
    decides = deciding()
    with pytest.raises(EventSourceError, match="a redirect to not an http:// or https"):
        decides.receive_head(302, location, None)
    assert decides.state is ReadyState.CLOSED


def test_a_server_that_says_retry_0_and_vanishes_is_not_asked_in_a_hurry() -> None:
    decides = deciding()
    decides.seconds = 0.0
    decides.receive_head(200, None, STREAM)
    waits = [decides.receive_break("the server ended the response")]
    waits += [decides.receive_break("refused") for _ in range(12)]
    assert waits[:6] == [0.0, 0.0, 0.2, 0.4, 0.8, 1.6]
    assert waits[-1] == 60.0
