"""What rescli writes beside tensors in other programs' formats: the network with its forks, and its inputs, as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from rescli.errors import DataError, RescliError
from rescli.models.names import describe, described
from rescli.models.spec import Spec
from rescli.models.weights.bundle import Bundle, Preprocessing

VERSION = 1


def to_text(bundle: Bundle) -> str:
    """The JSON document."""
    inputs = bundle.preprocessing
    return json.dumps(
        {
            "version": VERSION,
            "network": describe(bundle.spec),
            "preprocessing": None
            if inputs is None
            else {
                "divisor": inputs.divisor,
                "mean": inputs.mean.tolist(),
                "std": inputs.std.tolist(),
                "source": inputs.source,
            },
            "origin": dict(bundle.origin),
        },
        sort_keys=True,
    )


def spec_of(file: str, metadata: Mapping[str, Any]) -> Spec:
    """The network of a document. Raises `DataError` where it makes no sense or is of a newer rescli."""
    if metadata.get("version") != VERSION:
        raise DataError(
            f"{file}: its metadata are of version {metadata.get('version')}, not {VERSION}", "Upgrade rescli."
        )
    try:
        return described(metadata["network"])
    except (RescliError, KeyError, TypeError) as error:
        raise DataError(f"{file}: its metadata describe no network: {error}", "Export it anew.") from error


def origin_of(file: str, metadata: Mapping[str, Any]) -> Mapping[str, Any]:
    """Where the weights of a document come from: of a run its recipe, its classes. Raises `DataError` for nonsense."""
    origin = metadata.get("origin", {})
    if not isinstance(origin, Mapping) or not _is_origin(origin):
        raise DataError(f"{file}: its metadata do not say where these weights come from", "Export it anew.")
    return dict(origin)


def _is_origin(values: Mapping[str, Any]) -> bool:
    """Whether what others may have written has the types of what `engine.networks` writes there."""
    recipe, names = values.get("recipe", {}), values.get("classes", [])
    return (
        isinstance(recipe, Mapping)
        and isinstance(recipe.get("dataset", ""), str)
        and isinstance(names, list)
        and all(isinstance(name, str) for name in names)
        and all(values.get(name) is None or isinstance(values[name], str) for name in ("data", "truth", "images"))
        and (values.get("iteration") is None or type(values["iteration"]) is int)
    )


def inputs_of(file: str, metadata: Mapping[str, Any]) -> Preprocessing | None:
    """The inputs of a document. Raises `DataError` where they make no sense."""
    values = metadata.get("preprocessing")
    if values is None:
        return None
    try:
        return Preprocessing(
            divisor=float(values["divisor"]),
            mean=np.asarray(values["mean"], np.float32),
            std=np.asarray(values["std"], np.float32),
            source=str(values["source"]),
        )
    except (KeyError, TypeError, ValueError, AssertionError) as error:
        raise DataError(f"{file}: its metadata describe no inputs: {error}", "Export it anew.") from error
