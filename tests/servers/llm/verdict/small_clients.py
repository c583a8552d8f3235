"""A small client that does everything right, and many that each do one thing wrong.

    Careful(port, "name").ask("Hi", fault="503*1")        the text of the answer, or Incomplete

Each bad client overrides one method of the careful one, or one of its numbers. They use nothing but
the standard library: an HTTP connection that gives one read at a time.
"""

import codecs
import json
import socket
import time
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPException, HTTPResponse
from typing import Any

__all__ = ["BAD", "Careful", "Incomplete"]

PROMPT = "你好, what is a chunk?"


class Incomplete(Exception):
    """The answer did not arrive, or not all of it."""


class Careful:
    """A client without a mistake.

    Args:
        port: Port of the simulated LLM.
        name: The name that it sends in X-Client.
    """

    model = "sim-1"
    attempts = 3
    read_timeout: float | None = 0.6
    token_timeout = 1.5

    def __init__(self, port: int, name: str) -> None:
        self.port = port
        self.name = name
        self.text = ""
        self.connection = self.connect()

    # ---- The connection

    def connect(self) -> HTTPConnection:
        return HTTPConnection("127.0.0.1", self.port, timeout=self.read_timeout)

    def give_up(self) -> None:
        """Close the connection, because the rest of the answer is not wanted."""
        self.connection.close()

    def finish(self) -> None:
        """Called when an answer is complete."""

    def tell(self, **saw: object) -> None:
        """Tell the server what only the client knows."""
        with_verdict = HTTPConnection("127.0.0.1", self.port, timeout=10)
        with_verdict.request("POST", f"/verdict/{self.name}/saw", json.dumps(saw))
        assert with_verdict.getresponse().status == 204
        with_verdict.close()

    # ---- Attempts

    def ask(self, prompt: str = PROMPT, fault: str = "", stream: bool = True) -> str:
        wait = 0.0
        for attempt in range(self.attempts):
            time.sleep(wait)
            wait = self.backoff(attempt)
            self.text = ""
            try:
                response = self.send(prompt, fault, stream)
            except (OSError, HTTPException):  # no reply: nothing has been shown yet
                self.give_up()
                self.connection = self.connect()
                continue
            if response.status >= 400:
                response.read()
                if not self.is_retryable(response.status):
                    raise Incomplete(response.status)
                after = response.headers.get("Retry-After")
                wait = self.wait_as_told(float(after)) if after else wait
                continue
            if self.read(response, stream):
                return self.text
        raise Incomplete("no attempt succeeded")

    def send(self, prompt: str, fault: str, stream: bool) -> HTTPResponse:
        body = {"model": self.model, "messages": [{"role": "user", "content": prompt}]}
        headers = {"X-Client": self.name} | ({"X-Fault": fault} if fault else {})
        sent = json.dumps(body | {"stream": stream})
        self.connection.request("POST", "/v1/chat/completions", sent, headers)
        return self.connection.getresponse()

    def is_retryable(self, status: int) -> bool:
        return status in (408, 409, 429) or status >= 500

    def wait_as_told(self, seconds: float) -> float:
        return seconds

    def backoff(self, attempt: int) -> float:
        return 0.1 * 2.5**attempt

    # ---- One answer

    def read(self, response: HTTPResponse, stream: bool) -> bool:
        """Read an answer. Returns whether to stop asking; raises Incomplete if it is not whole."""
        try:
            if stream:
                self.read_stream(response)
            else:
                self.text = json.loads(response.read())["choices"][0]["message"]["content"]
        except (OSError, HTTPException, ValueError, LookupError, TypeError, Incomplete) as error:
            self.give_up()
            return self.failed(error)
        self.finish()
        return True

    def failed(self, error: Exception) -> bool:
        """The answer broke off."""
        raise Incomplete(str(error)) from error

    def read_stream(self, response: HTTPResponse) -> None:
        self.finished = self.done = False
        for data in self.events(response):
            if data == "[DONE]":
                self.done = True
                break
            if self.take(data):
                self.deadline = time.monotonic() + self.token_timeout
        self.end(response)

    def end(self, response: HTTPResponse) -> None:
        """The events have ended."""
        if not self.finished:
            raise Incomplete("no finish_reason")
        self.give_up()  # at [DONE], whether or not the connection stays open
        self.connection = self.connect()

    def events(self, response: HTTPResponse) -> Iterator[str]:
        """The data of each event."""
        text = codecs.getincrementaldecoder("utf-8")()
        line = ""
        self.deadline = time.monotonic() + self.token_timeout
        for read in self.reads(response):
            line += text.decode(read)
            *lines, line = line.split("\n")
            for one in lines:
                if (data := self.data_of(one)) is not None:
                    yield data

    def reads(self, response: HTTPResponse) -> Iterator[bytes]:
        """What each read brings."""
        while read := response.read1(65536):
            yield read
            if time.monotonic() > self.deadline:
                raise Incomplete("no token for too long")

    def data_of(self, line: str) -> str | None:
        return line.removeprefix("data: ") if line.startswith("data: ") else None

    def take(self, data: str) -> bool:
        """Take an event. Returns whether it brought a token."""
        chunk = self.parse(data)
        if chunk.get("error"):
            raise Incomplete(chunk["error"])
        for choice in self.choices(chunk):
            self.show(choice["delta"].get("content") or "")
            self.finished |= choice["finish_reason"] is not None
            return True
        return False

    def parse(self, data: str) -> dict[str, Any]:
        chunk: dict[str, Any] = json.loads(data)
        return chunk

    def choices(self, chunk: dict[str, Any]) -> list[dict[str, Any]]:
        return chunk.get("choices") or []

    def show(self, text: str) -> None:
        self.text += text

    def run(self, fault: str) -> None:
        """First a healthy answer, then one with the fault."""
        self.ask("a control question")
        try:
            self.ask(fault=fault)
        except Incomplete:
            pass
        self.connection.close()


