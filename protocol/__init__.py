"""Bytes <-> events. No sockets, no clock, no trio: pure functions and small state machines.

    chunked.py   the chunked transfer coding (RFC 9112 §7.1)
    sse.py       Server-Sent Events (WHATWG HTML §9.2)
    head.py      the bytes before the body: checked raw, then read through h11
    target.py    what a request asks for: its request-target and its Host (RFC 9112 §3.2)
    http1.py     where a body ends (RFC 9112 §6.3), and the decoder that reads it
    grammar.py   the grammar of both, as regular expressions and as a table
    anatomy.py   the name of every byte of a response: what the three decoders tell an observer
    errors.py    the one error that says at which byte a peer broke the rules
    secret.py    keys that never appear in a message
    openai/      the JSON of the OpenAI API
"""
