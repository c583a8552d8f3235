"""How each route writes an answer: a generator yields the bytes of each token.

    chat_completions.py  POST /v1/chat/completions
    responses.py         POST /v1/responses
    named_events.py      GET /chat/{text}: events with names and ids, for a browser's EventSource
    token_source.py      the source of a streaming reply, whose body the engine fills
"""