BAD: dict[type[Careful], tuple[str, str]] = {}
"""Each bad client, its fault, and the one finding that it must get."""


def bad(fault: str, code: str) -> Any:
    def register(client: type[Careful]) -> type[Careful]:
        BAD[client] = fault, code
        return client

    return register


# ---- Attempts


@bad("429*1", "retry-after-ignored")
class IgnoresRetryAfter(Careful):
    def wait_as_told(self, seconds: float) -> float:
        return 0.2


@bad("401*1", "retried-non-retryable")
class RetriesEverything(Careful):
    def is_retryable(self, status: int) -> bool:
        return True


@bad("500", "retry-storm")
class NeverGivesUp(Careful):
    attempts = 12

    def backoff(self, attempt: int) -> float:
        return 0.03 * 1.35**attempt


@bad("500", "no-backoff")
class RetriesAtOnce(Careful):
    attempts = 4

    def backoff(self, attempt: int) -> float:
        return 0


@bad("502", "no-backoff")
class RetriesAtAConstantPace(Careful):
    attempts = 5

    def backoff(self, attempt: int) -> float:
        return 0.2


@bad("503*1", "gave-up-on-retryable")
class NeverRetries(Careful):
    attempts = 1


@bad("no-head*1", "gave-up-on-retryable")
class NeverRetriesAClosedConnection(Careful):
    attempts = 1


@bad("rst@5*1", "resent-after-first-token")
class RetriesInTheMiddle(Careful):
    def failed(self, error: Exception) -> bool:
        time.sleep(0.1)
        self.connection = self.connect()
        return False


# ---- Time


@bad("stall@4", "no-read-timeout")
class WaitsForEver(Careful):
    read_timeout = None


@bad("hang", "no-read-timeout")
class WaitsForEverForAHead(Careful):
    read_timeout = None
    attempts = 1


@bad("stall-heartbeat", "no-read-timeout")
class IsKeptAliveByHeartbeats(Careful):
    read_timeout = 1.6
    token_timeout = 3600


@bad("open-after-finish", "no-read-timeout")
class WaitsForEverForDone(Careful):
    read_timeout = None


@bad("giant-line", "too-slow-a-reader")
class ReadsSlowly(Careful):
    read_timeout = 10
    token_timeout = 60

    def connect(self) -> HTTPConnection:
        connection = super().connect()
        connection.connect()
        connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 << 10)
        return connection

    def reads(self, response: HTTPResponse) -> Iterator[bytes]:
        while read := response.read1(262144):
            time.sleep(0.1 if len(read) > 30_000 else 0)
            yield read


