"""The HTTP server, with no application in it: sockets, connections, replies that stream.

    command.py      a server as a program: flags, log, signals
    server.py       listening sockets, and the life of a server until its last stream
    connection.py   one connection: request after request
    limits.py       what a connection may use, and all of them together
    routes.py       which handler answers which request
    reply.py        what a handler gets and what it returns: Request, Reply, EventStream
    reply_head.py   the head of a reply: the fields that are ours
    body.py         the bytes after the head of a streaming reply
    watch.py        the timeouts of all connections, and which clients have disconnected
    access.py       who may use an API: keys, and pages of other origins
    api_replies.py  what all replies of an API share: the shape of errors, a request id
    forwarding.py   what a proxy passes on, and what it must not (RFC 9110 §7.6)
    metrics.py      what a server tells Prometheus
    recordings.py   the bytes of a reply, recorded and described as they are sent
    log.py          the log, written by a thread, so that no request waits for its reader
    redact.py       keeps keys out of the log
"""
