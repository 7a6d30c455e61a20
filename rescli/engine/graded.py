"""What a test on ImageNet found: errors in %, and the scores they come from."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rescli.engine.about import about_ensemble
from rescli.errors import UsageError
from rescli.store.predictions import Predictions
from rescli.store.target import check_folder


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

    def error(self, k: int) -> float | None:
        """Top-k error in %: the true class is not among the k best. None without labels, and where k is all classes."""
        if not self.labelled or k >= self.predictions.scores.shape[1]:
            return None
        return 100 * float((ranks(self.predictions) >= k).mean())

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


def mean_of(members: Sequence[Predictions], names: Sequence[str]) -> Predictions:
    """The mean of the members' scores for each image (Sec. 4.1, Table 5). Raises `UsageError` if they do not fit."""
    first = members[0]
    for name, other in zip(names, members, strict=True):
        for what in ("files", "classes"):
            if getattr(other, what) != getattr(first, what):
                raise UsageError(f"{name} and {names[0]} are not about the same {what}", "Test all on the same images.")
        if other.about.get("average") != first.about.get("average"):
            raise UsageError(
                f"{name} has {other.about.get('average')} scores, {names[0]} has {first.about.get('average')}",
                "Test all with the same --average.",
            )
        if not np.array_equal(other.labels, first.labels):
            raise UsageError(
                f"{name} and {names[0]} have different true classes for the same images", "Which is right?"
            )
    scores = np.mean([member.scores.astype(np.float64) for member in members], axis=0)
    about = about_ensemble([member.about for member in members], names)
    return Predictions(
        scores=scores.astype(np.float32), labels=first.labels, files=first.files, classes=first.classes, about=about
    )


def as_csv(made: Predictions) -> bytes:
    """A line for each image: its name, its true class (or nothing), the five best classes, and all scores."""
    text = io.StringIO()
    lines = csv.writer(text, lineterminator="\n")
    names = names_of(made)
    best = np.argsort(-made.scores, axis=1, kind="stable")[:, :5]
    lines.writerow(
        ["file", "class", *(f"best{k + 1}" for k in range(best.shape[1])), *(f"score:{name}" for name in names)]
    )
    for file, label, top, scores in zip(
        made.files, made.labels.tolist(), best.tolist(), made.scores.tolist(), strict=True
    ):
        true = names[label] if label >= 0 else ""
        lines.writerow([file, true, *(names[k] for k in top), *(f"{score:.9g}" for score in scores)])
    return text.getvalue().encode("utf-8", "surrogateescape")  # a file's name need not be text


def save(path: Path, made: Predictions) -> None:
    """Write predictions as .h5 or .csv, in one step. Raises `StoreError`, and `UsageError` for another ending."""
    from rescli.engine.networks import save_bytes
    from rescli.store.predictions import encode_predictions

    check_name(path)
    save_bytes(path, as_csv(made) if path.suffix == ".csv" else encode_predictions(made))


def check_name(path: Path) -> None:
    """Before anything is computed.

    Raises `UsageError` for a file of another kind than .h5 and .csv, one that is there (it may be a run), and a missing folder.
    """
    if path.suffix not in (".h5", ".csv"):
        raise UsageError(f"{path}: predictions are written as .h5 or .csv", "Give it one of these endings.")
    if path.exists():
        raise UsageError(f"{path} exists already", "Name another file: --predictions.")
    check_folder(path)
