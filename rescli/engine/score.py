"""`rescli eval`: which of the ways to test a file goes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rescli.data.devkit import Devkit
from rescli.data.listing import sorted_into_classes
from rescli.data.locate import photographs
from rescli.data.views import Views
from rescli.engine.evaluate import evaluate_run, evaluate_weights
from rescli.engine.evaluation import Evaluation
from rescli.engine.graded import Graded
from rescli.engine.networks import open_network, truth_of
from rescli.engine.observer import Observer
from rescli.engine.request import stored_recipe
from rescli.engine.trial import Trial, grade, grade_ensemble
from rescli.errors import UsageError
from rescli.models.weights.bundle import Bundle
from rescli.recipes.imagenet import ImageNetRecipe
from rescli.store.network import holds_network, is_store
from rescli.store.predictions import Predictions, holds_predictions, read_predictions


@dataclass(frozen=True, kw_only=True)
class Scoring:
    """What a user asked for. `name`, `forks`, `normalize` and `layout` are about weights without a run.

    `views` are options of `Views`, and `photographs` the other ones of `Trial`, that were given: they are for ImageNet nets.
    """

    path: Path
    name: str | None = None
    forks: Mapping[str, Any] = field(default_factory=dict)
    normalize: str | None = None
    layout: str = "auto"
    dataset: str | None = None
    split: str | None = None
    data: Path | None = None
    backend: str = "auto"
    precision: str | None = None
    threads: int | None = None
    compile: bool | None = None
    views: Mapping[str, Any] = field(default_factory=dict)
    photographs: Mapping[str, Any] = field(default_factory=dict)
    predicts: bool = False
    """Whether scores are to be saved, which ImageNet nets alone have."""

    devkit: Devkit | None = None


def score(asked: Scoring, observer: Observer | None = None) -> Evaluation | Graded:
    """Test a run's net, or weights without a run. Raises as `evaluate_run`, `evaluate_weights`, `grade`, `open_network` do."""
    where: dict[str, Any] = {
        "split": asked.split or "test",
        "data": asked.data,
        "backend": asked.backend,
        "precision": asked.precision,
        "threads": asked.threads,
        "compile": asked.compile,
    }
    path = asked.path
    _no_table(path)
    if _is_ours(path) and holds_predictions(path):
        _nothing_to_test(asked)
        return grade_ensemble([], [(path, read_predictions(path))], None)
    if _is_ours(path) and not holds_network(path):
        about_weights = [asked.name, asked.normalize, *(value for value in asked.forks.values())]
        if any(value is not None for value in about_weights) or asked.layout != "auto":
            raise UsageError(
                f"{path} is a run, which says itself what its net and inputs are", "Leave these options out."
            )
        recipe = stored_recipe(path)
        if recipe is not None and asked.dataset not in (None, recipe.dataset):
            raise UsageError(f"{path} was trained on {recipe.dataset}, not {asked.dataset}", "Leave the name out.")
        if isinstance(recipe, ImageNetRecipe):
            bundle = open_network(path)
            return grade(path, bundle, trial(asked, bundle), observer)
        _no_photographs(asked)
        return evaluate_run(path, **where)
    bundle = open_network(path, name=asked.name, forks=asked.forks, normalize=asked.normalize, layout=asked.layout)
    if bundle.spec.for_photographs and asked.dataset is None:
        return grade(path, bundle, trial(asked, bundle), observer)
    _no_photographs(asked)
    return evaluate_weights(path, bundle, dataset=asked.dataset, **where)


