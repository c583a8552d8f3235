"""How an answer is written to the client: one function of a token, one piece of bytes.

    chat_completions.py  POST /v1/chat/completions
    responses.py         POST /v1/responses
    named_events.py      GET /chat/{text}: events with names and ids, for a browser's EventSource
"""
