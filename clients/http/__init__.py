"""An HTTP/1.1 client that streams.

    client.py    from a URL to a response that arrives piece by piece
    exchange.py  one request and its response, on an open connection
    pool.py      idle connections that wait for their next request
    tunnel.py    through a forward proxy: CONNECT (RFC 9110 §9.3.6)
    errors.py    what can go wrong with a request, by the stage it had reached
"""
