"""What a test on ImageNet found: errors in %, and the scores they come from."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rescli.data.devkit import Devkit
from rescli.errors import UsageError
from rescli.store.predictions import Predictions
from rescli.store.target import check_folder

BEST = 5
"""Classes of an image that are written out: the top-5 error is about as many."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Graded:
    """A network, or an ensemble, on the images of a folder. `skipped` are names of files that could not be decoded."""

    title: str
    data: str
    predictions: Predictions
    skipped: tuple[str, ...] = ()
    images_per_second: float | None = None

    @property
    def images(self) -> int:
        """Number of images."""
        return len(self.predictions.labels)

    @property
    def labelled(self) -> bool:
        """Whether there is an error to speak of."""
        return self.images > 0 and bool((self.predictions.labels >= 0).all())

    @property
    def runs(self) -> tuple[tuple[int, int], ...]:
        """The iteration, and how many there are, of each network that a run has; weights from elsewhere have neither."""
        about = self.predictions.about
        found = zip(about.get("iterations") or (), about.get("recipes") or (), strict=False)
        return tuple((reached, recipe["iterations"]) for reached, recipe in found if reached is not None and recipe)

    def error(self, k: int) -> float | None:
        """Top-k error in %: the true class is not among the k best. None without labels.

        None, too, where the k best of several are all classes there are.
        """
        if not self.labelled or k >= max(2, self.predictions.scores.shape[1]):
            return None
        return 100 * float((ranks(self.predictions) >= k).mean())

    @property
    def left_out(self) -> int:
        """How many damaged images, now (`skipped` names them) or when the scores were saved."""
        return max(len(self.skipped), int(self.predictions.about.get("skipped") or 0))

    def by_class(self) -> list[tuple[str, int, int, float]]:
        """Name, images, wrong predictions and top-1 error in % of each class that has images."""
        if not self.labelled:
            return []
        wrong, labels, names = ranks(self.predictions) >= 1, self.predictions.labels, names_of(self.predictions)
        counts = [
            (number, int((labels == number).sum()), int(wrong[labels == number].sum())) for number in np.unique(labels)
        ]
        return [(names[number], images, errors, 100 * errors / images) for number, images, errors in counts]

    def to_dict(self) -> dict[str, Any]:
        """As a JSON document."""
        return {
            "title": self.title,
            "data": self.data,
            **self.predictions.about,
            "images": self.images,
            "top1_error": self.error(1),
            "top5_error": self.error(5),
            "left_out": self.left_out,
            "skipped": list(self.skipped),
            "images_per_second": self.images_per_second,
            "classes": [
                {"name": name, "images": images, "errors": errors, "error": error}
                for name, images, errors, error in self.by_class()
            ],
        }


def names_of(made: Predictions) -> tuple[str, ...]:
    """Of the classes; their numbers where nothing names them."""
    return made.classes or tuple(str(number) for number in range(made.scores.shape[1]))


def ranks(made: Predictions) -> npt.NDArray[np.int64]:
    """How many classes have a higher score than the true one, int64 [N]; of equal scores the first class wins, as in argmax."""
    rows = np.arange(len(made.labels))
    true = made.scores[rows, made.labels][:, None]
    before = np.arange(made.scores.shape[1])[None] < made.labels[:, None]
    found: npt.NDArray[np.int64] = ((made.scores > true) | ((made.scores == true) & before)).sum(1)
    return found


def as_csv(made: Predictions) -> Iterator[bytes]:
    """A line for each image: its name, its true class (or nothing), the five best classes, and all scores.

    One after another: as text the test server's 100,000 lines of 1,000 scores would fill gigabytes of memory.
    """
    lines = csv.writer(_Echo(), lineterminator="\n")
    names = names_of(made)
    best = min(BEST, len(names))
    yield _encoded(
        lines.writerow(["file", "class", *(f"best{k + 1}" for k in range(best)), *(f"score:{name}" for name in names)])
    )
    for file, label, scores in zip(made.files, made.labels.tolist(), made.scores, strict=True):
        top = np.argsort(-scores, kind="stable")[:best].tolist()
        true = names[label] if label >= 0 else ""
        yield _encoded(
            lines.writerow([file, true, *(names[k] for k in top), *(f"{score:.9g}" for score in scores.tolist())])
        )


class _Echo:
    """What a CSV writer writes is handed back by its `writerow`."""

    def write(self, line: str) -> str:
        return line


def _encoded(line: str) -> bytes:
    return line.encode("utf-8", "surrogateescape")  # a file's name need not be text


def save(path: Path, made: Predictions, kit: Devkit | None = None) -> None:
    """Write predictions as .h5 or .csv, or as the test server's .txt with a `kit`, in one step.

    Raises `StoreError`, and `UsageError` as `check_name` and `answers` do.
    """
    from rescli.engine.answers import answers
    from rescli.engine.networks import save_bytes
    from rescli.store.predictions import encode_predictions

    check_name(path, numbered=kit is not None)
    if kit is not None:
        save_bytes(path, answers(made, kit))
    else:
        save_bytes(path, as_csv(made) if path.suffix == ".csv" else encode_predictions(made))


def check_name(path: Path, *, numbered: bool) -> None:
    """Before anything is computed; `numbered`: whether it is known how the test server counts classes.

    Raises `UsageError` for another ending than .h5, .csv and .txt, for .txt without numbers and another one with them, for a
    file that is there (it may be a run), and for a missing folder.
    """
    if path.suffix not in (".h5", ".csv", ".txt"):
        raise UsageError(
            f"{path}: predictions are written as .h5 or .csv, answers for the test server as .txt",
            "Give it one of these endings.",
        )
    if path.suffix == ".txt" and not numbered:
        raise UsageError(
            f"{path}: the test server counts classes in an order of its own, which its development kit has",
            "Name that: --devkit ILSVRC2012_devkit_t12.tar.gz.",
        )
    if path.suffix != ".txt" and numbered:
        raise UsageError(f"{path}: has classes by name: --devkit has no effect", "It is for --predictions FILE.txt.")
    if path.exists():
        raise UsageError(f"{path} exists already", "Name another file: --predictions.")
    check_folder(path)
