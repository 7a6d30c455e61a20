"""The recipe of a run, of whichever kind, from the values in its store."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rescli.recipes.cifar import CifarRecipe
from rescli.recipes.imagenet import ImageNetRecipe
from rescli.recipes.recipe import Recipe


def recipe_of(values: Mapping[str, Any]) -> Recipe:
    """Of `Recipe.to_dict`'s values. Raises `UsageError` for unknown keys and impossible values."""
    kind = ImageNetRecipe if values.get("dataset") == "imagenet" else CifarRecipe
    return kind.from_dict(values)
