"""Scripts: model replies scripted by the operator in a JSON file (user guide: servers/SCRIPTS.md).

    {"weather": {"turns": [
        {"when": {"role": "tool"}, "text": "The tool says: {tool}."},
        {"when": {"turn": 1, "contains": "weather"},
         "calls": [{"name": "get_weather", "arguments": {"city": "Paris"}}]},
        {"text": "Ask me about the weather."}]}}

This is the model `script:weather`. The server answers with the first turn whose `when` holds. It
remembers nothing: as with a real model, each request carries the whole conversation.

A turn's text, its thinking and the strings in its arguments may contain `{prompt}`, the user's last
message, and `{tool}`, the last result of a tool. Other braces have no meaning, and neither have
braces in the text that was filled in.

What this does not do: a script ignores the tools and the schema that a request names. `max_tokens`
and `stop` are applied later, because they apply to any answer.
"""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from textwrap import shorten
from typing import Annotated, Any, Literal, cast, get_args

import msgspec

from protocol.openai.chat_completions import FinishReason

from ..turns import ALONE, Work
from .conversation import Answer, Question, ToolCall, Turn
from .request_text import collect, say
from .schema import cut
from .tokens import PIECE

__all__ = ["SHIPPED", "Call", "Script", "ScriptTurn", "Scripts", "When", "load_scripts"]

SHIPPED = Path(__file__).with_name("scripts.json")
"""The file of example scripts: weather, support, flaky, refusal."""

MAX_FILE = 10 * 1024 * 1024  # largest file of scripts, in bytes

MAX_TEXT = 64 << 10
"""Number of characters at the beginning of a message that conditions read and that are filled
in."""

Cut = Callable[[str, int], Iterable[str]]
"""A function that cuts a JSON text into tokens. The tokens together are the text. The number is the
request's seed."""


class When(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The conditions of a turn. All conditions that are given must hold.

    Args:
        turn: Number of the model's turn in the conversation: 1 if the model has not spoken yet.
        role: Role of the last message: "system", "user", "assistant" or "tool".
        contains: Text found in the last message. Upper and lower case do not matter.
        matches: Regular expression found in the last message (`re.search`). The operator must
            choose a fast expression, because clients write the message, and a slow search stalls
            every stream.

    `contains` and `matches` read only the first `MAX_TEXT` characters of the message.
    """

    turn: Annotated[int, msgspec.Meta(ge=1)] | None = None
    role: str | None = None
    contains: str = ""
    matches: str = ""

    def __post_init__(self) -> None:
        _check_one_of("role", self.role, Literal["system", "user", "assistant", "tool"])
        try:
            re.compile(self.matches)
        except (re.error, OverflowError, RecursionError) as error:
            raise ValueError(f"`matches` is not a regular expression: {error}") from error

    def holds(self, question: Question) -> bool:
        """Whether the conversation satisfies all conditions."""
        last = _last(question)
        text = last.text[:MAX_TEXT]
        return (
            self.turn in (None, _turn(question))
            and self.role in (None, last.role)
            and (not self.contains or self.contains.casefold() in text.casefold())
            and re.search(self.matches, text) is not None
        )


class Call(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A call of a tool. `arguments` may be any JSON value, which is sent as compact JSON."""

    name: str
    arguments: Any = {}


class ScriptTurn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An answer of the model, and its conditions.

    Args:
        when: The conditions. Without any conditions, the turn always fits.
        finish_reason: The finish_reason to send. By default "tool_calls" if there are calls,
            otherwise "stop".
        fault: The fault to inject into the answer, such as "rst@5", or "".
    """

    when: When = msgspec.field(default_factory=When)
    thinking: str = ""
    text: str = ""
    calls: tuple[Call, ...] = ()
    finish_reason: str | None = None
    fault: str = ""

    def __post_init__(self) -> None:
        _check_one_of("finish_reason", self.finish_reason, FinishReason)

    async def answer(self, question: Question, cut: Cut, work: Work = ALONE) -> Answer:
        """Return the answer, with texts from the conversation filled in."""
        values = {"prompt": question.prompt, "tool": _last_text(question, "tool")}
        values = {key: value[:MAX_TEXT] for key, value in values.items()}
        # Inside a JSON string, `"` is written \" and a line end \n, so that filled-in text stays in
        # its string.
        escaped = {key: _json(value)[1:-1] for key, value in values.items()}
        reason = self.finish_reason or ("tool_calls" if self.calls else "stop")
        said = await say(question, _fill(self.text, values), work)
        thinking: Sequence[str] = ()
        if question.thinks:
            thought = await say(question, _fill(self.thinking, values), work)
            thinking = thought.text
        calls = []
        for call in self.calls:
            tokens = cut(_fill(_json(call.arguments), escaped), question.seed or 0)
            calls.append(ToolCall(call.name, (await collect(tokens, question, work))[0]))
        if said.finish_reason == "length":
            reason = "length"
        return Answer(thinking, said.text, calls, cast(FinishReason, reason), self.fault)


class Script(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The turns of a model. The first turn that fits gives the answer."""

    turns: Annotated[tuple[ScriptTurn, ...], msgspec.Meta(min_length=1)]


class Scripts:
    """Scripts by their names.

    Args:
        scripts: The scripts by name. "weather" is the model `script:weather`.
        cut: The function that cuts the arguments of calls into tokens.
    """

    def __init__(self, scripts: Mapping[str, Script], cut: Cut) -> None:
        self.scripts = scripts
        self._cut = cut
        self._names = shorten(", ".join(scripts), 500, placeholder=", …")

    async def answer(self, name: str, question: Question, work: Work = ALONE) -> Answer:
        """Return the answer of the script `name`.

        Raises:
            LookupError: There is no such script, or none of its turns fits the conversation.
        """
        script = self.scripts.get(name)
        if script is None:
            raise LookupError(f"there is no script {name!r}; there are: {self._names}")
        for turn in script.turns:
            await work.spend(PIECE)
            if turn.when.holds(question):
                return await turn.answer(question, self._cut, work)
        raise LookupError(
            f"the script {name!r} has no answer to turn {_turn(question)}, "
            f"a message of role {_last(question).role!r}: give it a last turn without `when`"
        )


def load_scripts(path: Path, cut: Cut = cut) -> Scripts:
    """Read a file of scripts.

    Args:
        path: A JSON file in UTF-8, up to 10 MiB.
        cut: The function that cuts the arguments of calls into tokens.

    Raises:
        ValueError: The file cannot be read, or does not contain scripts. The message names the
            file, the script, the path in it, and the error. A `fault` is not checked here.
    """
    try:
        return Scripts(_read(path), cut)
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror}") from error
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    except RecursionError as error:
        raise ValueError(f"{path}: its arrays or objects are nested too deeply") from error


