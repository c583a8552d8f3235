"""Bytes <-> events. No sockets, no clock, no trio: pure functions and small state machines.

    head.py      the bytes before the body: checked raw, then read through h11
    target.py    what a request is for: its request-target and its Host (RFC 9112 §3.2)
    http1.py     where the body ends (RFC 9112 §6.3), and who decodes it
    grammar.py   the grammar that both obey, as regular expressions and as a table
    chunked.py   the chunked transfer coding (RFC 9112 §7.1)
    sse.py       Server-Sent Events (WHATWG HTML §9.2)
    anatomy.py   every byte of a response by its name: what the three decoders tell an observer
    errors.py    the one error that says at which byte a peer went wrong
    secret.py    keys kept out of sight
    lenient.py   JSON of a server that nobody has checked: any value in, the wanted type out

and the JSON of the OpenAI API:

    openai.py             what its routes share: bodies read, errors, objects as events
    chat_request.py       POST /v1/chat/completions: what it asks
    chat_completions.py   what it answers
    deltas.py             what its stream adds to the answer, event by event, for who reads it
    responses_request.py  POST /v1/responses: what it asks
    responses.py          what it answers
    response_events.py    the events of its stream
    encrypted_content.py  what a model thought, kept by the client for the next request
"""
