"""Bytes <-> events. No sockets, no clock, no trio: pure functions and small state machines.

    head.py      the bytes before the body: checked raw, then read and written through h11
    http1.py     where the body ends (RFC 9112 §6.3), and who decodes it
    grammar.py   the grammar that both obey, as regular expressions and as a table
    chunked.py   the chunked transfer coding (RFC 9112 §7.1)
    sse.py       Server-Sent Events (WHATWG HTML §9.2)
    openai.py    the JSON objects of the OpenAI chat API
    errors.py    the one error that says at which byte a peer went wrong
"""