# ---- What an event means


@bad("clean-cut", "took-half-for-whole")
class TakesHalfForWhole(Careful):
    """A clean end is not an answer's end."""

    def end(self, response: HTTPResponse) -> None:
        if not self.done:
            self.tell(outcome="complete", text=self.text)


@bad("rst@5", "took-half-for-whole")
class CatchesEverything(Careful):
    def failed(self, error: Exception) -> bool:
        self.tell(outcome="complete", text=self.text)
        return True


@bad("error-open", "ignored-error-event")
class IgnoresErrors(Careful):
    read_timeout = 0.7
    token_timeout = 3

    def take(self, data: str) -> bool:
        return "error" not in data and super().take(data)


@bad("error-nested", "ignored-error-event")
class CallsAnErrorComplete(Careful):
    def failed(self, error: Exception) -> bool:
        self.tell(outcome="complete", text=self.text)
        return True


@bad("broken-json", "ignored-malformed")
class SkipsWhatItCannotRead(Careful):
    read_timeout = 2
    token_timeout = 3

    def take(self, data: str) -> bool:
        try:
            return super().take(data)
        except ValueError:
            return True


@bad("bad-chunk-size", "ignored-malformed")
class CallsBrokenChunksComplete(Careful):
    def failed(self, error: Exception) -> bool:
        self.tell(outcome="complete", text=self.text)
        return True


@bad("split-utf8-segments", "parses-per-read")
class ParsesEachRead(Careful):
    """One read is an event, until it is not."""

    def events(self, response: HTTPResponse) -> Iterator[str]:
        self.deadline = time.monotonic() + self.token_timeout
        for read in self.reads(response):
            for event in read.decode().removesuffix("\n\n").split("\n\n"):
                yield event[len("data: ") :]


@bad("split-utf8-chunks", "parses-per-read")
class DecodesEachRead(Careful):
    """Half a character at the end of a read becomes U+FFFD, or nothing."""

    model = "echo"

    def reads(self, response: HTTPResponse) -> Iterator[bytes]:
        while read := response.read1(65536):
            yield read.decode(errors="ignore").encode()

    def finish(self) -> None:
        self.tell(outcome="complete", text=self.text)


@bad("comments", "breaks-on-comment")
class ParsesComments(Careful):
    def data_of(self, line: str) -> str | None:
        return line.partition(": ")[2] if line else None


@bad("keepalive-event", "breaks-on-unknown-event")
class KnowsAllEvents(Careful):
    def choices(self, chunk: dict[str, Any]) -> list[dict[str, Any]]:
        choices: list[dict[str, Any]] = chunk["choices"]
        return choices


@bad("open-after-done", "reads-on-after-done")
class ReadsToTheEnd(Careful):
    read_timeout = 0.7

    def read_stream(self, response: HTTPResponse) -> None:
        self.finished = self.done = False
        for data in self.events(response):
            if data != "[DONE]":
                self.take(data)
        self.end(response)


@bad("", "buffers-whole-answer")
class ShowsItAtTheEnd(Careful):
    def finish(self) -> None:
        self.tell(shown=self.text)


# ---- Connections


@bad("hang*1", "leaks-connection")
class ForgetsItsConnection(Careful):
    def __init__(self, port: int, name: str) -> None:
        self.leaked: list[HTTPConnection] = []
        super().__init__(port, name)

    def give_up(self) -> None:
        self.leaked.append(self.connection)

    def run(self, fault: str) -> None:
        super().run(fault)
        for connection in self.leaked:
            connection.close()


@bad("stall@4", "leaks-connection")
class CancelsWithoutClosing(Careful):
    """Its user has pressed Stop."""

    def give_up(self) -> None:
        self.tell(outcome="cancelled")
        time.sleep(0.6)
        self.connection.close()


@bad("", "one-connection-per-request")
class ConnectsForEachRequest(Careful):
    read_timeout = 10

    def run(self, fault: str) -> None:
        for number in range(5):
            self.ask(f"question {number}", stream=False)
            self.connection.close()
