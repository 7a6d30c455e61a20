"""How the paper trained its CIFAR nets (Sec. 4.2), with every fork between implementations as a named option."""

from __future__ import annotations

from dataclasses import dataclass, replace

from rescli.errors import UsageError
from rescli.models.cifar import cifar_spec
from rescli.models.spec import NetworkSpec
from rescli.recipes.recipe import Recipe, check_milestones, require
from rescli.recipes.schedule import Schedule

PAPER_ITERATIONS = 64_000
EVALUATIONS = 64
WARMUP_FROM_DEPTH = (
    110  # "In this case (n = 18) an initial learning rate of 0.1 is slightly too large to start converging."
)
WARMUP_LR = 0.01


@dataclass(frozen=True, kw_only=True)
class CifarRecipe(Recipe):
    """The training of one CIFAR net. The defaults are the paper's; None means "decided by the rest", see `resolved`.

    `augment`: pad 4, random 32x32 crop, random horizontal flip. `eval_every` None: 1/64 of the run, at least 500.
    """

    dataset: str = "cifar10"
    depth: int = 20
    plain: bool = False

    iterations: int = PAPER_ITERATIONS
    batch_size: int = 128
    milestones: tuple[float, ...] = (32_000 / PAPER_ITERATIONS, 48_000 / PAPER_ITERATIONS)
    """Fractions of the run after which the learning rate is divided by `lr_divisor`."""

    warmup: bool | None = None
    """The 110-layer net's rule: `warmup_lr` until the training error is below `warmup_error`. None: from 110 layers up."""
    warmup_lr: float | None = None
    warmup_error: float | None = None

    validation: int = 0
    """Training images held out; 5000 is the paper's 45k/5k split. Evaluated during the run in place of the test set."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self, self.validation >= 0, "validation", "must be 0 or more images")
        check_milestones(self, self.milestones)
        _check_effect(self)
        self.spec(classes=10)  # raises for an impossible depth

    @property
    def tested(self) -> str:
        """The test set, or the images that are held out."""
        return "val" if self.validation else "test"

    @property
    def warms_up(self) -> bool:
        """Whether the run starts with the warm-up rule. By itself only where the learning rate is above the warm-up's."""
        if self.warmup is None:
            return self.depth >= WARMUP_FROM_DEPTH and self.learning_rate > (self.warmup_lr or WARMUP_LR)
        return self.warmup

    def spec(self, *, classes: int) -> NetworkSpec:
        """The network to train."""
        return cifar_spec(self.depth, shortcut=None if self.plain else self.shortcut or "A", classes=classes)

    def schedule(self) -> Schedule:
        """The learning rate of every iteration."""
        return Schedule(
            iterations=self.iterations,
            learning_rate=self.learning_rate,
            milestones=tuple(round(fraction * self.iterations) for fraction in self.milestones),
            divisor=self.lr_divisor,
            warmup_lr=(WARMUP_LR if self.warmup_lr is None else self.warmup_lr) if self.warms_up else None,
            warmup_error=80.0 if self.warmup_error is None else self.warmup_error,
            warmup_window=max(1, self.iterations // 640),
        )

    def resolved(self) -> CifarRecipe:
        """The same recipe with every None and `auto` that does not need a device decided."""
        warms_up = self.warms_up
        return replace(
            self,
            shortcut=None if self.plain else self.shortcut or "A",
            warmup=warms_up,
            warmup_lr=(self.warmup_lr or WARMUP_LR) if warms_up else None,
            warmup_error=(self.warmup_error or 80.0) if warms_up else None,
            bn_images=self.bn_images or self.batch_size,
            **self.every(EVALUATIONS),
        )


def _check_effect(recipe: CifarRecipe) -> None:
    if recipe.plain and recipe.shortcut is not None:
        raise UsageError(
            "a plain net has no shortcuts, so the shortcut option has no effect", "Leave one of the two out."
        )
    if not recipe.warms_up and (recipe.warmup_lr is not None or recipe.warmup_error is not None):
        raise UsageError(
            f"warmup_lr and warmup_error have no effect: there is no warm-up at depth {recipe.depth} and this learning rate",
            "Ask for it with warmup = true (--warmup), or leave them out.",
        )
    small = WARMUP_LR if recipe.warmup_lr is None else recipe.warmup_lr
    if recipe.warms_up and not 0 < small < recipe.learning_rate:
        raise UsageError(
            f"warmup_lr = {small!r}: must be positive and below the learning rate, {recipe.learning_rate:g}"
        )
    if recipe.warmup_error is not None and not 0 < recipe.warmup_error <= 100:
        raise UsageError(f"warmup_error = {recipe.warmup_error!r}: must be a percentage in (0, 100]")
