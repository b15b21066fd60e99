"""Patterns that a client sends, matched in time that grows with pattern and text alone.

Kafka takes RE2's language: regular expressions without back-references and look-around, which is what makes the bound
possible. Python's own matcher backtracks, so that a pattern of twenty characters could hold the broker up for hours.
A pattern becomes a small program here, and a text is run through all places of it at once (Thompson, 1968). Only a
match of the whole text is asked for, so that greed doesn't matter and groups are mere brackets.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

MOST_REPEATS = 1000  # RE2's own bound for a{n,m}
LONGEST = 10_000  # steps of a program: repeats of repeats multiply

Test = Callable[[str], bool]


class BadPattern(ValueError):
    """Not a regular expression, or one that RE2 doesn't know."""


class _Char(NamedTuple):
    """One character that passes a test."""

    test: Test


class _Fork(NamedTuple):
    """Go on at either place, relative to here."""

    one: int
    other: int


class _At(NamedTuple):
    """Go on if the place between two characters is right; each is "" at an end of the text."""

    right: Callable[[str, str], bool]


_Step = _Char | _Fork | _At
_Program = tuple[_Step, ...]


class Pattern:
    """BadPattern if ``text`` can't be read."""

    def __init__(self, text: str) -> None:
        self._program = _Reader(text).read()

    def matches(self, text: str) -> bool:
        """Whether the whole of ``text`` is as the pattern says."""
        here = self._spread((0,), "", text[:1])
        for position, char in enumerate(text):
            following = [
                place + 1
                for place in here
                if place < len(self._program) and isinstance(step := self._program[place], _Char) and step.test(char)
            ]
            if not following:
                return False
            here = self._spread(following, char, text[position + 1 : position + 2])
        return len(self._program) in here

    def _spread(self, places: Iterable[int], before: str, after: str) -> dict[int, None]:
        """All places that can be reached without another character."""
        found: dict[int, None] = {}
        waiting = list(places)
        while waiting:
            place = waiting.pop()
            if place in found:
                continue
            found[place] = None
            step = self._program[place] if place < len(self._program) else None
            if isinstance(step, _Fork):
                waiting += (place + step.one, place + step.other)
            elif isinstance(step, _At) and step.right(before, after):
                waiting.append(place + 1)
        return found


def _word(char: str) -> bool:
    return char.isascii() and (char.isalnum() or char == "_")


def _boundary(before: str, after: str) -> bool:
    return _word(before) != _word(after)


