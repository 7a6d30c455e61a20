"""What is written beside saved scores: which networks, which views, which images. JSON values, each fact on its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rescli.models.names import describe, title
from rescli.models.weights.digest import digest

if TYPE_CHECKING:  # the views load torchvision, which saved scores do not need
    from rescli.data.views import Views
    from rescli.models.weights.bundle import Bundle

OF_NETWORKS = ("networks", "descriptions", "weights_sha256", "recipes", "iterations")
"""Lists with an entry for each network; the recipe and the iteration are null for weights without a run."""

TRAINED_ON = "trained_on"
"""A list, too: a digest for each network of which images its run has; files of before have none."""

OF_VIEWS = ("crops", "size", "shorter", "scales", "mirrored", "pooling", "precision", "split")
"""Of an ensemble null where its members differ. Sizes in pixels; crops and shorter are 0 where whole images are shown."""


def about_network(path: Path, bundle: Bundle, views: Views, **rest: Any) -> dict[str, Any]:
    """Of one network's scores. `rest` are more facts: split, precision, backend, inputs, skipped."""
    whole = bool(views.scales)
    return {
        "networks": [title(bundle.spec)],
        "views": views.title(),
        "average": views.average,
        **rest,
        "weights": path.name,
        "descriptions": [describe(bundle.spec)],
        "weights_sha256": [digest(bundle.tensors)],
        "recipes": [bundle.origin.get("recipe")],
        "iterations": [bundle.origin.get("iteration")],
        TRAINED_ON: [bundle.origin.get("images")],
        "crops": 0 if whole else views.crops,
        "size": views.size,
        "shorter": 0 if whole else views.shorter,
        "scales": list(views.scales),
        "mirrored": whole and views.mirrored,
        "pooling": views.pooling if whole else "",
    }


def about_ensemble(members: Sequence[Mapping[str, Any]], names: Sequence[str]) -> dict[str, Any]:
    """Of the mean of several members' scores; `names` are their files. A member may be an ensemble."""
    views = {str(member.get("views")) for member in members}
    return {
        "networks": [network for member in members for network in member.get("networks", [])],
        "views": members[0].get("views") if len(views) == 1 else "various",
        "average": members[0].get("average"),
        "members": list(names),
        **{name: _joined(members, name) for name in (*OF_NETWORKS, TRAINED_ON) if name != "networks"},
        **{name: _common([member.get(name) for member in members]) for name in OF_VIEWS},
        "skipped": max(int(member.get("skipped") or 0) for member in members),
    }


def networks_in(about: Mapping[str, Any]) -> int:
    """How many networks a member's scores are the mean of: one where it does not name them."""
    return max(1, len(about.get("networks", [])))


def _joined(members: Sequence[Mapping[str, Any]], name: str) -> list[Any]:
    """The lists of all members; null for each network of a member that has none."""
    return [value for member in members for value in member.get(name) or [None] * len(member.get("networks", []))]


def _common(values: Sequence[Any]) -> Any:
    return values[0] if all(value == values[0] for value in values) else None
