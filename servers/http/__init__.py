"""The HTTP server, with no application in it: sockets, connections, replies that stream.

    command.py      a server as a program: flags, log, signals
    workers.py      several processes that share a port
    server.py       listening sockets; accepting, stopping gracefully
    connection.py   one connection: request after request
    incoming.py     the requests that arrive on it: heads, bodies, and the time that they may take
    request_head.py what a request's head says, read once for heads that are the same
    limits.py       bytes and seconds that one connection may use, and all of them together
    routes.py       finds the handler of a request
    reply.py        what a handler gets and what it returns: Request, Reply, EventStream
    reply_head.py   the head of a reply, with the server's own fields
    compressed.py   a complete reply, compressed with gzip for a client that accepts it
    body.py         the bytes after the head of a streaming reply
    watch.py        the timeouts of all connections, and which clients have disconnected
    access.py       access to an API: keys, pages of other origins (CORS), host names
    api_replies.py  the form that an API's errors have, and the request id of each reply
    forwarding.py   the fields and the target that a proxy passes on (RFC 9110 §7.6)
    metrics.py      the numbers that Prometheus reads
    shared_metrics.py   the numbers of several workers as those of one server
    recordings.py   the bytes of a reply, recorded and described as they are sent
    log.py          the log, written by a thread, so that requests do not wait for it
    redact.py       keeps keys out of the log
"""
