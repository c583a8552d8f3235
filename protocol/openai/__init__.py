"""The JSON of the OpenAI API: the requests and answers of two routes.

    common.py             shared by both: reading of request bodies, errors, objects as events

    chat_request.py       POST /v1/chat/completions: the request
    chat_completions.py   its answer, whole and streamed
    deltas.py             what each event of a stream adds to the answer, whatever server sends it
    lenient.py            unchecked JSON: a value of any type in, the expected type out

    responses_request.py  POST /v1/responses: the request
    responses.py          its answer
    response_events.py    the events of its stream
    encrypted_content.py  a model's reasoning, kept by the client for the next request
"""
