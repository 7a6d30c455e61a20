"""What a table or figure of the paper is to a study: the nets it needs, what it shows of them, what it claims. No torch."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from rescli.models.names import label
from rescli.profiling.cost import cost
from rescli.recipes.cifar import CifarRecipe
from rescli.recipes.recipe import Recipe

Show: TypeAlias = Literal["curves", "errors", "table6", "responses", "gradients"]
"""curves: a figure and a table of errors; errors: that table alone; table6; responses: Fig. 7; gradients: Sec. 4.1."""

WEIGHTS: tuple[Show, ...] = ("responses", "gradients")
"""What needs the weights of a run, not its curves alone."""


@dataclass(frozen=True, kw_only=True)
class Net:
    """A CIFAR net as the paper trains it. `runs`: how often the paper trained it; `warmup` False: without footnote 5's rule."""

    depth: int
    plain: bool = False
    warmup: bool | None = None
    runs: int = 1

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


@dataclass(frozen=True, kw_only=True)
class Element:
    """A table, figure or statement of the paper.

    A study can run it if it has `nets`. Else `commands` are what makes it, and `why` says why a study does not.
    """

    name: str
    title: str
    where: str
    nets: tuple[Net, ...] = ()
    shows: tuple[Show, ...] = ()
    claims: tuple[str, ...] = ()
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


def nets_of(elements: Iterable[Element]) -> tuple[Net, ...]:
    """The nets of several elements, each once."""
    return tuple(dict.fromkeys(net for element in elements for net in element.nets))
