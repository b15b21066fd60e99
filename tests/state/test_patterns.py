"""RE2's language: what it knows, what it refuses, and that no pattern takes long."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pykafkad.state.patterns import BadPattern, Pattern

atoms = st.sampled_from(["a", "b", ".", "[ab]", "[^a]", r"\w", r"\b", "^", "$", "(a|b)", "(?:ab)", "(?i:A)", ""])
quantifiers = st.sampled_from(["", "", "*", "+", "?", "{2}", "{1,2}", "{0,}", "*?", "+?"])
repeated = st.builds(
    lambda atom, quantifier: atom + quantifier if atom not in ("", "^", "$", r"\b") else atom, atoms, quantifiers
)
sequences = st.lists(repeated, max_size=4).map("".join)
patterns = st.recursive(
    sequences,
    lambda inner: st.one_of(
        st.tuples(inner, inner).map("|".join),
        st.builds("({}){}".format, inner, st.sampled_from(["", "*", "?", "{2}"])),
        st.tuples(inner, inner).map("".join),
    ),
    max_leaves=4,
)


@given(pattern=patterns, text=st.text("abA _", max_size=6))
def test_it_matches_what_pythons_matcher_matches(pattern: str, text: str) -> None:
    """But for "$", which Python also lets stand before a last line feed; there is none here."""
    assert Pattern(pattern).matches(text) == (re.fullmatch(pattern, text) is not None), (pattern, text)


@pytest.mark.parametrize(
    ("pattern", "yes", "no"),
    [
        ("", [""], ["a"]),
        (r"\p{Lu}\pN", ["A1", "Ü٣"], ["a1", "AA"]),
        (r"\PN\p{^L}", ["a1", "-1"], ["1-", "aa"]),
        (r"\Qa.b*\E+", ["a.b**"], ["axb*"]),
        (r"\Qa.b", ["a.b"], ["axb"]),
        (r"\Aab\z", ["ab"], ["b"]),
        ("(?P<n>a)(?<m>b)", ["ab"], ["a"]),
        ("(?U)a+(?-U)b", ["aab"], ["b"]),
        (r"\x41\x{42}\101\07", ["ABA\x07"], ["aba"]),
        ("[[:alpha:]_-]+", ["ab_-"], ["a1"]),
        ("[^[:^digit:]]", ["7"], ["a"]),
        ("[]a]+", ["]a"], ["b"]),
        (r"[\d\-x]+", ["1-x"], ["2y"]),
        ("a{,2}", ["a{,2}"], ["aa"]),
        ("a{x}", ["a{x}"], ["a"]),
        ("(?i)straSSE", ["STRASSE", "strasse"], ["strase"]),
        ("(?i:a)b", ["Ab"], ["AB"]),
        ("(?s)a.b", ["a\nb"], []),
        ("a.b", [], ["a\nb"]),
        ("(?m)a$\n^b", ["a\nb"], ["ab"]),
        (r"\d\D\s\S\w\W", ["1a b_-"], ["aa b_-"]),
        ("a|", ["a", ""], ["b"]),
    ],
)  # fmt: skip
def test_what_re2_knows(pattern: str, yes: list[str], no: list[str]) -> None:
    compiled = Pattern(pattern)
    assert [text for text in yes if not compiled.matches(text)] == []
    assert [text for text in no if compiled.matches(text)] == []


@pytest.mark.parametrize(
    "pattern",
    [
        "[", "(", ")", "a)", "*", "a**", "a++", "a{2}{3}", "a{2,1}", "a{1001}", r"(a)\1", r"\8", "(?=a)", "(?!a)",
        "(?<=a)b", "(?<!a)b", "(?>a)", "(?P=n)", "(?x)a", "(?#c)a", "[^]", "[z-a]", r"\C", r"\u0041", "\\", r"\x4",
        r"\x{zz}", r"\x{110000}", "[[:nope:]]", r"\p{Nope}", "(?P<>a)", "((a{100}){100}){100}", "(?i", "(?",
    ],
)  # fmt: skip
def test_what_re2_refuses(pattern: str) -> None:
    with pytest.raises(BadPattern):
        Pattern(pattern)


def test_a_hostile_pattern_takes_no_longer_than_another() -> None:
    """Each of these would keep a matcher that goes back busy for ages."""
    for pattern in ("(a+)+b", "(a|aa)+b", "(a*)*b", "a?" * 50 + "a" * 50 + "b", "(.*)(.*)(.*)(.*)(.*)b"):
        assert not Pattern(pattern).matches("a" * 200)
