"""What the simulated model says: from a question to the tokens of an answer.

    conversation.py  a question, and an answer in tokens
    models.py        the models by name, each with its own source of words
    texts.py         the words of `sim-1`, `lorem` and `torture`
    script.py        replies written by the operator: turns, conditions, tool calls
    request_text.py  answers made of the client's own words
    tokens.py        text cut into tokens
    stop.py          where a text ends before a stop sequence

    schema.py        JSON that satisfies a schema: tool arguments, structured outputs
    keywords.py      all that the schemas of one value ask of it, merged
    scalars.py       numbers, strings and formats that satisfy them
"""
