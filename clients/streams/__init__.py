"""Byte streams: one end of a connection, a client's or a server's.

    tcp.py      what every stream can do, and the stream on a TCP socket
    tls.py      the same inside TLS, by hand
    memory.py   the same in memory, for tests and for the checks of exercises
    poller.py   one task polls many streams and calls a function for each readable one
"""