def _read(path: Path) -> dict[str, Script]:
    with path.open("rb") as file:
        data = file.read(MAX_FILE + 1)
    if len(data) > MAX_FILE:
        raise ValueError(f"a file of scripts has at most {MAX_FILE:,} bytes")
    # `json` is used instead of msgspec because it counts lines, and shows a name that an object has
    # twice.
    values = json.loads(
        data.decode("utf-8-sig"), object_pairs_hook=_object, parse_constant=_constant
    )
    scripts = {}
    for name, value in msgspec.convert(values, dict[str, Any]).items():
        try:
            scripts[name] = msgspec.convert(value, Script)
            msgspec.json.encode({name: value})  # fails for "\ud83d", half an emoji
        except ValueError as error:
            raise ValueError(f"script {name!r}: {error}") from error
    if not scripts:
        raise ValueError('it contains no script. The form is {"NAME": {"turns": [{"text": "…"}]}}')
    return scripts


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        twice = Counter(name for name, _ in pairs).most_common(1)[0][0]
        raise ValueError(f"{twice!r} is twice in one object")
    return values


def _constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _check_one_of(field: str, value: str | None, literal: Any) -> None:
    allowed = get_args(literal)
    if value is not None and value not in allowed:
        raise ValueError(f"`{field}` is one of {', '.join(allowed)}, not {value!r}")


def _turn(question: Question) -> int:
    """Return the number of the model's next turn, from 1."""
    return 1 + sum(turn.role == "assistant" for turn in question.turns)


def _last(question: Question) -> Turn:
    return question.turns[-1] if question.turns else Turn("user", "")


def _last_text(question: Question, role: str) -> str:
    return next((turn.text for turn in reversed(question.turns) if turn.role == role), "")


def _fill(text: str, values: Mapping[str, str]) -> str:
    return re.sub(r"\{(prompt|tool)\}", lambda found: values[found[1]], text)


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
