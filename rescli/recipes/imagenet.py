"""How the paper trained its ImageNet nets (Sec. 3.4), with every fork between implementations as a named option."""

from __future__ import annotations

from dataclasses import dataclass, replace

from rescli.errors import UsageError
from rescli.models.names import network
from rescli.models.spec import NetworkSpec, Padding, Pool, Spec, StrideIn, VggSpec
from rescli.recipes.recipe import Recipe, check_milestones, require
from rescli.recipes.schedule import Plateau, Schedule

PAPER_ITERATIONS = 600_000
EVALUATIONS = 120
"""Of the paper's 60e4 iterations with 256 images each: one an epoch of 1.28 million."""
SIZE, SHORTER, LONGEST = 224, 256, 480
PATIENCE, LEAST, DROPS = 5, 0.1, 3


@dataclass(frozen=True, kw_only=True)
class ImageNetRecipe(Recipe):
    """The training of one ImageNet net. The defaults are the paper's; None means "decided by the rest", see `resolved`.

    `augment`: scale, crop, mirror image and colour; without it the center at the shortest side is what is trained on.
    `eval_every` None: 1/120 of the run (an epoch), at least 500.
    """

    dataset: str = "imagenet"
    model: str = "resnet34"
    stride_in: StrideIn | None = None
    padding: Padding | None = None
    pool: Pool | None = None
    size: int = SIZE
    """Side of a crop in pixels."""
    shortest: int | None = None
    """Shorter side of an image before it is cropped, in pixels: drawn from here to `longest`. None: 256 for crops of 224."""
    longest: int | None = None
    """None: 480 for crops of 224."""
    colour: bool | None = None
    """Whether colours are shifted along their principal components. None: as `augment` says."""

    iterations: int = PAPER_ITERATIONS
    batch_size: int = 256
    milestones: tuple[float, ...] | None = None
    """Fractions of the run after which the learning rate is divided. None: where the validation error plateaus."""
    patience: int | None = None
    """Evaluations without progress that make a plateau. None: 5."""
    least: float | None = None
    """What counts as progress, in percentage points of validation error. None: 0.1."""
    drops: int | None = None
    """The most divisions of the learning rate in a run. None: 3."""

    precise_bn: int | None = None
    """BN's statistics are averaged over so many batches after the last iteration, as the original nets' were; 0: the moving
    averages stay. None: 200. A VGG net has no BN."""
    mean_images: int | None = None
    """Training images that the mean image is of, spread evenly over all. None: every one."""

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_numbers(self)
        _check_effect(self)

    @property
    def tested(self) -> str:
        """The published validation images."""
        return "val"

    @property
    def depth(self) -> int:
        """Number of weighted layers."""
        return self.spec(classes=1000).depth

    @property
    def plain(self) -> bool:
        """Whether the net has no shortcuts. A VGG net is not one of the paper's plain nets."""
        spec = self.spec(classes=1000)
        return isinstance(spec, NetworkSpec) and spec.plain

    @property
    def batches_for_statistics(self) -> int:
        """See `precise_bn`."""
        return self.precise_bn or 0

    def spec(self, *, classes: int) -> Spec:
        """The network to train. Raises `UsageError` for a name of none, of a CIFAR net, and for options without effect."""
        spec = network(
            self.model,
            shortcut=self.shortcut,
            stride_in=self.stride_in,
            padding=self.padding,
            pool=self.pool,
            classes=classes,
            input_size=self.size,
        )
        if not spec.for_photographs:
            raise UsageError(f"{self.model} is a CIFAR net", "`rescli train cifar --depth N` trains it.")
        return spec

    def schedule(self) -> Schedule:
        """The learning rate of every iteration."""
        milestones = tuple(round(fraction * self.iterations) for fraction in self.milestones or ())
        rule = Plateau(
            patience=PATIENCE if self.patience is None else self.patience,
            least=LEAST if self.least is None else self.least,
            drops=DROPS if self.drops is None else self.drops,
        )
        return Schedule(
            iterations=self.iterations,
            learning_rate=self.learning_rate,
            milestones=milestones,
            divisor=self.lr_divisor,
            plateau=rule if self.milestones is None else None,
        )

    def resolved(self) -> ImageNetRecipe:
        """The same recipe with every None and `auto` that does not need a device or the images decided."""
        spec, rule = self.spec(classes=1000), self.schedule().plateau
        net = spec if isinstance(spec, NetworkSpec) else None
        return replace(
            self,
            model=spec.name,
            shortcut=net.shortcut if net else None,
            stride_in=net.stride_in if net else None,
            padding=net.padding if net else None,
            pool=net.stem.pool if net else None,
            shortest=in_proportion(SHORTER, self.size) if self.shortest is None else self.shortest,
            longest=(self.longest or in_proportion(LONGEST, self.size)) if self.augment else None,
            colour=(self.augment if self.colour is None else self.colour) if self.augment else None,
            patience=rule.patience if rule else None,
            least=rule.least if rule else None,
            drops=rule.drops if rule else None,
            bn_images=(self.bn_images or self.batch_size) if net else None,
            precise_bn=(200 if self.precise_bn is None else self.precise_bn) if net else None,
            **self.every(EVALUATIONS),
        )


def in_proportion(side: int, size: int) -> int:
    """A side in pixels that the paper gives for crops of 224, for crops of another size."""
    return round(side * size / SIZE)


def _check_numbers(recipe: ImageNetRecipe) -> None:
    require(recipe, 32 <= recipe.size <= 1024, "size", "must be between 32 and 1024 pixels")
    shortest = in_proportion(SHORTER, recipe.size) if recipe.shortest is None else recipe.shortest
    require(recipe, recipe.size <= shortest <= 4096, "shortest", f"must be between {recipe.size} and 4096 pixels")
    if recipe.longest is not None:
        require(recipe, shortest <= recipe.longest <= 4096, "longest", f"must be between {shortest} and 4096 pixels")
    if recipe.milestones is not None:
        check_milestones(recipe, recipe.milestones)
    for name, least in {"patience": 1, "drops": 0, "precise_bn": 0, "mean_images": 1}.items():
        value = getattr(recipe, name)
        require(recipe, value is None or value >= least, name, f"must be at least {least}")
    if recipe.least is not None:
        require(recipe, 0 <= recipe.least < 100, "least", "must be percentage points in [0, 100)")


def _check_effect(recipe: ImageNetRecipe) -> None:
    """Raises `UsageError` for an impossible net and for options that would have no effect."""
    spec = recipe.spec(classes=1000)
    if recipe.milestones is not None:
        for name in ("patience", "least", "drops"):
            if getattr(recipe, name) is not None:
                raise UsageError(
                    f"{name} is about plateaus, and milestones say when the learning rate falls", "Leave one out."
                )
    if not recipe.augment and (recipe.longest is not None or recipe.colour is not None):
        raise UsageError("without augmentation longest and colour have no effect", "Leave them out.")
    if isinstance(spec, VggSpec) and (recipe.bn_images is not None or recipe.precise_bn is not None):
        raise UsageError(f"{recipe.model} has no BN: bn_images and precise_bn have no effect", "Leave them out.")
