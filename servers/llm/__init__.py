"""The simulated LLM: what an inference server does, without the GPU.

    flags.py      what its operator can choose
    api.py        the routes of the OpenAI API
    admission.py  limits how many requests are in work: the next one gets a 503
    engine.py     one clock for all tokens: it steps every running answer
    pace.py       how fast the model speaks
    turns.py      large work in small steps, so that no stream waits for it
    json_size.py  how many values a JSON text has, counted before it is parsed

    model/        what is said
    writers/      how each route writes it
    faults/       how streams break, on purpose
"""
