"""A conversation in the terminal: questions, commands, answers.

> What is SSE?            a question; a backslash at the end of a line continues it
> /model lorem            a command
> ^C                      leaves the line; stops an answer; twice at an empty line, leaves
> ^D                      leaves
"""

import os
from collections.abc import Callable

from rich.console import Console
from rich.text import Text

from .answer import Conversation, Ending, Place
from .markdown import escape
from .prompt import history, read_question
from .run import answer_now

__all__ = ["Session"]

HELP = """\
/model NAME    ask this model from now on; without a name, say which
/system TEXT   the system prompt; without a text, none
/raw           show the wire, or no longer
/save FILE     write the conversation to a new file, as Markdown
/new           a new conversation
/quit          leave, as Ctrl-D does

Ctrl-C stops an answer, and the conversation has what came of it.
A backslash at the end of a line continues it. Arrow up: what you asked before."""


class Session:
    """One conversation after the other, until whoever asks has had enough.

    Args:
        console: the terminal.
        place: whom to ask.
        conversation: a new one.
        raw: show the wire from the start.
    """

    def __init__(
        self, console: Console, place: Place, conversation: Conversation, raw: bool = False
    ) -> None:
        self._console = console
        self._place = place
        self._conversation = conversation
        self._raw = raw
        self._leaving = False
        self._commands: dict[str, Callable[[str], str]] = {
            "/model": self._model,
            "/system": self._system,
            "/raw": self._toggle_raw,
            "/save": self._save,
            "/new": self._new,
            "/help": lambda _: HELP,
            "/quit": self._quit,
        }

    def run(self) -> int:
        """Returns the exit code."""
        self._say(f"{self._conversation.model} at {self._place.base_url} · /help · Ctrl-D leaves")
        interrupts = 0
        with history():
            while not self._leaving and interrupts < 2:
                try:
                    question = read_question("\n> ")
                    interrupts = 0
                    if question:
                        self._take(question)
                except KeyboardInterrupt:
                    interrupts += 1
                    print("" if interrupts == 2 else "\n(Ctrl-C again or Ctrl-D leaves)")
                except EOFError:
                    print()
                    break
        return 0

    def _take(self, question: str) -> None:
        name, _, rest = question.partition(" ")
        if name in self._commands:
            self._say(self._commands[name](rest.strip()))
        elif name.startswith("/") and name.count("/") == 1:
            self._say(f"no command {name}; /help lists them")
        else:
            self._ask(question)

    def _ask(self, question: str) -> None:
        self._console.print()
        answer = answer_now(
            self._console,
            self._place,
            self._conversation,
            question,
            raw=self._raw,
            keep_thinking=True,
        )
        style = "dim" if answer.ending is Ending.COMPLETE else "yellow"
        self._console.print(Text("\n" * bool(answer.pieces) + escape(answer.stats()), style))

    # ---- Commands: each returns what to say

    def _model(self, name: str) -> str:
        self._conversation.model = name or self._conversation.model
        return f"model: {self._conversation.model}"

    def _system(self, text: str) -> str:
        self._conversation.system = text
        return f"system prompt: {text}" if text else "no system prompt"

    def _toggle_raw(self, _: str) -> str:
        self._raw = not self._raw
        return "the wire is shown" if self._raw else "the wire is not shown"

    def _save(self, name: str) -> str:
        if not name:
            return "to which file? /save FILE"
        parts = [("system", self._conversation.system)] if self._conversation.system else []
        parts += [(message.role, message.text) for message in self._conversation.messages]
        if not parts:
            return "nothing was said yet"
        text = "\n".join(f"## {role}\n\n{text.rstrip()}\n" for role, text in parts)
        try:
            # As the history: nobody else on this machine may read what was said.
            path, flags = os.path.expanduser(name), os.O_WRONLY | os.O_CREAT | os.O_EXCL
            number = os.open(path, flags, 0o600)
            with open(number, "w", encoding="utf-8", errors="replace") as file:
                file.write(text)
        except OSError as error:
            return f"{name}: {error.strerror}"
        except ValueError as error:  # a name that this system's encoding of them cannot say
            return f"{name}: {error}"
        return f"saved: {name}"

    def _new(self, _: str) -> str:
        self._conversation.messages = []
        return "a new conversation"

    def _quit(self, _: str) -> str:
        self._leaving = True
        return "bye"

    def _say(self, text: str) -> None:
        self._console.print(Text(escape(text), "dim"))


# What this file does not do: run an answer (run.py), or draw one (screen.py).
