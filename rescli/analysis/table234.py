"""Tables 2, 3 and 4: errors of single networks on ImageNet's validation images, from tests, beside the paper's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from shlex import quote
from typing import Any

from rescli.analysis.evidence import Entry, Evidence, grouped
from rescli.analysis.table import Footnotes, Table, deviation, spread
from rescli.analysis.table234_rules import KINDS, WORDS, Kind, unlike
from rescli.models.names import label
from rescli.profiling.paper import SCALES, Printed
from rescli.store.tested import Tested


def single_models(number: int, found: Evidence) -> Table:
    """Table 2, 3 or 4. Every row of the paper's, with what we have of the same net beside it; other nets below.

    A net whose run has no test of this kind has a row too, and a note with the command that makes one.
    """
    kind = KINDS[number]
    chosen = _without_tested_elsewhere(
        [_chosen(kind, files) for files in _by_file(found.entries) if kind.takes(files[0].spec)]
    )
    notes = Footnotes()
    rows, exact = [], []
    names = [one.net for one in kind.printed]
    others = sorted({one.label for one in chosen} - set(names))
    extra = [Printed(method=name, net=name) for name in others]
    for printed in (*kind.printed, *extra):
        ours = grouped([one for one in chosen if one.label == printed.net]) if printed.net else []
        for group in ours or [[]]:
            marks = list(dict.fromkeys(mark for one in group for mark in marks_of(kind, one)))
            rows.append(_row(kind, printed, group, notes.mark(marks)))
            exact.append(_exact(kind, printed, group, marks))
    what = f"whole images at {', '.join(map(str, SCALES))}" if kind.whole else "10-crop testing"
    return Table(
        title=f"Table {number}",
        columns=(
            "net",
            "n",
            *(f"{WORDS[name]} error (%)" for name in kind.columns),
            *(f"paper, {WORDS[name]} (%)" for name in kind.columns),
            "note",
        ),
        rows=tuple(rows),
        exact=tuple(exact),
        notes=(f"validation images, {what}; mean±std over n seeds", *notes.lines(), *found.twice),
        right=tuple(range(1, 2 + 2 * len(kind.columns))),
    )


def _by_file(entries: Sequence[Entry]) -> list[list[Entry]]:
    found: dict[Any, list[Entry]] = {}
    for one in entries:
        found.setdefault(one.path, []).append(one)
    return list(found.values())


def _chosen(kind: Kind, files: Sequence[Entry]) -> Entry:
    """Of one file's tests the one nearest to what the table wants, or the file without a test."""
    fitting = [one for one in files if one.test is not None and bool(one.test.scales) == kind.whole]
    if fitting:
        return min(fitting, key=lambda one: _far(kind, one.test))
    outdated = tuple(test for test in files[0].outdated if bool(test.scales) == kind.whole)
    return replace(files[0], test=None, outdated=outdated)


def _far(kind: Kind, test: Tested | None) -> tuple[bool, int, int]:
    """How far a test is from what the table wants: first of all it is not of training images, last of all of many."""
    assert test is not None
    return test.split == "train", len(unlike(kind, test)), -test.images


def _without_tested_elsewhere(entries: Sequence[Entry]) -> list[Entry]:
    """Without runs that have no test, where saved scores of the same weights have one."""
    tested = {one.weights for one in entries if one.test is not None}
    return [one for one in entries if one.test is not None or not one.weights or one.weights not in tested]


def marks_of(kind: Kind, one: Entry) -> tuple[str, ...]:
    """What keeps an entry from standing beside the paper's figures, in words."""
    if one.test is not None:
        again = f"`rescli eval {quote(str(one.path))} {kind.options} --save`"
        return (*one.training, *unlike(kind, one.test, again if one.run else ""))
    command = f"`rescli eval {quote(str(one.path))} {kind.options} --save` makes one"
    if one.outdated:
        past = " and ".join(f"{test.iteration:,}" for test in one.outdated if test.iteration is not None)
        return (*one.training, f"its test is of other weights, of iteration {past}, than the run has now: {command}")
    return (*one.training, f"not tested so yet: {command}")


def _row(kind: Kind, printed: Printed, group: Sequence[Entry], note: str) -> tuple[str, ...]:
    tests = [one.test for one in group if one.test is not None]
    return (
        printed.method,
        str(len(tests)) if group else "",
        *(spread(values_of(tests, name)) for name in kind.columns),
        *(printed.text(name) for name in kind.columns),
        note,
    )


def values_of(tests: Sequence[Tested], name: str) -> list[float]:
    """The errors called `name`, of those tests that have them."""
    return [value for test in tests if (value := getattr(test, name)) is not None]


def _exact(kind: Kind, printed: Printed, group: Sequence[Entry], marks: Sequence[str]) -> dict[str, Any]:
    tests = [one.test for one in group if one.test is not None]
    found: dict[str, Any] = {"net": printed.method}
    found |= {f"paper_{name}": getattr(printed, name) for name in kind.columns}
    if not group:
        return found
    for name in kind.columns:
        values = values_of(tests, name)
        found |= {
            f"{name}_mean": sum(values) / len(values) if values else None,
            f"{name}_std": deviation(values) if len(values) > 1 else None,
            f"{name}_errors": values,
        }
    first = group[0]
    return {
        **found,
        "n": len(tests),
        "label": label(first.spec),
        "seeds": [one.recipe.seed for one in group if one.recipe],
        "images": first.test and first.test.images,
        "classes": first.spec.classes,
        "crops": first.test and first.test.crops,
        "scales": list(first.test.scales) if first.test else [],
        "average": first.test and first.test.average,
        "precision": first.test and first.test.precision,
        "marks": list(marks),
        "files": [str(one.path) for one in group],
    }
