"""The recipe of ImageNet nets is the paper's, and every fork is named, resolved and checked."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rescli.errors import UsageError
from rescli.recipes.cifar import CifarRecipe
from rescli.recipes.imagenet import ImageNetRecipe
from rescli.recipes.schedule import Plateau
from rescli.recipes.stored import recipe_of


def test_the_defaults_are_the_papers() -> None:
    """Sec. 3.4."""
    recipe = ImageNetRecipe().resolved()

    assert (recipe.iterations, recipe.batch_size, recipe.learning_rate) == (600_000, 256, 0.1)
    assert (recipe.momentum, recipe.weight_decay) == (0.9, 1e-4)
    assert (recipe.size, recipe.shortest, recipe.longest, recipe.colour) == (224, 256, 480, True)
    assert (recipe.model, recipe.shortcut, recipe.padding, recipe.stride_in) == ("resnet34", "A", "append", None)
    assert recipe.schedule().plateau == Plateau(patience=5, least=0.1, drops=3)
    assert recipe.eval_every == 5_000, "an epoch of 1.28 million images in batches of 256"
    assert (recipe.tested, recipe.batches_for_statistics, recipe.warms_up) == ("val", 200, False)


@pytest.mark.parametrize(
    ("model", "depth", "plain", "forks"),
    [
        ("resnet50", 50, False, ("B", "1x1", None)),
        ("resnet34-b", 34, False, ("B", None, None)),
        ("plain18", 18, True, (None, None, None)),
        ("resnet152", 152, False, ("B", "1x1", None)),
        ("vgg16", 16, False, (None, None, None)),
    ],
)
def test_nets_by_name(model: str, depth: int, plain: bool, forks: tuple[Any, ...]) -> None:
    recipe = ImageNetRecipe(model=model).resolved()

    assert (recipe.depth, recipe.plain) == (depth, plain)
    assert (recipe.shortcut, recipe.stride_in, recipe.padding) == forks
    assert recipe.spec(classes=7).classes == 7


def test_other_sizes_are_in_proportion() -> None:
    """256 / 224 and 480 / 224 of 112."""
    recipe = ImageNetRecipe(size=112).resolved()

    assert (recipe.shortest, recipe.longest) == (128, 240)
    assert ImageNetRecipe(augment=False).resolved().longest is None


def test_the_rate_falls_with_every_drop_or_at_milestones() -> None:
    plateaus, milestones = ImageNetRecipe().schedule(), ImageNetRecipe(milestones=(0.5, 0.75)).schedule()

    assert [plateaus.at(599_999, drops=drops) for drops in range(4)] == pytest.approx([0.1, 0.01, 0.001, 0.0001])
    assert [milestones.at(i) for i in (299_999, 300_000, 450_000)] == pytest.approx([0.1, 0.01, 0.001])
    assert milestones.plateau is None


@pytest.mark.parametrize(
    "values",
    [
        {"model": "resnet20"},
        {"model": "cifar-resnet50"},
        {"model": "resnet33"},
        {"model": "plain18", "shortcut": "A"},
        {"model": "resnet18", "stride_in": "3x3"},
        {"model": "vgg16", "bn_images": 4},
        {"model": "vgg16", "precise_bn": 0},
        {"size": 16},
        {"shortest": 200},
        {"shortest": 300, "longest": 299},
        {"augment": False, "colour": False},
        {"augment": False, "longest": 480},
        {"milestones": (0.5,), "drops": 2},
        {"milestones": (0.5,), "least": 0.1},
        {"milestones": (0.75, 0.5)},
        {"patience": 0},
        {"drops": -1},
        {"least": -0.1},
        {"mean_images": 0},
        {"bn_images": 48},
        {"momentum": 0.0, "momentum_form": "caffe"},
    ],
)
def test_nonsense_and_options_without_effect_are_refused(values: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        ImageNetRecipe(**values)


recipes = st.builds(
    ImageNetRecipe,
    model=st.sampled_from(["resnet18", "resnet34-c", "plain34", "resnet50", "resnet101-v1.5", "vgg19"]),
    size=st.integers(32, 300),
    iterations=st.integers(1, 10**6),
    batch_size=st.integers(2, 512),
    milestones=st.none() | st.lists(st.floats(0.01, 0.99), unique=True, max_size=3).map(sorted).map(tuple),
    augment=st.booleans(),
    eval_every=st.none() | st.integers(1, 1000),
)


@given(recipes)
def test_a_recipe_survives_json_and_resolving_twice_changes_nothing(recipe: ImageNetRecipe) -> None:
    resolved = recipe.resolved()

    assert recipe_of(json.loads(json.dumps(resolved.to_dict()))) == resolved
    assert resolved.resolved() == resolved
    assert resolved.schedule() == recipe.schedule()
    assert resolved.spec(classes=10) == recipe.spec(classes=10)


def test_a_stored_recipe_is_of_its_kind() -> None:
    assert isinstance(recipe_of(CifarRecipe().resolved().to_dict()), CifarRecipe)
    assert isinstance(recipe_of(ImageNetRecipe().resolved().to_dict()), ImageNetRecipe)
    with pytest.raises(UsageError, match="depth"):
        recipe_of({"dataset": "imagenet", "depth": 20})
