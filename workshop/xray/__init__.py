"""`workshop xray` shows the layers of a stream, and names the hop that spoils it.

    reads ──► exchanges ──► Meter ──► verdicts ──► Report ──► screen, JSON, exit code

    command.py, flags.py        the command; ways.py and curl_flags.py read what was typed
    ask.py                      one request, and every read of its response
    compare.py, probe.py        several requests: the hop between two ways; causes that look alike
    exchange.py, measure.py     what one response shows, layer by layer
    verdicts.py, cures.py       what is wrong with it, and the setting that helps
    view.py, summary.py         the picture while it arrives, and one screen at the end
    files.py, masking.py        recordings and their other forms, without keys
    tap.py, top.py              between other clients and their server
    route.py                    the same for the chat page

This file imports nothing, so that a server which needs only `route.py` starts quickly.
"""
