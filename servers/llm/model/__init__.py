"""What the simulated model says: from a question to the tokens of an answer.

    conversation.py  a question, and an answer in tokens
    models.py        the models by name, each with its own source of text
    texts.py         the texts of `sim-1`, `lorem` and `torture`
    script.py        replies scripted by the operator in a JSON file: turns, conditions, tool calls
    request_text.py  answers made of the request's own text, and their limits
    tokens.py        cuts text into tokens
    stop.py          ends a text before a stop sequence

    schema.py        JSON that satisfies a schema: tool arguments, structured outputs
    keywords.py      what the schemas of one value together require of it
    scalars.py       numbers, strings and formats that satisfy them
"""
