"""The members of an ensemble: whether they fit, and their mean (Sec. 4.1, Table 5)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from rescli.data.listing import Photographs, read_classes
from rescli.engine.about import about_ensemble, networks_in
from rescli.errors import UsageError
from rescli.models.weights.bundle import Bundle
from rescli.store.predictions import Predictions


def mean_of(members: Sequence[Predictions], names: Sequence[str]) -> Predictions:
    """The mean of all networks' scores for each image: a member that is an ensemble counts as the networks it is of.

    Raises `UsageError` if they do not fit.
    """
    first = members[0]
    for name, other in zip(names, members, strict=True):
        _check_images(name, names[0], other, first)
        if other.about.get("average") != first.about.get("average"):
            raise UsageError(
                f"{name} has {other.about.get('average')} scores, {names[0]} has {first.about.get('average')}",
                "Test all with the same --average.",
            )
    counts = [networks_in(member.about) for member in members]
    total = np.zeros(first.scores.shape, np.float64)
    for count, member in zip(counts, members, strict=True):
        total += count * member.scores.astype(np.float64)
    about = about_ensemble([member.about for member in members], names)
    return Predictions(
        scores=(total / sum(counts)).astype(np.float32),
        labels=first.labels,
        files=first.files,
        classes=first.classes,
        about=about,
    )


def check_different(members: Sequence[tuple[Path, Sequence[str | None], str]]) -> None:
    """Of each member the digests of its networks, and its views. Raises `UsageError` for a network that would count twice.

    Scores of one network from different views are no repetition.
    """
    seen: dict[tuple[str, str], Path] = {}
    for path, digests, views in members:
        for one in filter(None, digests):
            first = seen.setdefault((one, views), path)
            if first is not path:
                raise UsageError(
                    f"{first} and {path} are of the same weights and views, which would count twice",
                    "Leave one of them out.",
                )


def check_tasks(widths: Mapping[Path, int]) -> None:
    """Of each member's number of classes. Raises `UsageError` where they differ."""
    (first, classes), *others = widths.items()
    for path, other in others:
        if other != classes:
            raise UsageError(
                f"{first} tells {classes} classes apart, {path} {other}", "An ensemble is of nets for one task."
            )


def check_saved(path: Path, saved: Predictions, listing: Photographs, *, skip_damaged: bool) -> None:
    """Saved scores beside images that are to be tested. Raises `UsageError` where they are not about the same.

    With `skip_damaged` they may lack images, as those that are tested now may.
    """
    kept = np.ones(len(listing), np.bool_)
    if skip_damaged:
        known = set(saved.files)
        kept = np.array([name in known for name in listing.files], np.bool_)
    rest = Predictions(
        scores=saved.scores,
        labels=listing.labels[kept],
        files=tuple(name for name, keep in zip(listing.files, kept.tolist(), strict=True) if keep),
        classes=listing.classes,
        about={},
    )
    _check_images(str(path), str(listing.root), saved, rest)


def known_classes(bundles: Sequence[tuple[Path, Bundle]]) -> tuple[str, ...] | None:
    """The classes that runs were trained to tell apart; None where nobody says. Raises `UsageError` where they differ."""
    known = {path: tuple(bundle.origin.get("classes") or ()) for path, bundle in bundles}
    named = {path: classes for path, classes in known.items() if classes}
    if len(set(named.values())) > 1:
        raise UsageError(f"{' and '.join(map(str, named))} were trained on different classes", "Test them one by one.")
    return next(iter(named.values()), None)


def listed_classes(path: Path, known: Sequence[str] | None) -> tuple[str, ...]:
    """The classes in the file at `path`. Raises `UsageError` where they are those the runs `known`, in another order."""
    listed = read_classes(path)
    if known is not None and tuple(known) != listed and set(known) == set(listed):
        raise UsageError(
            f"{path} has the classes in another order than the run, whose outputs they are", "Leave out --class-list."
        )
    return listed


def _check_images(name: str, first: str, other: Predictions, expected: Predictions) -> None:
    for what in ("files", "classes"):
        if getattr(other, what) != getattr(expected, what):
            raise UsageError(f"{name} and {first} are not about the same {what}", "Test all on the same images.")
    if not np.array_equal(other.labels, expected.labels):
        raise UsageError(f"{name} and {first} have different true classes for the same images", "Which is right?")
