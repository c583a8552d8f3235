"""The frame of a figure, and two things to draw with: fields of a form, and lanes of time.

    question                   what the reader predicts
    [ form ]   (Run)           the prediction, and what can be changed
    stage                      the picture: a still one, until the reader has pressed the button
    verdict                    one sentence: what happened

The browser's half is `kit.js`. Places in a picture are SVG attributes in percent and not styles,
because the pages' Content-Security-Policy forbids styles.
"""

import json
from collections.abc import Awaitable, Callable, Iterable, Sequence
from html import escape
from typing import Any

import msgspec

from ..words import Words

__all__ = ["Figure", "Mark", "Tell", "choices", "field", "frame", "lanes"]

Tell = Callable[[dict[str, Any]], Awaitable[None]]
"""Reports one step of a run to the page."""


class Figure(msgspec.Struct, frozen=True):
    """A figure of a lesson.

    Args:
        name: The name in `<!-- figure: NAME -->`, of the module for the browser, and of the words.
        options: The type of what the page sends: the fields of the form.
        form: Returns the fields of the form, as HTML.
        still: Returns the still picture, as HTML.
        run: Runs the experiment, and reports its steps.
    """

    name: str
    options: type[msgspec.Struct]
    form: Callable[[Words], str]
    still: Callable[[Words], str]
    run: Callable[[Any, Tell], Awaitable[None]]


def frame(figure: Figure, say: Words, *, live: bool) -> str:
    """Return a figure as HTML.

    Args:
        figure: The figure.
        say: The words of the page's language.
        live: Whether a server serves the page. Without one there is only the still picture.
    """
    key = f"figure.{figure.name}"
    question = f'<p class="question">{escape(say(f"{key}.question"))}</p>\n'
    # The style sheet shows the still picture on paper, and on a screen without scripts.
    still = (
        f'<div class="still">\n{figure.still(say)}<p>{escape(say(f"{key}.still"))}</p>\n</div>\n'
    )
    if not live:
        return f'<figure class="figure {figure.name}">\n{question}{still}</figure>\n'
    words = escape(json.dumps(say.group("figure.kit") | say.group(key), ensure_ascii=False))
    return (
        f'<figure class="figure {figure.name}" data-figure="{figure.name}" data-words="{words}" '
        f'aria-label="{escape(say("figure.kit.label"))}">\n{question}{still}'
        f"<form hidden>\n{figure.form(say)}<button>{escape(say('figure.kit.run'))}</button>\n"
        "</form>\n"
        '<div class="stage" hidden></div>\n<p class="verdict" role="status" hidden></p>\n'
        "</figure>\n"
    )


def field(say: Words, key: str, name: str, attributes: str) -> str:
    """Return an input with its label.

    Args:
        say: The words of the page's language.
        key: The key of the label's words.
        name: The name of the field in the options.
        attributes: Further attributes of the input, as HTML.
    """
    return f'<label>{escape(say(key))} <input name="{name}" {attributes}></label>\n'


def choices(say: Words, key: str, name: str, values: Iterable[str], chosen: str = "") -> str:
    """Return radio buttons.

    Args:
        say: The words of the page's language.
        key: The key of the group's words. The words of a value are at `KEY.VALUE`.
        name: The name of the field in the options.
        values: The values.
        chosen: The value that is chosen at first. With "", the reader must choose one.
    """
    buttons = "".join(
        f'<label><input type="radio" name="{name}" value="{escape(value)}" required'
        f"{' checked' if value == chosen else ''}> "
        f"{escape(say(f'{key}.{value}'))}</label>\n"
        for value in values
    )
    legend = f"<legend>{escape(say(key))}</legend>\n"
    return f'<fieldset class="choices">\n{legend}{buttons}</fieldset>\n'


class Mark(msgspec.Struct, frozen=True):
    """Something that happened at a time, in a lane.

    Args:
        at: The time, in seconds.
        kind: The look of the mark: "dot", "ring", "cross" or "end".
        title: What it was.
    """

    at: float
    kind: str
    title: str


def lanes(rows: Sequence[tuple[str, Sequence[Mark]]], seconds: float) -> str:
    """Return lanes of time, one below the other: each has a name and its marks.

    Args:
        rows: The name and the marks of each lane.
        seconds: The time at the right end of the lanes.
    """
    html = ""
    for name, marks in rows:
        shapes = "".join(_shape(mark, seconds) for mark in marks)
        html += (
            f'<div class="lane"><span>{escape(name)}</span>'
            f'<svg height="30" role="img" aria-label="{escape(name)}">'
            f'<line x1="0" x2="100%" y1="15" y2="15"></line>{shapes}</svg></div>\n'
        )
    return f'<div class="lanes">{html}<div class="lane"><span></span>{axis(seconds)}</div></div>\n'


def axis(seconds: float) -> str:
    """Return the axis of time under a picture, from 0 to these seconds."""
    ticks = "".join(
        f'<text x="{100 * part / 4:g}%" y="12">{seconds * part / 4:.2g} s</text>'
        for part in range(5)
    )
    return f'<svg class="axis" height="16" aria-hidden="true">{ticks}</svg>'


def _shape(mark: Mark, seconds: float) -> str:
    at = f"{min(100, 100 * mark.at / seconds):.2f}%"
    title = f"<title>{escape(mark.title)}</title>"
    if mark.kind in ("dot", "ring"):
        return f'<circle class="{mark.kind}" cx="{at}" cy="15" r="5">{title}</circle>'
    sign = {"cross": "✕", "end": "■"}[mark.kind]
    return f'<text class="{mark.kind}" x="{at}" y="20">{sign}{title}</text>'
