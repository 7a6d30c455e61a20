"""Testing on ImageNet (Sec. 3.4): each image in one or several views, through one network or an ensemble."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rescli.backends.base import Job, Look, Worker
from rescli.backends.registry import choose
from rescli.data.decode import DamagedImage, decode, in_parallel, threads
from rescli.data.devkit import Devkit
from rescli.data.listing import Photographs, list_images
from rescli.data.packed import Packed
from rescli.data.pixels import Normalized
from rescli.data.views import Views, make_ready
from rescli.engine.about import about_network
from rescli.engine.answers import check_answers
from rescli.engine.graded import Graded
from rescli.engine.members import check_different, check_saved, check_tasks, known_classes, listed_classes, mean_of
from rescli.engine.networks import inputs_of
from rescli.engine.observer import Observer, Silent
from rescli.engine.prepare import precision_of, start_job
from rescli.errors import DataError, RescliError, UsageError
from rescli.models.spec import Spec
from rescli.models.weights.bundle import Bundle
from rescli.models.weights.digest import digest
from rescli.models.weights.read import module_of
from rescli.store.predictions import Predictions

AT_ONCE = 32
"""Images between two looks at the screen, and over which those of one shape are gathered."""

Shown = list[npt.NDArray[np.uint8]]
"""An image's views: uint8 [views, 3, H, W], once for each scale."""


@dataclass(frozen=True, kw_only=True)
class Trial:
    """What a user asked for. `data` holds the folder `split`, or images; `truth` and `class_list` are files."""

    data: Path
    split: str = "val"
    truth: Path | None = None
    class_list: Path | None = None
    views: Views
    backend: str = "auto"
    precision: str | None = None
    threads: int | None = None
    compile: bool | None = None
    skip_damaged: bool = False
    devkit: Devkit | None = None
    """ImageNet's, whose numbers of classes the predictions are to be written with."""


def grade(path: Path, bundle: Bundle, asked: Trial, observer: Observer | None = None) -> Graded:
    """One network. Raises `DataError` for damaged images, `BackendError`, and `UsageError` for what does not fit."""
    made, skipped, rate = _run([(path, bundle)], asked, observer or Silent())
    return _graded(made[0], asked, skipped, rate)


def grade_ensemble(
    bundles: Sequence[tuple[Path, Bundle]],
    saved: Sequence[tuple[Path, Predictions]],
    asked: Trial | None,
    observer: Observer | None = None,
) -> Graded:
    """The mean over networks, tested now, and predictions of earlier tests. `asked` is None where nothing is left to test.

    Of one member alone, that member.
    """
    shown = asked.views.title() if asked is not None else ""
    check_different(
        [
            *((path, [digest(bundle.tensors)], shown) for path, bundle in bundles),
            *((path, one.about.get("weights_sha256") or [], str(one.about.get("views"))) for path, one in saved),
        ]
    )
    made: list[Predictions] = []
    skipped: tuple[str, ...] = ()
    rate = None
    if bundles:
        assert asked is not None
        _check_members(bundles, saved, asked)
        made, skipped, rate = _run(bundles, asked, observer or Silent(), saved)
    members = [*made, *(predictions for _, predictions in saved)]
    names = [str(path) for path, _ in (*bundles, *saved)]
    return _graded(mean_of(members, names) if len(members) > 1 else members[0], asked, skipped, rate)


def _graded(made: Predictions, asked: Trial | None, skipped: tuple[str, ...], rate: float | None) -> Graded:
    networks = [str(network) for network in made.about.get("networks", [])]
    name = networks[0] if len(networks) == 1 else f"ensemble of {len(networks)}: {', '.join(networks)}"
    data = str(asked.data) if asked is not None else "saved predictions"
    return Graded(title=name, data=data, predictions=made, skipped=skipped, images_per_second=rate)


def _check_members(
    bundles: Sequence[tuple[Path, Bundle]], saved: Sequence[tuple[Path, Predictions]], asked: Trial
) -> None:
    """Before an image is looked for. Raises `UsageError` for members whose scores have no mean."""
    widths = {path: bundle.spec.classes for path, bundle in bundles}
    check_tasks(widths | {path: predictions.scores.shape[1] for path, predictions in saved})
    for path, predictions in saved:
        if predictions.about.get("average") != asked.views.average:
            raise UsageError(
                f"{path} has {predictions.about.get('average')} scores, the others are to have {asked.views.average}",
                "Test all with the same --average.",
            )


