"""What the paper claims of its ImageNet nets (Sec. 4.1), each claim held against the tests and runs at hand."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

from rescli.analysis.evidence import Evidence
from rescli.analysis.imagenet_nets import TESTS, Net, nets_by
from rescli.analysis.table234_rules import images_of
from rescli.analysis.verdict import Verdict, answer, counted, points, signed
from rescli.models.names import title

Choose: TypeAlias = Callable[[Net, Net, Sequence[Net]], bool]
"""Whether a claim is about the first net beside the second one; the third are all by this measure."""


def claims_imagenet(found: Evidence) -> list[Verdict]:
    """Every claim of Sec. 4.1 that tests and runs of ImageNet nets can speak to."""
    return [*depth_claims(found), *_shortcuts(found), _ensembles(found)]


def depth_claims(found: Evidence) -> list[Verdict]:
    """The claims about depth: Table 2, Fig. 4, Tables 3 and 4. A VGG net is neither plain nor residual here."""

    def plain(a: Net, b: Net, _: Sequence[Net]) -> bool:
        return a.entry.plain and b.entry.plain and (a.depth, b.depth) == (18, 34)

    def residual(a: Net, b: Net, _: Sequence[Net]) -> bool:
        same = a.entry.shortcut is not None and a.entry.shortcut == b.entry.shortcut
        return same and (a.depth, b.depth) == (18, 34)

    def counterpart(a: Net, b: Net, _: Sequence[Net]) -> bool:
        return a.entry.plain and b.entry.shortcut == "A" and (a.depth, b.depth) == (34, 34)

    return [
        _verdict(
            found, "the 34-layer plain net has higher validation error than the 18-layer one", "Table 2", plain, True
        ),
        _verdict(
            found,
            "the 34-layer plain net has higher training error than the 18-layer one",
            "Fig. 4 left",
            plain,
            True,
            ("training",),
        ),
        _verdict(
            found, "ResNet-34 has lower validation error than ResNet-18", "Table 2, Fig. 4 right", residual, False
        ),
        _verdict(found, "ResNet-34 has lower validation error than plain-34", "Table 2", counterpart, False),
        _verdict(
            found,
            "from 34 to 50, 101 and 152 layers residual nets become more accurate",
            "Tables 3 and 4",
            _next_deeper,
            False,
        ),
    ]


def _shortcuts(found: Evidence) -> list[Verdict]:
    def options(first: str, second: str) -> Choose:
        return lambda a, b, _: a.depth == b.depth and (a.entry.shortcut, b.entry.shortcut) == (first, second)

    return [
        _verdict(found, "option B is slightly better than option A", "Sec. 4.1, Table 3", options("A", "B"), False),
        _verdict(found, "option C is marginally better than option B", "Sec. 4.1, Table 3", options("B", "C"), False),
    ]


def _next_deeper(a: Net, b: Net, nets: Sequence[Net]) -> bool:
    """Neighbours among residual nets of option B with 34 layers and more."""
    depths = sorted({one.depth for one in nets if one.entry.shortcut == "B" and one.key == a.key and one.depth >= 34})
    both = a.entry.shortcut == b.entry.shortcut == "B" and a.depth in depths and b.depth in depths
    return both and depths.index(b.depth) == depths.index(a.depth) + 1


def _ensembles(found: Evidence) -> Verdict:
    """Table 5 beside Table 4: 3.57 % on the test set, 4.49 % of the best single model on the validation set.

    Against trained networks that were tested as the ensemble was: several scales are more accurate for one network, too.
    """
    held: list[bool] = []
    numbers: list[str] = []
    caveats: list[str] = []
    for one in found.ensembles:
        alike = [
            entry.test
            for entry in found.entries
            if entry.test is not None
            and entry.test.top5 is not None
            and entry.complete
            and entry.test.alike == one.test.alike
        ]
        if not alike or one.test.top5 is None or one.test.split == "train":
            continue
        best = min(test.top5 for test in alike if test.top5 is not None)
        held.append(one.test.top5 < best)
        numbers.append(
            f"top-5: best of {len(alike)} tests of one network {best:.2f} %, {one.label} {one.test.top5:.2f} %"
        )
        caveats += images_of(one.test)
    return Verdict(
        claim="an ensemble is more accurate than the best single model",
        where="Tables 4 and 5",
        answer=answer(held),
        numbers=tuple(numbers),
        caveats=tuple(dict.fromkeys(caveats)),
    )


def _verdict(
    found: Evidence, claim: str, where: str, choose: Choose, worse: bool, measures: Sequence[str] = TESTS
) -> Verdict:
    """Over all pairs that `choose` means; `worse`: the second net is claimed to have the higher error."""
    held: list[bool] = []
    numbers: list[str] = []
    caveats: set[str] = set()
    seen: set[tuple[str, str, str]] = set()
    for measure in measures:
        pairs: dict[tuple[str, str, str], list[tuple[Net, Net]]] = {}
        for a, b in _pairs(nets_by(found, measure), choose):
            pairs.setdefault((title(a.entry.spec), title(b.entry.spec), a.entry.beyond_depth), []).append((a, b))
        for a, b in (both for pair, several in pairs.items() if pair not in seen for both in several):
            more = points(a.error, b.error)
            held.append(more > 0 if worse else more < 0)
            numbers.append(f"{measure}: {_words(a, b)}")
            caveats.update((*a.caveats, *b.caveats))
        seen |= set(pairs)
    return Verdict(
        claim=claim,
        where=where,
        answer=answer(held),
        numbers=tuple(numbers),
        caveats=tuple(sorted(caveats)),
    )


def _pairs(nets: Sequence[Net], choose: Choose) -> Iterator[tuple[Net, Net]]:
    yield from ((a, b) for a in nets for b in nets if a.key == b.key and choose(a, b, nets))


def _words(a: Net, b: Net) -> str:
    """plain-18 27.94 %, plain-34 28.54 % (+0.60 points, n = 1)."""
    n = counted(len(a.errors), len(b.errors))
    more = signed(points(a.error, b.error))
    return f"{a.entry.label} {a.error:.2f} %, {b.entry.label} {b.error:.2f} % ({more}, {n})"
