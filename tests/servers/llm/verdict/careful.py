"""A small client that does everything right, with nothing but the standard library.

    Careful(port, "name").ask("Hi", fault="503*1")        the text of the answer, or Incomplete

The bad clients (bad_clients.py) each override one of its methods or numbers.
"""

import codecs
import json
import time
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPException, HTTPResponse
from typing import Any

__all__ = ["PROMPT", "Careful", "Incomplete"]

PROMPT = "你好, what is a chunk?"


class Incomplete(Exception):
    """The answer did not arrive, or not all of it."""


class Careful:
    """A client without a mistake.

    Args:
        port: Port of the simulated LLM.
        name: The name that it sends in X-Client.
    """

    model = "any"
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
