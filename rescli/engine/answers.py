"""The file that ImageNet's test server takes: for each image the numbers of the five best classes, best first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from rescli.data.devkit import Devkit
from rescli.engine.graded import BEST
from rescli.errors import UsageError
from rescli.store.predictions import Predictions


def answers(made: Predictions, kit: Devkit) -> Iterator[bytes]:
    """A line for each image, by name. Raises `UsageError` as `check_answers` does, and where an image was left out."""
    classes, width = made.classes or kit.classes, made.scores.shape[1]
    if len(classes) != width:
        raise UsageError(
            f"these scores are of {width:,} classes that nothing names; {kit.path} has {len(kit.numbers):,}",
            "Test again with --class-list, a folder's name (n01440764) a line.",
        )
    check_answers(classes, kit)
    if skipped := made.about.get("skipped"):
        raise UsageError(
            f"an answer is wanted for every image; left out as damaged: {skipped}", "Replace these, and test again."
        )
    return _lines(made, [kit.numbers[name] for name in classes])


def check_answers(classes: Sequence[str], kit: Devkit) -> None:
    """Raises `UsageError` for a class that the kit does not know."""
    if strange := [name for name in classes if name not in kit.numbers]:
        raise UsageError(
            f"the class {strange[0]} is none of the {len(kit.numbers):,} of {kit.path}",
            "A line for each class, its folder's name (n01440764): --class-list FILE.",
        )


def _lines(made: Predictions, numbers: Sequence[int]) -> Iterator[bytes]:
    for row in sorted(range(len(made.files)), key=lambda row: (Path(made.files[row]).name, made.files[row])):
        best = np.argsort(-made.scores[row], kind="stable")[:BEST].tolist()
        yield (" ".join(str(numbers[label]) for label in best) + "\n").encode()
