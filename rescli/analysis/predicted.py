"""Saved predictions as the tables see them: which networks, which views, which errors. The scores themselves are let go."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rescli.engine.about import OF_NETWORKS, TRAINED_ON
from rescli.engine.graded import Graded
from rescli.engine.keep import tested
from rescli.errors import StoreError, UsageError
from rescli.models.names import described, label
from rescli.models.spec import Spec
from rescli.recipes.recipe import Recipe
from rescli.recipes.stored import recipe_of
from rescli.store.predictions import read_predictions
from rescli.store.tested import Tested


@dataclass(frozen=True, kw_only=True, eq=False)
class Predicted:
    """A network, or an ensemble, on the images of one test. `views` says in words what was shown.

    `recipes` and `iterations` are those of the runs that the networks come from, None for weights without one; `digests` those
    of their weights, and `trained_on` says on which images, empty where nobody wrote them down.
    """

    path: Path
    specs: tuple[Spec, ...]
    recipes: tuple[Recipe | None, ...]
    iterations: tuple[int | None, ...]
    digests: tuple[str, ...]
    trained_on: tuple[str, ...]
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
    """The predictions in the file at `path`. Raises `StoreError` for what is none, or describes no network known here."""
    made = read_predictions(path)
    try:
        about = made.about
        _check(about)
        return Predicted(
            path=path,
            specs=tuple(described(one) for one in about["descriptions"]),
            recipes=tuple(None if one is None else recipe_of(one) for one in about["recipes"]),
            iterations=tuple(None if one is None else int(one) for one in about["iterations"]),
            digests=tuple(str(one or "") for one in about["weights_sha256"]),
            trained_on=tuple(str(one or "") for one in about.get(TRAINED_ON) or [""] * len(about["networks"])),
            views=str(about.get("views", "")),
            test=tested(Graded(title="", data="", predictions=made)),
        )
    except (UsageError, KeyError, TypeError, ValueError, AttributeError) as error:
        why = error.message if isinstance(error, UsageError) else f"they do not say what they are of: {error}"
        raise StoreError(f"{path}: these predictions fit no table: {why}") from error


def _check(about: Mapping[str, Any]) -> None:
    """Raises `ValueError` for no network, and where the lists of facts about networks have not one length."""
    networks = len(about["networks"])
    if not networks:
        raise ValueError("no network")
    for name in OF_NETWORKS:
        if len(about[name]) != networks:
            raise ValueError(f"{name} of {len(about[name])} networks, and there are {networks}")
