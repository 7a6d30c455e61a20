"""ImageNet runs and saved predictions with made-up figures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rescli.analysis.collect import collect
from rescli.analysis.evidence import Evidence, evidence
from rescli.analysis.table import Table
from rescli.engine.about import about_ensemble, about_network
from rescli.engine.networks import save_bytes
from rescli.models.weights.bundle import Bundle
from rescli.models.weights.digest import digest
from rescli.recipes.imagenet import ImageNetRecipe
from rescli.store.predictions import Predictions, encode_predictions
from rescli.store.record import RunRecord
from rescli.store.tested import Tested
from rescli.store.writer import write_run

SCALES = (224, 256, 384, 480, 640)


def weights(seed: int) -> dict[str, npt.NDArray[Any]]:
    """Something that has a digest of its own; no analysis looks further."""
    return {"conv1.weight": np.full((2, 2), seed, np.float32)}


def a_test(model: dict[str, npt.NDArray[Any]], *, top1: float, top5: float | None, **changes: Any) -> Tested:
    """Ten crops, as in Table 3, of these weights."""
    values: dict[str, Any] = {"images": 50_000, "classes": 1000, "crops": 10, "size": 224, "shorter": 256}
    values |= {"precision": "fp32", "weights": digest(model), "iteration": 600_000}
    return Tested(**{"top1": top1, "top5": top5, **values, **changes})


def whole(**changes: Any) -> dict[str, Any]:
    """What a test of whole images says, as in Table 4."""
    how = {"crops": 0, "shorter": 0, "scales": SCALES, "mirrored": True, "pooling": "windows"}
    return {**how, **changes}


def a_run(
    path: Path,
    *,
    top1: float | None = None,
    top5: float | None = 7.0,
    error: float = 30.0,
    train_error: float = 35.0,
    done: int | None = None,
    classes: int | None = None,
    now: int | None = None,
    images: int | None = None,
    tests: tuple[dict[str, Any], ...] = (),
    **recipe: Any,
) -> Path:
    """A run of the paper's recipe with a 10-crop test of these errors, if any, and more tests (`a_test`'s words).

    `now` other than the seed: the weights went on after the test. `done` iterations of an unfinished one. Runs on other
    `images` have another number there.
    """
    settled = ImageNetRecipe(**{"precision": "fp32", "momentum_form": "caffe", **recipe}).resolved()
    model = weights(hash_of(settled))
    found = [] if top1 is None else [a_test(model, top1=top1, top5=top5, classes=classes or 1000)]
    found += [a_test(model, **{"top1": 25.0, "top5": 7.0, "classes": classes or 1000, **words}) for words in tests]
    iteration = settled.iterations if done is None else done
    status: Any = "finished" if done is None else "stopped"
    names = {} if classes is None else {"classes": np.array([f"n{n:03}".encode() for n in range(classes)])}
    which = {} if images is None else {"images_sha256": np.full(32, images, np.uint8)}
    path.parent.mkdir(parents=True, exist_ok=True)
    assert settled.eval_every
    assert settled.log_every
    write_run(
        path,
        RunRecord(
            status=status,
            recipe=settled.to_dict(),
            environment={},
            progress={"iteration": iteration, "seconds": 60.0, "drops": 2, "best_error": error, "waited": 1},
            sessions=[{"command": "rescli train imagenet", "backend": "cpu"}],
            metrics={
                "train": _curve(iteration, settled.log_every, train_error),
                "val": _curve(iteration, settled.eval_every, error),
            },
            inputs={"mean_image": np.full((4, 4, 3), 0.5, np.float32), **names, **which},
            model=model if now is None else weights(now),
            momentum={},
            analysis={"tests": {test.name: test.to_tree() for test in found}} if found else {},
            summary={"status": status, "iteration": iteration, "iterations": settled.iterations},
        ),
    )
    return path


def hash_of(recipe: ImageNetRecipe) -> int:
    """Equal for equal recipes, and a float32 holds it."""
    return sum(ord(letter) * number for number, letter in enumerate(repr(recipe.to_dict()))) % 2**24


def _curve(iterations: int, every: int, last: float) -> dict[str, npt.NDArray[Any]]:
    at = np.arange(every, iterations + 1, every)
    return {"iteration": at, "loss": at * 0.0, "error": np.where(at < iterations / 2, 90.0, last).astype(np.float64)}


def scores(path: Path, spec: Any, *, wrong: int, images: int = 20, classes: int = 10, **words: Any) -> Path:
    """Predictions of one network that are wrong (and not among the best five) for the first so many images."""
    from rescli.data.views import Views

    views = Views(**{"crops": 10, **words.pop("views", {})})
    model = words.pop("model", weights(len(str(path))))
    bundle = Bundle(spec=spec, tensors=model, preprocessing=None, origin=words.pop("origin", {}))
    facts = {"precision": "fp32", "backend": "cpu", "inputs": "imagenet", "split": "val", "skipped": 0, **words}
    save_bytes(path, encode_predictions(of(wrong, images, classes, about_network(path, bundle, views, **facts))))
    return path


def ensemble(path: Path, members: list[Path], *, wrong: int, images: int = 20, classes: int = 10) -> Path:
    """Predictions that say they are the mean of these."""
    from rescli.store.predictions import read_predictions

    about = about_ensemble([read_predictions(member).about for member in members], [str(one) for one in members])
    save_bytes(path, encode_predictions(of(wrong, images, classes, about)))
    return path


def of(wrong: int, images: int, classes: int, about: Any) -> Predictions:
    """All images are of the first class; where the scores are to be wrong that is the last one by them."""
    found = np.tile(np.linspace(1, 0, classes, dtype=np.float32), (images, 1))
    found[:wrong] = found[:wrong, ::-1]
    labels = np.zeros(images, np.int64)
    files = tuple(f"{number}.JPEG" for number in range(images))
    return Predictions(
        scores=found, labels=labels, files=files, classes=tuple(f"n{n:03}" for n in range(classes)), about=about
    )


def known(*sources: Path) -> Evidence:
    return evidence(collect(sources, predictions=True))


def rows(table: Table) -> dict[str, tuple[str, ...]]:
    """By the first cell; the last of several rows of one name."""
    return {row[0]: row[1:] for row in table.rows}


def note_of(table: Table, letters: str) -> list[str]:
    notes = dict(line.split(": ", 1) for line in table.notes if line.split(": ")[0].isalpha())
    return [notes[letter] for letter in letters.split(",")]
