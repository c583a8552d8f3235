"""A conversation in the terminal: questions, commands, answers.

    > What is SSE?            a question; a backslash at the end of a line continues it
    > /model lorem            a command
    > ^C                      clears the line, or stops an answer; twice at an empty line: quits
    > ^D                      quits
"""

import os
from collections.abc import Callable

from rich.console import Console
from rich.text import Text

from ..language import N_, _
from .answer import ChatAPI, Conversation, Ending
from .markdown import escape
from .prompt import history, read_question
from .run import answer_now

__all__ = ["ChatSession"]

HELP = N_(
    """\
/model NAME    ask this model from now on; without a name, show the current one
/system TEXT   set the system prompt; without a text, remove it
/raw           show the bytes on the connection, or hide them again
/save FILE     write the conversation to a new file, as Markdown
/new           start a new conversation
/quit          quit, as Ctrl-D does

Ctrl-C stops an answer; the conversation keeps what came of it.
A backslash at the end of a line continues it. Arrow up: your earlier questions."""
)


class ChatSession:
    """Runs one conversation after the other, until the user quits.

    Args:
        console: The terminal.
        api: The API to ask.
        conversation: The conversation to begin with, which is new.
        raw: Whether to show the bytes on the connection from the start.
    """

    def __init__(
        self, console: Console, api: ChatAPI, conversation: Conversation, raw: bool = False
    ) -> None:
        self._console = console
        self._api = api
        self._conversation = conversation
        self._raw = raw
        self._quitting = False
        self._commands: dict[str, Callable[[str], str]] = {
            "/model": self._model,
            "/system": self._system,
            "/raw": self._toggle_raw,
            "/save": self._save,
            "/new": self._new,
            "/help": lambda rest: _(HELP),
            "/quit": self._quit,
        }

    def run(self) -> int:
        """Ask until the user quits. Returns the exit code."""
        title = _(
            "{model} at {url} · /help · Ctrl-D quits",
            model=self._conversation.model,
            url=self._api.base_url,
        )
        self._say(title)
        interrupts = 0
        with history():
            while not self._quitting and interrupts < 2:
                try:
                    question = read_question("\n> ")
                    interrupts = 0
                    if question:
                        self._handle(question)
                except KeyboardInterrupt:
                    interrupts += 1
                    print("" if interrupts == 2 else "\n" + _("(Ctrl-C again or Ctrl-D quits)"))
                except EOFError:
                    print()
                    break
        return 0

    def _handle(self, question: str) -> None:
        name, rest = (question + " ").split(" ", 1)
        if name in self._commands:
            self._say(self._commands[name](rest.strip()))
        elif name.startswith("/") and name.count("/") == 1:
            self._say(_("no command {name}; /help lists all commands", name=name))
        else:
            self._ask(question)

    def _ask(self, question: str) -> None:
        self._console.print()
        answer = answer_now(
            self._console,
            self._api,
            self._conversation,
            question,
            raw=self._raw,
            keep_thinking=True,
        )
        style = "dim" if answer.ending is Ending.COMPLETE else "yellow"
        self._console.print(Text("\n" * bool(answer.pieces) + escape(answer.stats()), style))

    # ---- Commands: each returns a message

    def _model(self, name: str) -> str:
        self._conversation.model = name or self._conversation.model
        return _("model: {name}", name=self._conversation.model)

    def _system(self, text: str) -> str:
        self._conversation.system = text
        return _("system prompt: {text}", text=text) if text else _("no system prompt")

    def _toggle_raw(self, rest: str) -> str:
        self._raw = not self._raw
        return _("the bytes are shown") if self._raw else _("the bytes are hidden")

    def _save(self, name: str) -> str:
        if not name:
            return _("to which file? /save FILE")
        parts = [("system", self._conversation.system)] if self._conversation.system else []
        parts += [(message.role, message.text) for message in self._conversation.messages]
        if not parts:
            return _("the conversation is empty")
        text = "\n".join(f"## {role}\n\n{text.rstrip()}\n" for role, text in parts)
        try:
            # The file is private, like the history: no other user of this machine may read the
            # conversation.
            path, flags = os.path.expanduser(name), os.O_WRONLY | os.O_CREAT | os.O_EXCL
            number = os.open(path, flags, 0o600)
            with open(number, "w", encoding="utf-8", errors="replace") as file:
                file.write(text)
        except OSError as error:
            return f"{name}: {error.strerror}"
        except ValueError as error:  # the system cannot encode this file name
            return f"{name}: {error}"
        return _("saved: {name}", name=name)

    def _new(self, rest: str) -> str:
        self._conversation.messages = []
        return _("a new conversation")

    def _quit(self, rest: str) -> str:
        self._quitting = True
        return _("bye")

    def _say(self, text: str) -> None:
        self._console.print(Text(escape(text), "dim"))


# What this file does not do: receive an answer (run.py), or draw one (screen.py).
