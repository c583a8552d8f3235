"""Parses the paths of a comparison, as the user typed them.

--compare server=http://10.0.0.5:8000/chat/hi nginx=http://10.0.0.7/chat/hi
https://api.example.com/v1/responses --via server=10.0.0.5:8443 --via nginx=10.0.0.7
"""

import re
from collections.abc import Sequence
from dataclasses import replace

from clients.chat import LOOPBACK
from clients.http.client import URLParts
from clients.streams.tcp import Connect, connect

from .compare import Way
from .curl_flags import CurlFlags, UsageError, asking_of, through

__all__ = ["compared_addresses", "compared_urls"]

NAMED_URL = re.compile(r"([^=:/]+)=(https?://.*)")
ADDRESS = re.compile(r"(?:([^=]*)=)?(\[[0-9A-Fa-f:.]+\]|[^\[\]:=/]+)(?::([0-9]{1,5}))?")


def compared_urls(texts: Sequence[str], flags: CurlFlags, connect: Connect = connect) -> list[Way]:
    """Return the paths of `--compare`.

    Raises:
        UsageError: One of them is not NAME=URL.
    """
    ways = []
    for text in texts:
        match = NAMED_URL.fullmatch(text)
        if not match:
            raise UsageError("--compare wants NAME=URL NAME=URL …, nearest to the server first")
        asking = asking_of(match[2], flags, connect)
        ways.append(Way(match[1], asking, URLParts.parse(asking.url).authority))
    return ways


def compared_addresses(
    url: str, texts: Sequence[str], flags: CurlFlags, connect: Connect = connect
) -> list[Way]:
    """Return the paths of `--via`, which have the same URL at other addresses.

    Raises:
        UsageError: One of them is not [NAME=]HOST[:PORT], or the key would be sent in plain text.
    """
    asking = asking_of(url, flags, connect)
    parts = URLParts.parse(asking.url)
    ways = []
    for text in texts:
        match = ADDRESS.fullmatch(text)
        if not match or int(match[3] or 1) not in range(1, 65536):
            raise UsageError("--via wants [NAME=]HOST[:PORT], such as nginx=10.0.0.7:8080")
        host, port = match[2].strip("[]"), int(match[3] or parts.port)
        if flags.key is not None and parts.scheme == "http" and host not in LOOPBACK:
            raise UsageError(f"a key over plain http:// can be read on the way to {host}")
        address = text.rpartition("=")[2]
        reach = through(host, port, parts, connect)
        ways.append(Way(match[1] or address, replace(asking, connect=reach), address))
    return ways
