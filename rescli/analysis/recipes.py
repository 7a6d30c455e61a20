"""A recipe beside the paper's: what differs, what is a fork of the implementation, and what the paper leaves open."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from rescli.recipes.cifar import CifarRecipe
from rescli.recipes.imagenet import SIZE, ImageNetRecipe, in_proportion
from rescli.recipes.recipe import Recipe

LOOKS = ("eval_every", "log_every")
"""How often a run is looked at."""

OPEN = ("bn_images", "patience", "least", "drops", "precise_bn", "mean_images", "padding", "pool")
"""What the paper does not say of its ImageNet nets (over how many images BN was, what a plateau is, ...)."""


def forks_of(recipe: Recipe) -> Mapping[str, Any]:
    """Where implementations of the same recipe differ, and what the paper's was."""
    common = {"precision": "fp32", "momentum_form": "caffe"}
    return common if isinstance(recipe, ImageNetRecipe) else {"precision": "fp32", "bn_images": 64, **common}


def bookkeeping(recipe: Recipe) -> tuple[str, ...]:
    """What changes how often a run is looked at, and nothing else.

    With the rule for plateaus evaluations are more than looks: the learning rate falls after so many of them.
    """
    return LOOKS if recipe.schedule().plateau is None else ("log_every",)


def differences(recipe: Recipe) -> dict[str, tuple[Any, Any]]:
    """What the paper's recipe for this net says otherwise: name -> (the paper's, this one's). Forks are not among them."""
    paper = _papers(recipe).resolved().to_dict()
    ours = recipe.to_dict()
    left_out = {"depth", "plain", "model", "seed", *LOOKS, *forks_of(recipe), *_follow(recipe)}
    return {name: (paper[name], ours[name]) for name in paper if name not in left_out and paper[name] != ours[name]}


def choices(recipe: Recipe) -> tuple[str, ...]:
    """What the paper leaves open and this recipe decides otherwise than rescli by itself does, in words."""
    if not isinstance(recipe, ImageNetRecipe):
        return ()
    names = (*OPEN, *(name for name in LOOKS if name not in bookkeeping(recipe)))
    undecided: dict[str, Any] = {}
    undecided.update(dict.fromkeys(names))
    usual = replace(recipe, **undecided).resolved().to_dict()
    found = [
        f"{name} {word(ours)} (the paper leaves it open; here usually {word(usual[name] or 'all')})"
        for name, ours in recipe.resolved().to_dict().items()
        if name in names and ours != usual[name]
    ]
    fixed = [] if recipe.milestones is None else [f"fixed milestones {word(recipe.milestones)} in place of plateaus"]
    return (*fixed, *found)


def experiment(recipe: Recipe) -> str:
    """Equal for recipes that differ in nothing but the seed (and in how often the run is looked at)."""
    left_out = {"seed", *bookkeeping(recipe)}
    return repr({name: value for name, value in recipe.to_dict().items() if name not in left_out})


def beyond_depth(recipe: Recipe) -> str:
    """Equal for recipes that agree in all but seed, depth and kind of net; the warm-up goes with the depth."""
    left_out = {"seed", "depth", "plain", "model", "shortcut", "stride_in", "padding", *bookkeeping(recipe)}
    values = {name: value for name, value in recipe.to_dict().items() if name not in left_out}
    if not any(name.startswith("warmup") for name in differences(recipe)):
        values = {name: value for name, value in values.items() if not name.startswith("warmup")}
    return repr(values)


def _papers(recipe: Recipe) -> Recipe:
    """The paper's recipe for a net. Of ImageNet nets it has some with every shortcut option, and the stride in the 1x1."""
    if isinstance(recipe, ImageNetRecipe):
        return ImageNetRecipe(model=recipe.model, shortcut=recipe.shortcut)
    assert isinstance(recipe, CifarRecipe)
    return CifarRecipe(depth=recipe.depth, plain=recipe.plain)


def _follow(recipe: Recipe) -> set[str]:
    """Values of an ImageNet recipe that the paper leaves open, or that follow from another one that is told already."""
    if not isinstance(recipe, ImageNetRecipe):
        return set()
    names = {*OPEN, "milestones"}
    if not recipe.augment:
        names |= {"longest", "colour"}
    if recipe.size != SIZE:
        paper = ImageNetRecipe().resolved()
        sides = {"shortest": paper.shortest, "longest": paper.longest}
        names |= {k for k, side in sides.items() if side and getattr(recipe, k) == in_proportion(side, recipe.size)}
    return names


def word(value: Any) -> str:
    """A value of a recipe for people."""
    if isinstance(value, (list, tuple)):
        return "/".join(f"{one:g}" for one in value)
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "on" if value else "off"
    return f"{value:,}" if isinstance(value, int) else str(value)
