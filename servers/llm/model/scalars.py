"""Numbers and strings that satisfy a JSON Schema.

    {"type": "number", "minimum": 0, "maximum": 1}        0.3
    {"type": "integer", "multipleOf": 5}                  85
    {"type": "string", "format": "date"}                  "2025-08-19"
    {"type": "string", "maxLength": 5}                    "Paris"

A number is small if the bounds allow it. Every number is exact: multiples of 0.1 are computed as
fractions, so 0.3 is not 0.30000000000000004. A string has the requested format; without one, it is
a given text, cut or padded to the required length.
"""

import math
import sys
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from fractions import Fraction
from random import Random
from uuid import UUID

from .keywords import NothingSatisfies, Part, exact, narrowest, path_of

__all__ = ["FORMATS", "number", "string"]

MAX_TEXT = 80
"""Largest length of a string, in characters, unless the schema requires a longer one."""


def number(parts: Sequence[Part], random: Random, whole: bool) -> int | float:
    """Return a number within the bounds of all schemas.

    If the bounds allow it, the number is `multipleOf` times a random factor from 1 to 100. Without
    `multipleOf`, the factor is multiplied by 1 for an integer, or else by 0.1. An integer has at
    most 64 bits.

    Raises:
        NothingSatisfies: There is no such number.
    """
    each = [keywords for keywords, _ in parts]
    limit = Fraction(2**63 - 1 if whole else sys.float_info.max)
    low = exact(max([-limit, *(keywords.minimum for keywords in each)]))
    high = exact(min([limit, *(keywords.maximum for keywords in each)]))
    above = exact(max([-2 * limit, *(keywords.exclusive_minimum for keywords in each)]))
    below = exact(min([2 * limit, *(keywords.exclusive_maximum for keywords in each)]))
    multiples = [exact(k.multiple_of) for k in each if k.multiple_of is not None]
    if whole or multiples:
        step = _common_multiple([Fraction(1), *multiples] if whole else multiples)
    else:
        step = _step(max(low, above), min(high, below))
    first = max(math.ceil(low / step), math.floor(above / step) + 1)
    last = min(math.floor(high / step), math.ceil(below / step) - 1)
    if first > last:
        raise NothingSatisfies(f"{path_of(parts)}: no number is within the bounds")
    value = step * random.randint(max(first, min(1, last)), min(last, max(100, first)))
    return int(value) if whole else float(value)


def _common_multiple(numbers: Sequence[Fraction]) -> Fraction:
    """Return the least common multiple of fractions. The result is the least common multiple of the
    numerators, divided by the greatest common divisor of the denominators."""
    least = numbers[0]
    for other in numbers[1:]:
        least = Fraction(
            math.lcm(least.numerator, other.numerator),
            math.gcd(least.denominator, other.denominator),
        )
        if least > sys.float_info.max:
            break  # only 0 is a multiple of 0, whatever the other numbers are
    return least


def _step(low: Fraction, high: Fraction) -> Fraction:
    """Return a tenth, or a smaller power of ten that has several multiples between the bounds."""
    if high - low >= 1:
        return Fraction(1, 10)
    if high > low:
        return Fraction(10) ** (math.floor(math.log10(high - low)) - 1)
    return abs(low) or Fraction(1)  # `low` is the only possible number


def string(parts: Sequence[Part], random: Random, text: str) -> str:
    """Return a string in the requested format, or this text, in a length that all schemas allow.

    Raises:
        NothingSatisfies: No length satisfies all schemas.
    """
    least, most = narrowest((k.min_length, k.max_length) for k, _ in parts)
    if least > most:
        raise NothingSatisfies(f"{path_of(parts)}: minLength is over maxLength")
    for keywords, _ in parts:
        if keywords.format in FORMATS:
            formatted = FORMATS[keywords.format](random)
            if least <= len(formatted) <= most:
                return formatted
    return text[: min(most, MAX_TEXT)].strip().ljust(least, ".")


def _moment(random: Random) -> datetime:
    return datetime(2025, 1, 1) + timedelta(seconds=random.randrange(365 * 24 * 3600))


def _uuid(random: Random) -> str:
    return str(UUID(int=random.getrandbits(128), version=4))


def _label(random: Random) -> str:
    return random.choice(["ada", "alan", "barbara", "edsger", "grace", "ken"])


FORMATS: dict[str, Callable[[Random], str]] = {
    "date-time": lambda random: f"{_moment(random).isoformat()}Z",
    "date": lambda random: _moment(random).date().isoformat(),
    "time": lambda random: f"{_moment(random).time().isoformat()}Z",
    "duration": lambda random: f"PT{random.randint(1, 59)}M",
    "email": lambda random: f"{_label(random)}@example.com",
    "hostname": lambda random: f"{_label(random)}.example.com",
    "uri": lambda random: f"https://example.com/{_label(random)}",
    "uuid": _uuid,
    "uuid4": _uuid,  # the name in pydantic's schemas
    "ipv4": lambda random: f"192.0.2.{random.randint(1, 254)}",
    "ipv6": lambda random: f"2001:db8::{random.randint(1, 0xFFFF):x}",
}
"""The supported formats of Validation §7.3. Hosts and addresses are those reserved for examples
(RFC 2606, RFC 5737, RFC 3849)."""