def _run(
    bundles: Sequence[tuple[Path, Bundle]],
    asked: Trial,
    observer: Observer,
    saved: Sequence[tuple[Path, Predictions]] = (),
) -> tuple[list[Predictions], tuple[str, ...], float]:
    listing = _listing(bundles, asked, saved)
    chosen = choose(asked.backend)
    precision = precision_of(chosen, asked.precision or "fp32")
    workers = [_worker(path, bundle, chosen, precision, asked) for path, bundle in bundles]
    scores = [np.zeros((len(listing), bundle.spec.classes), np.float64) for _, bundle in bundles]
    seen, skipped = np.ones(len(listing), np.bool_), []
    make_ready()
    observer.begin(0, len(listing), 1)
    started, before = time.perf_counter(), 0
    try:
        for rows, images in _decoded(listing, asked):
            good = [(row, image) for row, image in zip(rows, images, strict=True) if isinstance(image, list)]
            for row, image in zip(rows, images, strict=True):
                if isinstance(image, DamagedImage):
                    observer.note(f"left out: {image.message}")
                    seen[row] = False
                    skipped.append(listing.files[row])
            for worker, into in zip(workers, scores, strict=True):
                _score(worker, good, asked.views, into)
            done = rows[-1] + 1
            observer.step(done)
            if not before and done < len(listing):  # the first images are slower: kernels are chosen, or compiled
                started, before = time.perf_counter(), done
    finally:
        observer.end()
    taken = time.perf_counter() - started
    made = []
    for (path, bundle), found in zip(bundles, scores, strict=True):
        if not np.isfinite(found).all():
            raise RescliError(f"{path}: some scores are not finite", "Try --precision fp32, or another --normalize.")
        more = {"precision": precision, "backend": chosen.name, "inputs": inputs_of(path, bundle).source}
        left_out = len(skipped) + _never_packed(listing)
        about = about_network(path, bundle, asked.views, **more, split=asked.split, skipped=left_out)
        made.append(_predictions(listing, found, seen, about))
    if not seen.any():
        raise DataError(f"{listing.root}: no image could be decoded", "Is it the right folder?")
    return made, tuple(skipped), float(seen[before:].sum()) / taken


def _listing(
    bundles: Sequence[tuple[Path, Bundle]], asked: Trial, saved: Sequence[tuple[Path, Predictions]]
) -> Photographs:
    """The images to test on, once all networks and saved scores fit them."""
    classes = known_classes(bundles)
    if asked.class_list is not None:
        classes = listed_classes(asked.class_list, classes)
    if asked.devkit is not None:
        classes = classes or asked.devkit.classes
        check_answers(classes, asked.devkit)
    listing = list_images(asked.data, asked.split, truth=asked.truth, classes=classes)
    if asked.devkit is not None and (missing := _never_packed(listing)):
        raise UsageError(
            f"an answer is wanted for every image; {missing} were left out when {listing.root} was packed",
            "Replace these, and pack the images again.",
        )
    for path, bundle in bundles:
        _check(path, bundle.spec, listing)
    for path, predictions in saved:
        check_saved(path, predictions, listing, skip_damaged=asked.skip_damaged)
    return listing


def _never_packed(listing: Photographs) -> int:
    """Of images in one file, how many were damaged when it was made, and are not in it."""
    return int(listing.index.about.get("skipped", 0)) if isinstance(listing, Packed) else 0


def _predictions(
    listing: Photographs, scores: npt.NDArray[np.float64], seen: npt.NDArray[np.bool_], about: Mapping[str, Any]
) -> Predictions:
    return Predictions(
        scores=scores[seen].astype(np.float32),
        labels=listing.labels[seen],
        files=tuple(itertools.compress(listing.files, seen.tolist())),
        classes=listing.classes,
        about=about,
    )


def _check(path: Path, spec: Spec, listing: Photographs) -> None:
    if not spec.for_photographs:
        raise UsageError(f"{path} is a CIFAR net: crops and scales of photographs are not for it", "Leave them out.")
    if listing.classes and len(listing.classes) != spec.classes:
        raise UsageError(
            f"{path} tells {spec.classes} classes apart; {listing.root} has {len(listing.classes)}",
            "Name all classes of the network in its order, a folder's name a line: --class-list FILE.",
        )
    if len(listing) and int(listing.labels.max()) >= spec.classes:
        raise UsageError(
            f"{path} tells {spec.classes} classes apart; there are images of class {int(listing.labels.max())}",
            "Classes are counted from 0. Is it the right --truth?",
        )


def _worker(path: Path, bundle: Bundle, backend: Any, precision: str, asked: Trial) -> Worker:
    inputs = inputs_of(path, bundle)
    job = Job(
        network=module_of(bundle),
        feeds={"test": Normalized(inputs.mean, inputs.std, inputs.divisor)},
        classes=bundle.spec.classes,
        precision=precision,
        threads=asked.threads,
        compile=asked.compile,
    )
    return start_job(backend, job)


def _decoded(listing: Photographs, asked: Trial) -> Iterator[tuple[list[int], list[Shown | DamagedImage]]]:
    """Some rows at a time, and the views of each or what is wrong with it. Raises `DataError` unless that is to be skipped."""

    def views(row: int) -> Shown | DamagedImage:
        try:
            return asked.views.of(decode(listing.opened(row)))
        except DamagedImage as error:
            if not asked.skip_damaged:
                raise
            return error

    results = in_parallel(views, range(len(listing)), workers=asked.threads or threads())
    for first in range(0, len(listing), AT_ONCE):
        rows = list(range(first, min(first + AT_ONCE, len(listing))))
        yield rows, [next(results) for _ in rows]


def _score(worker: Worker, images: list[tuple[int, Shown]], views: Views, into: npt.NDArray[np.float64]) -> None:
    """Add the mean over scales; images of one shape go through the network together."""
    look = Look(
        average=views.average,
        pooling=views.pooling if views.scales else None,
        mirrored=views.mirrored and bool(views.scales),
    )
    groups: dict[tuple[int, ...], list[tuple[int, npt.NDArray[np.uint8]]]] = {}
    for row, shown in images:
        for pixels in shown:
            groups.setdefault(pixels.shape, []).append((row, pixels))
    for members in groups.values():
        rows = [row for row, _ in members]
        found = worker.scores("test", np.stack([pixels for _, pixels in members]), look)
        np.add.at(into, rows, found / len(images[0][1]))
