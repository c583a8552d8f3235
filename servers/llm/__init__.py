"""The simulated LLM: what an inference server does, without the GPU.

    flags.py      the command-line flags
    api.py        the routes of the OpenAI API
    admission.py  limits the number of requests that are processed: one more gets a 503
    engine.py     steps every running answer, with one clock for all tokens
    pace.py       how fast the model speaks
    teaching.py   what a learner is told about each fault
    recorded.py   answers with the bytes of a recording, at their times
    turns.py      splits large work into turns, so that no stream waits for it
    json_size.py  counts the values of a JSON text before it is parsed

    model/        what the model says
    writers/      how each route writes an answer
    faults/       how streams are broken on purpose
    verdict/      what a client did with a broken stream, and what it should have done
"""