_PERL: dict[str, Test] = {
    "d": lambda char: "0" <= char <= "9",
    "w": _word,
    "s": lambda char: char in "\t\n\f\r ",
}
_POSIX: dict[str, Test] = {
    "alnum": lambda char: char.isascii() and char.isalnum(),
    "alpha": lambda char: char.isascii() and char.isalpha(),
    "ascii": str.isascii,
    "blank": lambda char: char in "\t ",
    "cntrl": lambda char: char < " " or char == "\x7f",
    "digit": _PERL["d"],
    "graph": lambda char: "!" <= char <= "~",
    "lower": lambda char: "a" <= char <= "z",
    "print": lambda char: " " <= char <= "~",
    "punct": lambda char: "!" <= char <= "~" and not char.isalnum(),
    "space": lambda char: char in "\t\n\v\f\r ",
    "upper": lambda char: "A" <= char <= "Z",
    "word": _word,
    "xdigit": lambda char: char in "0123456789abcdefABCDEF",
}
_CONTROLS = {"a": "\a", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_BETWEEN: dict[str, Callable[[str, str], bool]] = {
    "A": lambda before, after: not before,
    "z": lambda before, after: not after,
    "b": _boundary,
    "B": lambda before, after: not _boundary(before, after),
}


def _is(wanted: str) -> Test:
    return lambda char: char == wanted


def _not(test: Test) -> Test:
    return lambda char: not test(char)


def _category(name: str) -> Test:
    from unicodedata import category  # with the first pattern that asks for it

    if name == "Any":
        return lambda char: True
    if name[:1] not in tuple("CLMNPSZ") or len(name) > 2 or (len(name) == 2 and not name[1].islower()):
        raise BadPattern(f"unknown class \\p{{{name}}}")  # RE2 knows scripts too
    return lambda char: category(char).startswith(name)


class _Reader:
    """Recursive descent over RE2's syntax; each method gives the program of what it has read."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._flags: frozenset[str] = frozenset()

    def read(self) -> _Program:
        program = self._alternatives()
        if self._at < len(self._text):
            raise BadPattern("a bracket that nobody opened")
        return program

    def _peek(self, what: str) -> bool:
        return self._text.startswith(what, self._at)

    def _take(self, what: str) -> bool:
        if taken := self._peek(what):
            self._at += len(what)
        return taken

    def _next(self) -> str:
        if self._at >= len(self._text):
            raise BadPattern("it ends in the middle")
        self._at += 1
        return self._text[self._at - 1]

    def _until(self, end: str) -> str:
        found = self._text.find(end, self._at)
        if found < 0:
            raise BadPattern(f"{end} is missing")
        taken, self._at = self._text[self._at : found], found + len(end)
        return taken

    def _alternatives(self) -> _Program:
        program = self._sequence()
        while self._take("|"):
            other = self._sequence()
            program = (_Fork(1, len(program) + 2), *program, _Fork(len(other) + 1, len(other) + 1), *other)
        return program

    def _sequence(self) -> _Program:
        program: list[_Step] = []
        while self._at < len(self._text) and not self._peek("|") and not self._peek(")"):
            if self._take("\\Q"):
                literal = self._until("\\E") if "\\E" in self._text[self._at :] else self._rest()
                chars = [self._char(_is(char)) for char in literal]
                program += [*chars[:-1], *(self._repeated((chars[-1],)) if chars else ())]
            else:
                program += self._repeated(self._one())
            if len(program) > LONGEST:
                raise BadPattern("too large")
        return tuple(program)

    def _rest(self) -> str:
        taken, self._at = self._text[self._at :], len(self._text)
        return taken

    def _repeated(self, one: _Program) -> _Program:
        times = self._times()
        if times is None:
            return one
        self._take("?")  # a lazy one matches the same
        if self._times() is not None:
            raise BadPattern("a repetition of a repetition")
        least, most = times
        size = len(one)
        if size * max(least, most or 0, 1) > LONGEST:
            raise BadPattern("too large")
        if most is None:
            return (*one * least, _Fork(1, size + 2), *one, _Fork(-size - 1, 1))
        optional: _Program = ()
        for _ in range(most - least):
            optional = (_Fork(1, size + len(optional) + 1), *one, *optional)
        return (*one * least, *optional)

    def _times(self) -> tuple[int, int | None] | None:
        for sign, times in (("*", (0, None)), ("+", (1, None)), ("?", (0, 1))):
            if self._take(sign):
                return times
        if not self._peek("{") or (end := self._text.find("}", self._at)) < 0:
            return None
        least, comma, most = self._text[self._at + 1 : end].partition(",")
        if not _number(least) or (most and not _number(most)):
            return None  # a brace like any other character
        self._at = end + 1
        low = int(least)
        high = int(most) if most else None if comma else low
        if max(low, high or 0) > MOST_REPEATS or (high is not None and high < low):
            raise BadPattern("a wrong number of repetitions")
        return low, high

    def _one(self) -> _Program:
        char = self._next()
        if char in "*+?":
            raise BadPattern("nothing to repeat")
        if char == "(":
            return self._group()
        if char == "[":
            return (self._char(self._class()),)
        if char == ".":
            return (_Char(_not(_is("\n")) if "s" not in self._flags else lambda char: True),)
        if char == "^":
            many = "m" in self._flags
            return (_At(lambda before, after: not before or (many and before == "\n")),)
        if char == "$":
            many = "m" in self._flags
            return (_At(lambda before, after: not after or (many and after == "\n")),)
        if char == "\\":
            return self._escaped()
        return (self._char(_is(char)),)

    def _char(self, test: Test) -> _Char:
        if "i" not in self._flags:
            return _Char(test)
        return _Char(lambda char: test(char) or test(char.lower()) or test(char.upper()))

    def _group(self) -> _Program:
        outside = self._flags
        if self._take("?"):
            if self._take("P<") or (self._take("<") and not self._peek("=") and not self._peek("!")):
                name = self._until(">")
                if not name or not all(map(_word, name)):
                    raise BadPattern("a group without a name")
            else:
                self._flags = self._new_flags()
                if self._take(")"):
                    return ()  # for the rest of the group around it
                if not self._take(":"):
                    raise BadPattern("an unknown kind of group")
        program = self._alternatives()
        if not self._take(")"):
            raise BadPattern("a bracket that nobody closed")
        self._flags = outside
        return program

    def _new_flags(self) -> frozenset[str]:
        flags, on = set(self._flags), True
        while self._at < len(self._text) and self._text[self._at] not in ":)":
            char = self._next()
            if char == "-" and on:
                on = False
            elif char in "imsU":
                (flags.add if on else flags.discard)(char)
            else:
                raise BadPattern(f"an unknown flag {char}")
        return frozenset(flags)

    def _escaped(self) -> _Program:
        if self._at < len(self._text) and (between := _BETWEEN.get(self._text[self._at])):
            self._at += 1
            return (_At(between),)
        return (self._char(self._escaped_test()),)

    def _escaped_test(self) -> Test:
        """Behind a backslash, inside a class or out of it: what stands for characters."""
        char = self._next()
        if char.lower() in _PERL:
            test = _PERL[char.lower()]
            return test if char.islower() else _not(test)
        if char in "pP":
            name = self._until("}") if self._take("{") else self._next()
            test = _category(name.removeprefix("^"))
            return _not(test) if (char == "P") != name.startswith("^") else test
        self._at -= 1
        return _is(self._escaped_char())

    def _escaped_char(self) -> str:
        char = self._next()
        if char in _CONTROLS:
            return _CONTROLS[char]
        if char == "x":
            digits = self._until("}") if self._take("{") else self._next() + self._next()
            try:
                return chr(int(digits, 16))
            except (ValueError, OverflowError):
                raise BadPattern(f"no character \\x{digits}") from None
        if char in "01234567":
            following = self._text[self._at : self._at + 2]
            more = len(following) - len(following.lstrip("01234567"))
            if char != "0" and more < 1:
                raise BadPattern("a back-reference")
            self._at += more
            return chr(int(char + following[:more], 8))
        if char.isascii() and not char.isalnum():
            return char
        raise BadPattern(f"an unknown escape \\{char}")

    def _class(self) -> Test:
        negated = self._take("^")
        tests: list[Test] = []
        while not tests or not self._peek("]"):
            tests.append(self._class_part())
        self._take("]")
        return (lambda char: not any(test(char) for test in tests)) if negated else _any(tests)

    def _class_part(self) -> Test:
        if self._take("[:"):
            name = self._until(":]")
            test = _POSIX.get(name.removeprefix("^"))
            if test is None:
                raise BadPattern(f"an unknown class {name}")
            return _not(test) if name.startswith("^") else test
        if self._peek("\\") and self._text[self._at + 1 : self._at + 2].lower() in ("d", "s", "w", "p"):
            self._at += 1
            return self._escaped_test()
        first = self._class_char()
        if self._peek("-") and not self._peek("-]"):
            self._at += 1
            last = self._class_char()
            if last < first:
                raise BadPattern(f"a range backwards {first}-{last}")
            return lambda char: first <= char <= last
        return _is(first)

    def _class_char(self) -> str:
        char = self._next()
        return self._escaped_char() if char == "\\" else char


def _number(text: str) -> bool:
    return text.isascii() and text.isdigit()


def _any(tests: list[Test]) -> Test:
    return tests[0] if len(tests) == 1 else lambda char: any(test(char) for test in tests)
