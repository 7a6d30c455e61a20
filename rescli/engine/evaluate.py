"""Testing a finished or running net: "we only evaluate the single view of the original 32x32 image" (Sec. 4.2)."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from rescli.backends.base import Job, State, Totals
from rescli.backends.registry import choose
from rescli.data.feed import ResidentImages
from rescli.data.names import info
from rescli.data.read import load
from rescli.data.split import split as split_dataset
from rescli.engine.evaluation import Evaluation
from rescli.engine.networks import inputs_of, resident
from rescli.engine.prepare import precision_of, start_job
from rescli.errors import UsageError
from rescli.models.build import build
from rescli.models.names import title
from rescli.models.spec import Spec
from rescli.models.weights.bundle import Bundle
from rescli.models.weights.read import module_of
from rescli.recipes.cifar import CifarRecipe
from rescli.store.reader import read_run


def evaluate_run(
    path: Path,
    *,
    split: str = "test",
    data: Path | None = None,
    backend: str = "auto",
    precision: str | None = None,
    threads: int | None = None,
    compile: bool | None = None,  # noqa: A002 - the option's name
) -> Evaluation:
    """The net of a run store on a split of its data set: "test", "train" or "val".

    `precision` None is the one it was trained with, so that the figures are those of the run's own last evaluation.
    Raises `StoreError`, `DataError`, `BackendError`, and `UsageError` for a split that the run does not have.
    """
    record = read_run(path)
    recipe = CifarRecipe.from_dict(record.recipe)
    chosen = choose(backend)
    settled = precision_of(chosen, precision or recipe.precision)
    dataset = load(recipe.dataset, data=data)
    splits = split_dataset(dataset, recipe.validation)
    images = {"train": splits.train, "val": splits.validation, "test": splits.test}.get(split)
    if images is None:
        raise UsageError(f"{path} has no split '{split}'", "There are train and test, and val if images were held out.")
    spec = recipe.spec(classes=len(dataset.classes))
    job = Job(
        network=build(spec),
        feeds={split: ResidentImages(images, np.asarray(record.inputs["mean_image"], dtype=np.float32))},
        classes=spec.classes,
        precision=settled,
        threads=threads or record.last_session.get("threads"),
        compile=compile,
    )
    worker = start_job(chosen, job)
    worker.load(State(model=record.model, momentum={}, totals=Totals()))
    tally = worker.evaluate(split)
    assert tally is not None
    return Evaluation(
        path=path,
        network=spec.name,
        dataset=recipe.dataset,
        split=split,
        iteration=record.progress["iteration"],
        iterations=recipe.iterations,
        precision=settled,
        backend=chosen.name,
        classes=dataset.classes,
        inputs=f"mean image of {recipe.dataset}",
        tally=tally,
    )


def evaluate_weights(
    path: Path,
    bundle: Bundle,
    *,
    dataset: str | None = None,
    split: str = "test",
    data: Path | None = None,
    backend: str = "auto",
    precision: str | None = None,
    threads: int | None = None,
    compile: bool | None = None,  # noqa: A002 - the option's name
) -> Evaluation:
    """Weights without a run (`path` is for messages) on "test" or "train" images, normalized as theirs were.

    `dataset` None is the one with that number of classes. `precision` None is fp32: figures of weights from
    elsewhere were published in it.
    Raises `DataError`, `BackendError`, and `UsageError` where the data set does not fit the network.
    """
    spec, inputs = bundle.spec, inputs_of(path, bundle)
    chosen = choose(backend)
    settled = precision_of(chosen, precision or "fp32")
    trained_on = dict(bundle.origin.get("recipe") or {}).get("dataset")
    if trained_on is not None and dataset not in (None, trained_on):
        raise UsageError(f"{path} was trained on {trained_on}, not {dataset}", "Leave the name out.")
    name = dataset or trained_on or _dataset_of(spec)
    loaded = load(name, data=data)
    if split == "val":
        raise UsageError(f"{path}: only a run has images that it held out", "There are train and test.")
    images = loaded.train if split == "train" else loaded.test
    if (len(loaded.classes), images.images.shape[1]) != (spec.classes, spec.input_size):
        raise UsageError(
            f"{spec.name} tells {spec.classes} classes apart in images of {spec.input_size} pixels; {name} has "
            f"{len(loaded.classes)} classes and {images.images.shape[1]} pixels",
            "Name another data set: --data.",
        )
    job = Job(
        network=module_of(bundle),
        feeds={split: resident(str(path), images, inputs)},
        classes=spec.classes,
        precision=settled,
        threads=threads,
        compile=compile,
    )
    tally = start_job(chosen, job).evaluate(split)
    assert tally is not None
    return Evaluation(
        path=path,
        network=title(spec),
        dataset=name,
        split=split,
        iteration=None,
        iterations=None,
        precision=settled,
        backend=chosen.name,
        classes=loaded.classes,
        inputs=inputs.source,
        tally=tally,
    )


def _dataset_of(spec: Spec) -> str:
    """The data set that a CIFAR net was trained for, by its number of classes."""
    name = {10: "cifar10", 100: "cifar100"}.get(spec.classes)
    if name is None or spec.input_size != info(name).image_size:
        raise UsageError(f"no data set here fits {spec.name} with {spec.classes} classes", "Name one: --data cifar10.")
    return name
