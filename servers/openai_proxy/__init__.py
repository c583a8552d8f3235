"""8005: an OpenAI-compatible endpoint that relays to the real API. The key stays in this program.

    client                         here                            https://api.openai.com/v1
    POST /v1/chat/completions  >   our key, our TLS            >   POST /v1/chat/completions
    data: {"id":…}             <   each piece as it comes      <   data: {"id":…}

    $ OPENAI_API_KEY=sk-… python -m servers.openai_proxy
    $ curl -N http://localhost:8005/v1/chat/completions -d '{"model":"gpt-4o-mini","stream":true,…}'

A web page on another site cannot use the key: the Host of a request must be one of this server's
names, and the Origin of a page must be on the list of allowed origins.

    handlers.py    which requests are relayed, and what an unusable reply becomes
    relay.py       one exchange with the upstream: request, reply, timeouts
    body_relay.py  passes on the body of a reply, piece by piece
    observer.py    parses a copy of the event stream in bounded memory
    error_body.py  the body of an upstream's error, with keys redacted
    failure.py     the error that the client gets when the upstream fails
    log_record.py  the summary of an exchange: one line in the log
    __main__.py    the flags

What this proxy does not do: retry (the client does), follow redirects, cache, or speak HTTP/2.
"""
