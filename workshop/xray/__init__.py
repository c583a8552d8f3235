"""`workshop xray` shows the layers of a stream, and names the hop that spoils it.

    reads ──► exchanges ──► Meter ──► verdicts ──► Report ──► screen, JSON, exit code

    command.py, flags.py, usage.py, outputs.py   the command
    asking/       one request and every read of its response; several, to name a hop or a cause
    meter/        what one response shows, layer by layer: times, gaps, borders, the end
    judge/        what is wrong with it, and the setting that helps
    picture/      the picture while it arrives, and one screen at the end
    recordings/   recordings and their other forms, without keys
    tap/          between other clients and their server
    report.py     the result, as `--json` prints it
    route.py      the same for the chat page

This file imports nothing, so that a server which needs only `route.py` starts quickly.
"""
