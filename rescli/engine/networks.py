"""Networks with weights, from wherever they are: a run store, a file that `rescli build` wrote, or somebody else's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rescli.errors import DataError, RescliError, StoreError
from rescli.models.names import describe, described, network, with_named
from rescli.models.spec import Spec
from rescli.models.weights.bundle import NORMALIZATIONS, Bundle, Preprocessing
from rescli.recipes.stored import recipe_of
from rescli.store.network import NetworkRecord, encode_network, holds_network, is_store, read_network
from rescli.store.reader import read_run
from rescli.store.replace import replace
from rescli.store.target import put

if TYPE_CHECKING:
    from rescli.data.dataset import Images
    from rescli.data.feed import ResidentImages


def open_network(
    path: Path,
    *,
    name: str | None = None,
    forks: Mapping[str, Any] | None = None,
    normalize: str | None = None,
    layout: str = "auto",
) -> Bundle:
    """The network and weights in the file at `path`.

    `name` and `forks` are what the user said on purpose: a file that says otherwise is refused. `normalize` is a key of
    `NORMALIZATIONS`, `layout` how the tensors of a foreign file are named. Raises `DataError` and `StoreError` for files that
    cannot be read, and `RescliError` where file and wishes differ.
    """
    named_as_ours = path.suffix in (".h5", ".hdf5")
    if not (path.is_file() or named_as_ours) or not is_store(path):
        from rescli.models.weights.read import read_weights

        bundle = read_weights(path, name=name, forks=forks, normalize=normalize, layout=layout)
        _check_recipe(path, bundle)
        return bundle
    if layout not in ("auto", "rescli"):
        raise RescliError(f"{path}: rescli wrote this file, its layout is not {layout}", "Leave --layout out.")
    stated = with_named(name, forks or {})
    bundle = _of_network(path) if holds_network(path) else _of_run(path)
    _agree(path, bundle.spec, name, stated)
    if normalize is not None:
        bundle = _normalized(path, bundle, normalize)
    return bundle


def save_network(path: Path, bundle: Bundle) -> None:
    """Write `bundle` as a file of our own, in one step; an earlier one becomes the previous generation. Raises `StoreError`."""
    inputs = bundle.preprocessing
    replace(
        path,
        encode_network(
            NetworkRecord(
                network=describe(bundle.spec),
                model=bundle.tensors,
                preprocessing={} if inputs is None else {"divisor": inputs.divisor, "source": inputs.source},
                inputs={} if inputs is None else {"mean": inputs.mean, "std": inputs.std},
                origin=bundle.origin,
            )
        ),
    )


def save_bytes(path: Path, data: bytes | Iterable[bytes]) -> None:
    """Write an export, whole or part by part, in one step: whoever reads sees all or nothing. Raises `StoreError`."""
    put(Path(path), data)


def resident(what: str, images: Images, inputs: Preprocessing) -> ResidentImages:
    """Images in memory as a net wants them. Raises `DataError` where its mean image has another size."""
    from rescli.data.feed import ResidentImages

    shape = images.images.shape[1:]
    if inputs.mean.ndim == 3 and inputs.mean.shape != shape:
        raise DataError(f"{what}: its mean image has the shape {inputs.mean.shape}, the images have {shape}")
    mean = np.ascontiguousarray(np.broadcast_to(inputs.mean, shape), dtype=np.float32)
    std = None if (inputs.std == 1).all() else inputs.std
    return ResidentImages(images, mean, std=std, divisor=inputs.divisor)


def _of_network(path: Path) -> Bundle:
    record = read_network(path)
    try:
        spec = described(record.network)
        inputs = None
        if record.preprocessing:
            inputs = Preprocessing(
                divisor=float(record.preprocessing["divisor"]),
                mean=np.asarray(record.inputs["mean"], np.float32),
                std=np.asarray(record.inputs["std"], np.float32),
                source=str(record.preprocessing["source"]),
            )
    except (RescliError, KeyError, ValueError, TypeError, AssertionError) as error:
        raise StoreError(f"{path}: does not describe a network: {error}", "Build it anew from its source.") from error
    return Bundle(spec=spec, tensors=record.model, preprocessing=inputs, origin=record.origin)


def _of_run(path: Path) -> Bundle:
    record = read_run(path)
    recipe = recipe_of(record.recipe)
    try:
        spec = recipe.spec(classes=_classes(record.model))
        mean = np.asarray(record.inputs["mean_image"], np.float32)
    except KeyError as error:
        raise StoreError(f"{path}: the run holds no {error}", "It has not got to its first checkpoint.") from error
    inputs = Preprocessing(
        divisor=255.0, mean=mean, std=np.ones(3, np.float32), source=f"mean image of {recipe.dataset}"
    )
    last = record.last_session
    names = record.inputs["classes"].tolist() if "classes" in record.inputs else []
    origin = {
        "run": path.name,
        "iteration": record.progress.get("iteration"),
        "recipe": recipe.to_dict(),
        "data": last.get("data"),
        "truth": last.get("truth"),
        "images": record.images,
        "classes": [name.decode(errors="surrogateescape") for name in names],  # a folder's name need not be text
    }
    return Bundle(spec=spec, tensors=record.model, preprocessing=inputs, origin=origin)


def _classes(model: Mapping[str, Any]) -> int:
    """Of a net with these tensors: the last fc layer has a bias for each."""
    return len(model["fc.bias"] if "fc.bias" in model else model["classifier.6.bias"])


def _check_recipe(path: Path, bundle: Bundle) -> None:
    """Raises `DataError` for the recipe of a run in a file that others may have written, if it is none."""
    try:
        recipe_of(bundle.origin["recipe"])
    except KeyError:  # weights without a run
        return
    except (RescliError, TypeError, ValueError) as error:
        raise DataError(f"{path}: its metadata have a recipe that is none: {error}", "Export it anew.") from error


def _agree(path: Path, spec: Spec, name: str | None, stated: Mapping[str, Any]) -> None:
    """Raises `RescliError` where the file is of another network than the user says."""
    found = describe(spec)
    wanted = {} if name is None else {"network": network(name).name}
    wanted.update(stated)
    for key, value in wanted.items():
        if found.get(key) != value:
            raise RescliError(
                f"{path}: these weights are for {key} = {found.get(key)}, not {value}",
                "Weights of another graph give wrong answers in silence, so they are refused. Leave the option out.",
            )


def _normalized(path: Path, bundle: Bundle, normalize: str) -> Bundle:
    chosen = NORMALIZATIONS[normalize]
    inputs = bundle.preprocessing
    if inputs is not None and inputs.source != chosen.source:
        raise RescliError(
            f"{path}: these weights were made for inputs normalized by {inputs.source}, not {normalize}",
            "Leave --normalize out.",
        )
    return Bundle(spec=bundle.spec, tensors=bundle.tensors, preprocessing=chosen, origin=bundle.origin)


def inputs_of(path: Path, bundle: Bundle) -> Preprocessing:
    """How images become inputs of this network. Raises `DataError` where nobody said."""
    if bundle.preprocessing is None:
        raise DataError(
            f"{path}: nothing says how the inputs of these weights were normalized",
            f"Say it: --normalize {' | '.join(NORMALIZATIONS)}.",
        )
    return bundle.preprocessing


def truth_of(bundle: Bundle, data: Path) -> Path | None:
    """The file of true classes (the option --truth) that a run was trained with, if `data` are its own images."""
    truth, own = bundle.origin.get("truth"), bundle.origin.get("data")
    return Path(truth) if truth is not None and own is not None and Path(own).resolve() == data.resolve() else None


def fresh(spec: Spec, seed: int) -> Bundle:
    """A network of this spec as training would begin with it: initialized from `seed`, with no normalization settled."""
    from rescli.models.build import build

    tensors = {name: tensor.numpy() for name, tensor in build(spec, seed=seed).state_dict().items()}
    return Bundle(
        spec=spec, tensors=tensors, preprocessing=None, origin={"initialized": {"seed": seed, "rule": "fan-in"}}
    )
