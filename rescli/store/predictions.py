"""Scores of every image, in the same container as a run store: the same header, digest and care in reading."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import rescli
from rescli.store.decode import decode, text_of
from rescli.store.encode import Builder, assemble, dump_json
from rescli.store.header import read_store, with_offer
from rescli.store.problems import DamagedStore, ForeignFile
from rescli.store.record import JSON

SCHEMA = 1


@dataclass(frozen=True, kw_only=True, eq=False)
class Predictions:
    """`scores` float32 [N, classes], `labels` int64 [N] (-1: unknown) and names of N images; names of the classes.

    `about` says how they came about (JSON values): networks, views, precision, and how many images were left out; files of
    before say less. docs/run-store.md lists its keys.
    """

    scores: npt.NDArray[np.float32]
    labels: npt.NDArray[np.int64]
    files: tuple[str, ...]
    classes: tuple[str, ...]
    about: Mapping[str, JSON]


def encode_predictions(made: Predictions) -> bytes:
    """The complete file. Raises `StoreError` when memory runs out."""
    arrays: dict[str, npt.NDArray[Any]] = {"scores": made.scores, "labels": made.labels}

    def fill(builder: Builder, root: object) -> None:
        builder.attribute(root, "schema", SCHEMA)
        builder.attribute(root, "kind", "predictions")
        builder.attribute(root, "created_by", f"rescli {rescli.__version__}")
        builder.text(root, "about", dump_json(dict(made.about)))
        builder.text(root, "files", dump_json(list(made.files)))
        builder.text(root, "classes", dump_json(list(made.classes)))
        builder.arrays(builder.group(root, "images"), arrays)

    return assemble((arrays,), fill, {"kind": "predictions", "status": "predictions", "images": len(made.files)})


def holds_predictions(path: Path) -> bool:
    """Whether one of rescli's own files holds predictions. Reads and checks the file. Raises `StoreError`."""
    try:
        return decode(path, read_store(path)[1], tensors=False).get("@kind") == "predictions"
    except DamagedStore as error:
        raise with_offer(error, path) from error


def read_predictions(path: Path) -> Predictions:
    """The predictions in the file at `path`, every byte checked against the digest first. Raises `StoreError`."""
    try:
        tree: dict[str, Any] = decode(path, read_store(path)[1], tensors=True)
        if tree.get("@kind") != "predictions":
            raise ForeignFile(f"{path}: holds no predictions", "`rescli eval ... --predictions FILE.h5` writes them.")
        images = tree["images"]
        made = Predictions(
            scores=np.asarray(images["scores"], np.float32),
            labels=np.asarray(images["labels"], np.int64),
            files=tuple(text_of(tree, "files")),
            classes=tuple(text_of(tree, "classes")),
            about=text_of(tree, "about"),
        )
        if made.scores.ndim != 2 or not len(made.scores) == len(made.labels) == len(made.files):
            raise ValueError("scores, labels and names are of different numbers of images")
        return made
    except (KeyError, ValueError, TypeError, AttributeError, RecursionError) as error:
        damaged = DamagedStore(f"{path}: its contents are not those of a file of predictions: {error}")
        raise with_offer(damaged, path) from error
    except DamagedStore as error:
        raise with_offer(error, path) from error
