"""Check 1: the model makes one token for each token that the reader takes, and is closed in the
end."""

from collections.abc import Generator
from itertools import cycle
from types import ModuleType

from workshop.language import _
from workshop.runner.check_kit import Failure, Lab

HINTS = (
    "When the reader has taken one token, how many has the model made? Who asks for them?",
    """A `for` loop with a `yield` in it takes one token and gives one. But the loop does not close
the model. `close()` raises GeneratorExit at your `yield`: there you can close it yourself.""",
    "`with contextlib.closing(model):` around the loop, and `if token: yield token` inside.",
)
TOKENS = ("你", "", "好", "", "", " ", "🌍", "!")
MANY = 1000  # an exercise that takes this many and yields none collects them all
LAZY = _(
    "a generator runs to its next `yield` and no further (Python reference, yield expressions)"
)
BY_HAND = "python workshop/01_generator_basics"


class Model:
    """An endless model that counts its tokens and notes when it is closed."""

    def __init__(self) -> None:
        self.made = 0
        self.closed = False

    def tokens(self) -> Generator[str, None, None]:
        try:
            for token in cycle(TOKENS):
                if self.made == MANY:
                    message = _(
                        "the model has made {made} tokens, and the reader has received none",
                        made=MANY,
                    )
                    raise Failure("list-first", message, rule=LAZY, redo=BY_HAND)
                self.made += 1
                yield token
        finally:
            self.closed = True


async def check(exercise: ModuleType, lab: Lab) -> None:
    model = Model()
    source = model.tokens()
    stream = exercise.tokens(source)
    if model.made:
        message = _(
            "nobody has asked for a token yet, and the model has made {made}", made=model.made
        )
        raise Failure("too-eager", message, rule=LAZY)
    for taken, due in enumerate([1, 3, 6, 7, 8, 9, 11], 1):
        lab.give(TOKENS[(due - 1) % len(TOKENS)].encode())
        token = next(stream, None)
        if token is None:
            message = _("the stream ended after {n} tokens; the model has more", n=taken - 1)
            raise Failure("ends", message)
        lab.take(token.encode())
        if not token:
            message, rule = _("an empty token came out"), _("yield only text")
            raise Failure("keeps-empty", message, rule=rule)
        if token != (expected := TOKENS[(due - 1) % len(TOKENS)]):
            message = _(
                "token {taken} is {token!r}; it should be {expected!r}",
                taken=taken,
                token=token,
                expected=expected,
            )
            raise Failure("wrong-token", message, received=token.encode())
        if model.made != due:
            message = _(
                "the reader took token {taken}, and the model made {extra} too many",
                taken=taken,
                extra=model.made - due,
            )
            raise Failure("reads-ahead", message, rule=LAZY, redo=BY_HAND)
    if close := getattr(stream, "close", None):
        close()
    if not model.closed:
        message = _("the reader has closed the stream, and the model is still open")
        rule = _("a loop does not close what it reads from (lesson 1, part 4)")
        raise Failure("no-cleanup", message, rule=rule, redo=BY_HAND)
