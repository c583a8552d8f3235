"""The simulated LLM: what an inference server does, without the GPU.

    flags.py             what its operator can choose
    api.py               the routes of the OpenAI API
    chat_completions.py  an answer as chat completions, one piece of bytes for each token
    responses.py         the same for the Responses API
    conversation.py      a question, and an answer in tokens
    model.py             what the model says
    texts.py             its words
    script.py            words written by the operator: turns, conditions, tool calls
    schema.py            JSON that satisfies a schema: tool arguments, structured outputs
    keywords.py          what the schemas of one value ask of it, all together
    scalars.py           numbers, strings and formats that satisfy them
    stop.py              where a text ends before a stop sequence
    tokens.py            text cut into tokens
    engine.py            one clock for all tokens: steps every running answer
    faults/              how streams break, on purpose
"""
