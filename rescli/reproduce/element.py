"""What a table or figure of the paper is to a study: the nets it needs, what it shows of them, what it claims. No torch."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from rescli.analysis.recipes import LOOKS, differences
from rescli.models.names import label
from rescli.profiling.cost import cost
from rescli.recipes.cifar import CifarRecipe
from rescli.recipes.recipe import Recipe

Show: TypeAlias = Literal["curves", "errors", "table6", "responses", "gradients"]
"""curves: a figure and a table of errors; errors: that table alone; table6; responses: Fig. 7; gradients: Sec. 4.1."""


@dataclass(frozen=True, kw_only=True)
class Net:
    """A CIFAR net as the paper trains it. `runs`: how often the paper trained it, in which nets do not differ; `warmup` False:
    without footnote 5's rule.
    """

    depth: int
    plain: bool = False
    warmup: bool | None = None
    runs: int = field(default=1, compare=False)

    def recipe(self, **rest: Any) -> CifarRecipe:
        """The paper's recipe of this net; `rest` are other options."""
        return CifarRecipe(depth=self.depth, plain=self.plain, warmup=self.warmup, **rest)

    @property
    def label(self) -> str:
        """plain-20, ResNet-110."""
        rule = " without warm-up" if self.warmup is False else ""
        return label(self.recipe().spec(classes=10)) + rule

    @property
    def word(self) -> str:
        """For names of files: plain20, resnet110, resnet110-nowarmup."""
        return self.recipe().spec(classes=10).name + ("-nowarmup" if self.warmup is False else "")

    @property
    def macs(self) -> int:
        """Multiply-adds of one image, forwards."""
        return cost(self.recipe().spec(classes=10)).macs

    @property
    def parameters(self) -> int:
        """Number of parameters."""
        return cost(self.recipe().spec(classes=10)).parameters

    def is_of(self, recipe: Recipe) -> bool:
        """Whether a run of that recipe is one of this net."""
        return (
            isinstance(recipe, CifarRecipe)
            and (recipe.depth, recipe.plain) == (self.depth, self.plain)
            and recipe.shortcut in (None, "A")
            and recipe.warms_up == self.recipe().warms_up
        )

    def beyond(self, recipe: Recipe) -> dict[str, tuple[Any, Any]]:
        """What keeps a run of this net from being the paper's, its images and length aside: name -> (the paper's, its own)."""
        own = {"dataset", "iterations", *differences(self.recipe().resolved())}
        return {name: both for name, both in differences(recipe).items() if name not in own}

    def strays(self, recipe: Recipe) -> dict[str, tuple[Any, Any]]:
        """Where a run of this net is not what a study would train: name -> (the study's, its own).

        Its images, length, seed and precision may be any.
        """
        free = {name: getattr(recipe, name) for name in ("dataset", "iterations", "seed", "precision")}
        ours, its = self.recipe(**free).resolved().to_dict(), recipe.to_dict()
        return {name: (ours[name], its[name]) for name in ours if name not in LOOKS and ours[name] != its[name]}


@dataclass(frozen=True, kw_only=True)
class Element:
    """A table, figure or statement of the paper.

    A study can run it if it has `nets`. Else `commands` are what makes it, `trains` names the ImageNet nets that they train
    ("resnet34-B" with its option), and `why` says why a study does not.
    """

    name: str
    title: str
    where: str
    nets: tuple[Net, ...] = ()
    shows: tuple[Show, ...] = ()
    claims: tuple[str, ...] = ()
    trains: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()
    why: str = ""

    @property
    def runnable(self) -> bool:
        """Whether `rescli reproduce` trains for it."""
        return bool(self.nets)


def plain(*depths: int) -> tuple[Net, ...]:
    """Plain nets."""
    return tuple(Net(depth=depth, plain=True) for depth in depths)


def residual(*depths: int) -> tuple[Net, ...]:
    """Residual nets, option A."""
    return tuple(Net(depth=depth) for depth in depths)
