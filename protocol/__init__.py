"""Bytes to events and back: pure functions and small state machines. No sockets, no clock, no trio.

    chunked.py   the chunked transfer coding (RFC 9112 §7.1)
    sse.py       Server-Sent Events (WHATWG HTML §9.2)
    head.py      the start-line and header fields: checked raw, then read through h11
    target.py    the request-target and the Host of a request (RFC 9112 §3.2)
    http1.py     where a body ends (RFC 9112 §6.3), and the decoder that reads it
    grammar.py   the grammar of chunks and heads, as regular expressions and as a table
    anatomy.py   a label for every byte of a response
    recording.py the bytes of a connection and their times, one line of JSON for each read
    errors.py    the error that all decoders raise, with the offset of the bad byte
    secret.py    API keys, kept out of logs and error messages
    openai/      the JSON of the OpenAI API
"""
