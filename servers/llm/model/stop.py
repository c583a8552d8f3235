"""Stop sequences: the text ends where one of them begins.

    stop ["END", "\\n\\n"]      text "It is done. END of story."      shown "It is done. "

    the model makes    " done"    "."    " E"    "N"    "D of"
    the client gets    " done"    "."    " "     ""     ""         finish_reason "stop"

A stop sequence may be spread over several tokens. So text that could be the beginning of a stop
sequence is held back until more is known: " E" may be the start of "END" or of "Even so". If it was
the start of "Even so", it is shown later.

The rules, named again where a test enforces them:

- The text is shown up to the start of the first stop sequence, however it is cut into tokens. If
  the stop sequences are "abcd" and "bc", "abc" is held back: only the next character tells whether
  the text ends before the "a" or before the "b".
- The last characters of the text are held back if they are the beginning of a stop sequence. No
  more characters are held back than necessary.
- The cost is linear: each stop sequence is matched with the algorithm of Knuth, Morris and Pratt
  (SIAM Journal on Computing 6, 1977, pp. 323-350), which reads each character of the text once.
"""

import sys
from collections.abc import Sequence

from ..turns import ALONE, Work

__all__ = ["StopSequences", "cut_at_stop"]


class StopSequences:
    """Ends a text at the first stop sequence.

    Args:
        stops: The stop sequences, none of them empty. The cost per character grows
            with the number of stop sequences (the APIs accept four), not with their length.

    Attributes:
        stopped: Whether a stop sequence has been found, and all text before it has been returned.

    Raises:
        ValueError: A stop sequence is empty, so it would be found in any text.
    """

    def __init__(self, stops: Sequence[str]) -> None:
        if not all(stops):
            raise ValueError("a stop sequence has at least one character")
        self.stopped = False
        self._matchers = [_Matcher(stop) for stop in stops]
        self._first_characters = frozenset(stop[0] for stop in stops)
        self._held = 0  # number of characters held back: the first ones of `_beginning`
        self._beginning = ""
        self._read = 0

    def feed(self, token: str) -> str:
        """Read a token. Returns the text that may be shown now; "" after a stop sequence."""
        if self.stopped:
            return ""
        shown = self._read - self._held
        self._read += len(token)
        if not self._held and self._first_characters.isdisjoint(token):
            return token  # most tokens: no stop sequence begins in them
        for matcher in self._matchers:
            matcher.feed(token, self._read)
        longest = max(self._matchers, key=lambda matcher: matcher.matched)
        found = min(matcher.found for matcher in self._matchers)
        # A complete stop sequence counts only when none that starts earlier can still become
        # complete.
        self.stopped = found <= self._read - longest.matched
        count = (found if self.stopped else self._read - longest.matched) - shown
        text = self._beginning[: min(count, self._held)] + token[: max(count - self._held, 0)]
        self._held, self._beginning = longest.matched, longest.stop
        return text

    def flush(self) -> str:
        """Say that the text has ended. Returns the text that was held back and may now be shown."""
        if self.stopped or not self._held:
            return ""
        found = min(matcher.found for matcher in self._matchers)
        self.stopped = found < self._read
        count = min(found, self._read) - (self._read - self._held)
        self._held = 0
        return self._beginning[:count]


async def cut_at_stop(
    tokens: Sequence[str], stops: Sequence[str], work: Work = ALONE
) -> tuple[list[str], bool]:
    """Return the text that each step of the engine shows.

    Args:
        work: The work for this request, which lets other requests take their turns.

    Returns:
        A list with an item for each token, up to the token that completes a stop sequence, and a
        flag that says whether the text has a stop sequence. An item is "" if its whole text is held
        back. If there is no stop sequence, the last item also has the rest of the held text.

    Raises:
        ValueError: A stop sequence is empty.
    """
    await work.spend(sum(map(len, stops)))
    sequences = StopSequences(stops)
    shown = []
    for token in tokens:
        await work.spend(len(token) * len(stops))
        shown.append(sequences.feed(token))
        if sequences.stopped:
            return shown, True
    if shown:
        shown[-1] += sequences.flush()
    return shown, sequences.stopped


NOWHERE = sys.maxsize


class _Matcher:
    """Looks for one stop sequence.

    Attributes:
        matched: How many of the stop sequence's first characters are at the end of the text.
        found: Offset at which the stop sequence first starts, or `NOWHERE`.
    """

    def __init__(self, stop: str) -> None:
        self.stop = stop
        self.matched = 0
        self.found = NOWHERE
        # borders[n] is the length of the longest string, shorter than n, that is both the beginning
        # and the end of the first n characters of `stop`. Matching `stop` against itself finds it.
        self._borders = [0, 0]
        for character in stop[1:]:
            self._next(character)
            self._borders.append(self.matched)
        self.matched = 0

    def feed(self, token: str, read: int) -> None:
        """Read a token. `read` is the length of the text, including this token."""
        for end, character in enumerate(token, read - len(token) + 1):
            self._next(character)
            if self.matched == len(self.stop):
                self.found = min(self.found, end - self.matched)

    def _next(self, character: str) -> None:
        while self.matched and not self.stop.startswith(character, self.matched):
            self.matched = self._borders[self.matched]
        if self.stop[self.matched] == character:
            self.matched += 1