def score_ensemble(asked: Sequence[Scoring], observer: Observer | None = None) -> Graded:
    """The mean of several ImageNet nets and saved predictions. Raises as `score` does."""
    bundles: list[tuple[Path, Bundle]] = []
    saved: list[tuple[Path, Predictions]] = []
    for one in asked:
        _no_table(one.path)
        if _is_ours(one.path) and holds_predictions(one.path):
            saved.append((one.path, read_predictions(one.path)))
            continue
        bundle = open_network(one.path, normalize=one.normalize, layout=one.layout)
        if not bundle.spec.for_photographs:
            raise UsageError(f"{one.path} is a CIFAR net: ensembles are of ImageNet nets", "Leave it out.")
        bundles.append((one.path, bundle))
    sizes = {bundle.spec.input_size for _, bundle in bundles}
    if len(sizes) > 1:
        listed = " and ".join(str(size) for size in sorted(sizes))
        raise UsageError(
            f"the networks have inputs of {listed} pixels", "Save the predictions of each, then join these."
        )
    if not bundles:
        _nothing_to_test(asked[0])
    elif asked[0].dataset is not None:
        raise UsageError(
            f"these are ImageNet nets, and {asked[0].dataset} is not", "Name a folder of images: --data DIR."
        )
    together = trial(asked[0], _knowing(bundles)) if bundles else None
    return grade_ensemble(bundles, saved, together, observer)


def _knowing(bundles: Sequence[tuple[Path, Bundle]]) -> Bundle:
    """The first net that knows where its images are; else the first."""
    return next((bundle for _, bundle in bundles if bundle.origin.get("data") is not None), bundles[0][1])


def trial(asked: Scoring, bundle: Bundle) -> Trial:
    """What an ImageNet net is to be shown. Raises `DataError` and `UsageError`."""
    size = bundle.spec.input_size
    if asked.views.get("scales") and ({"crops", "shorter"} & set(asked.views)):
        raise UsageError("--scales tests whole images: --crops and --shorter have no effect", "Leave one of them out.")
    if asked.views.get("scales") and asked.compile:
        raise UsageError("--compile is for crops: whole images have too many shapes to compile for", "Leave it out.")
    if not asked.views.get("scales") and ({"pooling", "mirrored"} & set(asked.views)):
        raise UsageError("--pooling and --mirrored are for whole images", "Leave them out, or name --scales.")
    data, images = photographs(asked.data, bundle.origin.get("data")), dict(asked.photographs)
    truth = truth_of(bundle, data)
    if truth is not None and asked.split in (None, "val") and not sorted_into_classes(data, "val"):
        images.setdefault("truth", truth)
    return Trial(
        data=data,
        split=asked.split or "val",
        views=Views(**{"size": size, "shorter": round(size * 256 / 224), **asked.views}),
        backend=asked.backend,
        precision=asked.precision,
        threads=asked.threads,
        compile=asked.compile,
        devkit=asked.devkit,
        **images,
    )


def _nothing_to_test(asked: Scoring) -> None:
    """Raises `UsageError` for options about a test where scores are there already."""
    given = [*asked.views, *asked.photographs, *(name for name, value in asked.forks.items() if value is not None)]
    others = ("normalize", "split", "precision", "threads", "compile")
    given += [name for name in others if getattr(asked, name) is not None]
    given += [name for name in ("layout", "backend") if getattr(asked, name) != "auto"]
    given += ["net"] if asked.name is not None else []
    given += ["data"] if asked.data is not None or asked.dataset is not None else []
    if given:
        options = ", ".join(f"--{name.replace('_', '-')}" for name in given)
        raise UsageError(f"these scores were saved before: {options} would have no effect", "Leave them out.")


def _no_table(path: Path) -> None:
    if path.suffix == ".csv":
        raise UsageError(f"{path}: scores as .csv are for reading", "Save them as .h5 to join them: --predictions.")


def _is_ours(path: Path) -> bool:
    return (path.is_file() or path.suffix == ".h5") and is_store(path)


def _no_photographs(asked: Scoring) -> None:
    names = [*asked.views, *asked.photographs, *(["predictions"] if asked.predicts else [])]
    if names:
        options = ", ".join(f"--{name.replace('_', '-')}" for name in names)
        raise UsageError(f"{asked.path} is a CIFAR net: {options} has no effect", "Leave it out.")
