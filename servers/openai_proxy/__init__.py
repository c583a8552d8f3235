"""8005: an OpenAI-compatible endpoint that relays to the real API; the key stays here.

    client                         here                            https://api.openai.com/v1
    POST /v1/chat/completions  >   our key, our TLS            >   POST /v1/chat/completions
    data: {"id":…}             <   each piece as it comes      <   data: {"id":…}

    $ OPENAI_API_KEY=sk-… python -m servers.openai_proxy
    $ curl -N http://localhost:8005/v1/chat/completions -d '{"model":"gpt-4o-mini","stream":true,…}'

A web page on another site cannot spend the key: a request must be for this server by one of its
names (Host), and a page must be of an origin that is allowed (Origin).

    handlers.py    which requests are relayed, and what an unusable reply becomes
    relay.py       one exchange: a request is passed on, its reply comes back, in time or not
    body_relay.py  the body of a reply, passed on piece by piece
    observer.py    reads a copy of its events, in a memory of fixed size
    error_body.py  the body of an upstream's error, without a key in it
    failure.py     why there is no reply, and how the client is told
    log_record.py  what an exchange came to, in one line for the log
    __main__.py    the flags

What it does not do: retry (the client does), follow redirects, cache, or speak HTTP/2.
"""
