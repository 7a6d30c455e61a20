"""How the paper trained its CIFAR nets (Sec. 4.2), with every fork between implementations as a named option."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Literal, TypeAlias

from rescli.errors import UsageError
from rescli.models.cifar import cifar_spec
from rescli.models.spec import NetworkSpec, Shortcut
from rescli.recipes.schedule import Schedule

Precision: TypeAlias = Literal["auto", "fp32", "tf32", "bf16"]
MomentumForm: TypeAlias = Literal["pytorch", "caffe"]
Decay: TypeAlias = Literal["all", "conv"]

PAPER_ITERATIONS = 64_000
WARMUP_FROM_DEPTH = (
    110  # "In this case (n = 18) an initial learning rate of 0.1 is slightly too large to start converging."
)
WARMUP_LR = 0.01
MAX_SEED = 2**63 - 1


@dataclass(frozen=True, kw_only=True)
class CifarRecipe:
    """The training of one CIFAR net. The defaults are the paper's; None means "decided by the rest", see `resolved`.

    Two runs with equal resolved recipes are the same experiment; seeds count as part of it here.
    Raises `UsageError` when made with values that make no sense, or that would have no effect.
    """

    dataset: str = "cifar10"
    depth: int = 20
    plain: bool = False
    shortcut: Shortcut | None = None
    """None: A for a residual net, none for a plain one."""
    seed: int = 0

    iterations: int = PAPER_ITERATIONS
    batch_size: int = 128
    learning_rate: float = 0.1
    milestones: tuple[float, ...] = (32_000 / PAPER_ITERATIONS, 48_000 / PAPER_ITERATIONS)
    """Fractions of the run after which the learning rate is divided by `lr_divisor`."""
    lr_divisor: float = 10.0
    momentum: float = 0.9
    momentum_form: MomentumForm = "pytorch"
    """What a change of the learning rate does to the momentum buffer. pytorch: v = m v + g, w -= lr v. caffe (the paper's
    framework): v = m v + lr g, w -= v."""
    weight_decay: float = 1e-4
    decay: Decay = "all"
    """Which parameters decay: all, or the weights of convolutions only."""

    warmup: bool | None = None
    """The 110-layer net's rule: `warmup_lr` until the training error is below `warmup_error`. None: from 110 layers up."""
    warmup_lr: float | None = None
    warmup_error: float | None = None

    bn_images: int | None = None
    """BN statistics are over so many images of a batch: 64 on the paper's two GPUs. None: the whole batch."""
    validation: int = 0
    """Training images held out; 5000 is the paper's 45k/5k split. Evaluated during the run in place of the test set."""
    augment: bool = True
    """Pad 4, random 32x32 crop, random horizontal flip."""
    precision: Precision = "auto"
    """Of the convolutions' arithmetic; weights, BN statistics and the optimizer are always fp32. auto: the backend's choice."""

    eval_every: int | None = None
    """Iterations between evaluations. None: 1/64 of the run, at least 500."""
    log_every: int | None = None
    """Iterations averaged into one row of the training metrics. None: 1/640 of the run, at least 10."""

    def __post_init__(self) -> None:
        _check_numbers(self)
        _check_choices(self)
        self.spec(classes=10)  # raises for an impossible depth

    @property
    def warms_up(self) -> bool:
        """Whether the run starts with the warm-up rule. By itself only where the learning rate is above the warm-up's."""
        if self.warmup is None:
            return self.depth >= WARMUP_FROM_DEPTH and self.learning_rate > (self.warmup_lr or WARMUP_LR)
        return self.warmup

    @property
    def bn_groups(self) -> int:
        """Number of groups of images that BN normalizes on their own."""
        return 1 if self.bn_images is None else self.batch_size // self.bn_images

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
            eval_every=self.eval_every or min(self.iterations, max(500, self.iterations // 64)),
            log_every=self.log_every or min(self.iterations, max(10, self.iterations // 640)),
        )

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON values; None where an option does not apply (the shortcut of a plain net)."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> CifarRecipe:
        """Of `to_dict`'s values. Raises `UsageError` for unknown keys and impossible values."""
        known = {field.name for field in fields(cls)}
        unknown = sorted(set(values) - known)
        if unknown:
            raise UsageError(f"unknown recipe keys: {', '.join(unknown)}", f"Known: {', '.join(sorted(known))}.")
        milestones = values.get("milestones")
        return cls(**{**values, **({} if milestones is None else {"milestones": tuple(milestones)})})


def _check_numbers(recipe: CifarRecipe) -> None:
    def require(ok: bool, name: str, rule: str) -> None:
        if not ok:
            raise UsageError(f"{name} = {getattr(recipe, name)!r}: {rule}")

    require(recipe.iterations >= 1, "iterations", "must be at least 1")
    require(recipe.batch_size >= 2, "batch_size", "must be at least 2 (BN needs more than one image)")
    require(0 <= recipe.seed <= MAX_SEED, "seed", "must be between 0 and 2^63 - 1")
    require(0 < recipe.learning_rate < float("inf"), "learning_rate", "must be positive and finite")
    require(1 < recipe.lr_divisor < float("inf"), "lr_divisor", "must be more than 1 and finite")
    require(0 <= recipe.momentum < 1, "momentum", "must be in [0, 1)")
    require(0 <= recipe.weight_decay < float("inf"), "weight_decay", "must be 0 or more, and finite")
    require(recipe.validation >= 0, "validation", "must be 0 or more images")
    for name in ("eval_every", "log_every"):
        require(getattr(recipe, name) is None or getattr(recipe, name) >= 1, name, "must be at least 1 iteration")
    ordered = list(recipe.milestones) == sorted(set(recipe.milestones))
    require(
        ordered and all(0 < m < 1 for m in recipe.milestones),
        "milestones",
        "must be rising fractions of the run in (0, 1)",
    )
    if recipe.bn_images is not None:
        fits = 1 <= recipe.bn_images <= recipe.batch_size and recipe.batch_size % recipe.bn_images == 0
        require(fits, "bn_images", f"must divide the batch of {recipe.batch_size} images")


def _check_choices(recipe: CifarRecipe) -> None:
    for name, choices in {
        "shortcut": (None, "A", "B", "C"),
        "momentum_form": ("pytorch", "caffe"),
        "decay": ("all", "conv"),
        "precision": ("auto", "fp32", "tf32", "bf16"),
    }.items():
        if getattr(recipe, name) not in choices:
            listed = ", ".join(str(choice) for choice in choices if choice is not None)
            raise UsageError(f"{name} = {getattr(recipe, name)!r}: must be one of {listed}")
    if recipe.plain and recipe.shortcut is not None:
        raise UsageError(
            "a plain net has no shortcuts, so the shortcut option has no effect", "Leave one of the two out."
        )
    if recipe.momentum == 0 and recipe.momentum_form == "caffe":
        raise UsageError("without momentum its form has no effect", "Leave momentum_form out.")
    if recipe.weight_decay == 0 and recipe.decay != "all":
        raise UsageError("without weight decay it has no effect which parameters decay", "Leave decay out.")
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
