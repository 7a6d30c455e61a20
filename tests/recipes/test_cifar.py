"""The recipe is the paper's, and every fork is named, resolved and checked."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rescli.errors import UsageError
from rescli.recipes.cifar import CifarRecipe


def test_the_defaults_are_the_papers() -> None:
    """Sec. 4.2."""
    recipe = CifarRecipe().resolved()

    assert recipe.iterations == 64_000
    assert recipe.schedule().milestones == (32_000, 48_000)
    assert (recipe.batch_size, recipe.momentum, recipe.weight_decay) == (128, 0.9, 1e-4)
    assert (recipe.shortcut, recipe.warmup, recipe.bn_images, recipe.validation) == ("A", False, 128, 0)
    assert (recipe.decay, recipe.momentum_form) == ("all", "pytorch")


@pytest.mark.parametrize(
    ("iteration", "rate"), [(0, 0.1), (31_999, 0.1), (32_000, 0.01), (47_999, 0.01), (48_000, 0.001), (63_999, 0.001)]
)
def test_learning_rate(iteration: int, rate: float) -> None:
    assert CifarRecipe().schedule().at(iteration, warming_up=False) == rate


@given(st.integers(1, 200_000))
def test_milestones_scale_with_the_run(iterations: int) -> None:
    first, second = CifarRecipe(iterations=iterations).schedule().milestones

    assert (first, second) == (round(iterations / 2), round(iterations * 3 / 4))


def test_warmup_is_for_110_layers_and_more() -> None:
    assert not CifarRecipe(depth=56).warms_up
    assert CifarRecipe(depth=110).warms_up
    assert CifarRecipe(depth=1202).warms_up
    assert CifarRecipe(depth=56, warmup=True).warms_up
    assert not CifarRecipe(depth=110, warmup=False).warms_up
    assert not CifarRecipe(depth=110, learning_rate=0.01).warms_up  # there is nothing to warm up to


def test_warmup_holds_the_rate_until_the_error_has_fallen() -> None:
    schedule = CifarRecipe(depth=110).schedule()

    assert schedule.at(0, warming_up=True) == 0.01
    assert not schedule.ends_warmup(80.0)
    assert schedule.ends_warmup(79.99)
    assert schedule.at(400, warming_up=False) == 0.1
    assert schedule.warmup_window == 100
    # A net that never warms up is not held above the schedule.
    assert schedule.at(50_000, warming_up=True) == 0.001


@pytest.mark.parametrize(
    "values",
    [
        {"depth": 21},
        {"depth": 2},
        {"iterations": 0},
        {"batch_size": 1},
        {"seed": -1},
        {"seed": 2**63},
        {"learning_rate": 0.0},
        {"learning_rate": float("nan")},
        {"learning_rate": float("inf")},
        {"learning_rate": 1e39},
        {"weight_decay": 1e39},
        {"momentum": 1.0},
        {"weight_decay": -1e-4},
        {"milestones": (0.75, 0.5)},
        {"milestones": (0.5, 0.5)},
        {"milestones": (0.0,)},
        {"milestones": (1.0,)},
        {"bn_images": 48},
        {"bn_images": 0},
        {"bn_images": 256},
        {"validation": -1},
        {"eval_every": 0},
        {"log_every": 0},
        {"plain": True, "shortcut": "A"},
        {"shortcut": "D"},
        {"decay": "some"},
        {"momentum": 0.0, "momentum_form": "caffe"},
        {"weight_decay": 0.0, "decay": "conv"},
        {"warmup_lr": 0.01},
        {"warmup_error": 80.0},
        {"depth": 110, "warmup": False, "warmup_error": 80.0},
        {"depth": 110, "warmup_lr": 0.0},
        {"depth": 110, "warmup_error": 0.0},
        {"depth": 110, "warmup_error": 101.0},
        {"depth": 110, "warmup_lr": 0.1},
        {"warmup": True, "learning_rate": 0.01},
        {"lr_divisor": 1.0},
    ],
)
def test_nonsense_and_options_without_effect_are_refused(values: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        CifarRecipe(**values)


recipes = st.builds(
    CifarRecipe,
    depth=st.integers(1, 30).map(lambda n: 6 * n + 2),
    plain=st.booleans(),
    seed=st.integers(0, 2**63 - 1),
    iterations=st.integers(1, 10**6),
    batch_size=st.integers(1, 64).map(lambda half: 2 * half),
    learning_rate=st.floats(0.011, 10),  # above the rate that a warm-up begins with
    milestones=st.lists(st.floats(0.01, 0.99), unique=True, max_size=4).map(sorted).map(tuple),
    warmup=st.sampled_from([None, True, False]),
    bn_images=st.sampled_from([None, 1, 2]),
    eval_every=st.none() | st.integers(1, 1000),
)


@given(recipes)
def test_a_recipe_survives_json_and_resolving_twice_changes_nothing(recipe: CifarRecipe) -> None:
    resolved = recipe.resolved()

    assert CifarRecipe.from_dict(json.loads(json.dumps(resolved.to_dict()))) == resolved
    assert resolved.resolved() == resolved
    assert resolved.schedule() == recipe.schedule()


def test_unknown_keys_are_refused() -> None:
    with pytest.raises(UsageError, match="momentun"):
        CifarRecipe.from_dict({"momentun": 0.9})


def test_a_rate_divided_to_nothing_is_nothing() -> None:
    steep = CifarRecipe(iterations=4, milestones=(0.25, 0.5), lr_divisor=1e200).schedule()
    assert [steep.at(iteration) for iteration in range(3)] == [0.1, 0.1 / 1e200, 0.0]
