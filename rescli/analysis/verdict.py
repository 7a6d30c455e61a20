"""A claim of the paper, and what runs say to it: computed from their numbers, never typed in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

Answer: TypeAlias = Literal["yes", "no", "mixed", "cannot tell"]


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What the paper claims and where, whether these runs agree, and with which numbers.

    `caveats` say what keeps the runs from being the paper's.
    """

    claim: str
    where: str
    answer: Answer
    numbers: tuple[str, ...] = ()
    caveats: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """As a JSON document."""
        return {
            "claim": self.claim,
            "where": self.where,
            "answer": self.answer,
            "numbers": list(self.numbers),
            "caveats": list(self.caveats),
        }


def points(a: float, b: float) -> float:
    """By how many points `b` is above `a`. Means that are equal but for the rounding of their sums are a tie, never -0."""
    return round(b - a, 6) or 0.0


def signed(difference: float, edge: float = 0.0) -> str:
    """For people: "+3.10 points". With more digits where rounding would hide that it is no tie, or not within `edge`."""
    shown = f"{difference:+.2f}"
    if (abs(float(shown)) > edge) != (abs(difference) > edge):
        shown = f"{difference:+.6f}".rstrip("0")
    return f"{shown} points"


def told(value: float, edge: float) -> str:
    """A value in %, for people: "0.10", with more digits where rounding would hide on which side of `edge` it is."""
    shown = f"{value:.2f}"
    rounded = float(shown)
    return shown if (rounded > edge, rounded < edge) == (value > edge, value < edge) else f"{value:.6f}".rstrip("0")


def counted(a: int, b: int) -> str:
    """How many seeds two means are of: "n = 2", or "n = 2 and 3"."""
    return f"n = {a}" if a == b else f"n = {a} and {b}"


def answer(held: list[bool]) -> Answer:
    """Of several comparisons: yes if all held, no if none did."""
    if not held:
        return "cannot tell"
    return "yes" if all(held) else "mixed" if any(held) else "no"
