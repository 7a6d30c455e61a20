"""Saved predictions as the tables see them: which networks, which views, which errors. The scores themselves are let go."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rescli.engine.graded import Graded
from rescli.engine.keep import tested
from rescli.errors import StoreError, UsageError
from rescli.models.names import described, label
from rescli.models.spec import Spec
from rescli.recipes.recipe import Recipe
from rescli.recipes.stored import recipe_of
from rescli.store.predictions import Predictions, read_predictions
from rescli.store.tested import Tested

_TITLE = re.compile(r"(?P<name>\S+)(?: \((?P<forks>.*)\))?")
_CROPS = re.compile(r"(?P<crops>center crop|10 crops) of (?P<size>\d+) from a shorter side of (?P<shorter>\d+)")
_SCALES = re.compile(
    r"whole images at (?P<scales>[\d, ]+?)(?P<mirrored> and mirrored)?, (?P<pooling>7x7|windows|the whole map)"
)


@dataclass(frozen=True, kw_only=True, eq=False)
class Predicted:
    """A network, or an ensemble, on the images of one test. `views` says in words what was shown.

    `recipes` and `iterations` are those of the runs that the networks come from, None for weights without one; `digests` those
    of their weights, empty where nobody wrote them down.
    """

    path: Path
    specs: tuple[Spec, ...]
    recipes: tuple[Recipe | None, ...]
    iterations: tuple[int | None, ...]
    digests: tuple[str, ...]
    views: str
    test: Tested

    @property
    def label(self) -> str:
        """As the paper names a net; an ensemble by its members, equal ones counted."""
        names = [label(spec) for spec in self.specs]
        if len(names) == 1:
            return names[0]
        counted = [name if names.count(name) == 1 else f"{names.count(name)} x {name}" for name in dict.fromkeys(names)]
        return f"ensemble of {len(names)}: {', '.join(counted)}"

    @property
    def single(self) -> bool:
        """Whether this is one network."""
        return len(self.specs) == 1


def read_predicted(path: Path) -> Predicted:
    """The predictions in the file at `path`. Raises `StoreError` for what is none, or describes no network known here.

    Files of before say which views and networks these are in words only; the words are read.
    """
    made = read_predictions(path)
    try:
        about = _completed(made)
        result = Graded(title="", data="", predictions=_with(made, about))
        return Predicted(
            path=path,
            specs=tuple(described(one) for one in about["descriptions"]),
            recipes=tuple(None if one is None else recipe_of(one) for one in about["recipes"]),
            iterations=tuple(None if one is None else int(one) for one in about["iterations"]),
            digests=tuple(str(one or "") for one in about["weights_sha256"]),
            views=str(about.get("views", "")),
            test=tested(result),
        )
    except (UsageError, KeyError, TypeError, ValueError, AttributeError) as error:
        why = error.message if isinstance(error, UsageError) else f"they do not say what they are of: {error}"
        raise StoreError(f"{path}: these predictions fit no table: {why}") from error


def _with(made: Predictions, about: Mapping[str, Any]) -> Predictions:
    return Predictions(scores=made.scores, labels=made.labels, files=made.files, classes=made.classes, about=about)


def _completed(made: Predictions) -> dict[str, Any]:
    """What a file says about itself with every fact of today, None where it does not say."""
    about = dict(made.about)
    networks = [str(network) for network in about.get("networks") or []]
    if not networks:
        raise ValueError("no network")
    unknown: list[Any] = [None] * len(networks)
    known = about.get("descriptions") or unknown
    classes = made.scores.shape[1]
    about["descriptions"] = [
        one or _described(name, classes, _size(about)) for one, name in zip(known, networks, strict=True)
    ]
    for name in ("recipes", "iterations", "weights_sha256"):
        about[name] = about.get(name) or unknown
        if len(about[name]) != len(networks):
            raise ValueError(f"{name} of {len(about[name])} networks, and there are {len(networks)}")
    if "crops" not in about:
        about |= _views(str(about.get("views", "")))
    return {"split": "val", "precision": None, "average": "softmax", **about}


def _size(about: Mapping[str, Any]) -> int:
    """Side of a network's inputs in pixels: as stated, or in words; 224 where neither says."""
    in_words = _CROPS.match(str(about.get("views", "")))
    return int(about.get("size") or (in_words["size"] if in_words else 224))


def _described(title: str, classes: int, size: int) -> dict[str, Any]:
    """Of `rescli.models.names.title`'s words: "resnet50 (option B, stride in 1x1)"."""
    found = _TITLE.fullmatch(title)
    values: dict[str, Any] = {"network": found["name"] if found else title, "classes": classes, "input_size": size}
    for fork in (found["forks"] or "").split(", ") if found else []:
        for start, name in (("option ", "shortcut"), ("stride in ", "stride_in")):
            if fork.startswith(start):
                values[name] = fork.removeprefix(start)
        values |= {"padded on both sides": {"padding": "both"}, "pooling rounds up": {"pool": "ceil"}}.get(fork, {})
    return values


def _views(words: str) -> dict[str, Any]:
    """Of `rescli.data.views.Views.title`'s words; nothing where an ensemble's members were shown various ones."""
    nothing: dict[str, Any] = {
        "crops": None,
        "size": None,
        "shorter": None,
        "scales": [],
        "mirrored": False,
        "pooling": "",
    }
    if crops := _CROPS.match(words):
        count = 10 if crops["crops"] == "10 crops" else 1
        return {**nothing, "crops": count, "size": int(crops["size"]), "shorter": int(crops["shorter"])}
    if whole := _SCALES.match(words):
        scales = [int(scale) for scale in whole["scales"].split(", ")]
        pooling = "global" if whole["pooling"] == "the whole map" else "windows"
        return {**nothing, "crops": 0, "scales": scales, "mirrored": bool(whole["mirrored"]), "pooling": pooling}
    return nothing
