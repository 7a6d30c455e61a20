"""The CIFAR nets of Sec. 4.2: one rule."""

from __future__ import annotations

from rescli.errors import UsageError
from rescli.models.spec import NetworkSpec, Padding, Shortcut, Stage, Stem

PAPER_DEPTHS = (20, 32, 44, 56, 110, 1202)
MAX_DEPTH = 100_000  # a hundred times what anybody has trained; beyond it a mistyped number would fill the memory
ALSO_IMAGENET = (50, 152)  # 6n+2 too, but these names mean the nets of Table 1 to everyone


def cifar_spec(
    depth: int, *, shortcut: Shortcut | None = "A", padding: Padding | None = None, classes: int = 10, size: int = 32
) -> NetworkSpec:
    """6n+2 layers: 2n on each of 32x32, 16x16 and 8x8 maps with 16, 32 and 64 filters.

    `shortcut=None` gives the plain net; `padding` (option A alone) is "append" unless asked for otherwise. Raises `UsageError`
    where `depth` is not 6n+2 with n >= 1.
    """
    if depth > MAX_DEPTH:
        raise UsageError(f"depth {depth} is more than {MAX_DEPTH:,} layers", "The paper goes to 1202.")
    n, rest = divmod(depth - 2, 6)
    if rest or n < 1:
        raise UsageError(
            f"depth {depth} is not 6n+2, as the paper's CIFAR nets are (Sec. 4.2)",
            f"The nearest: {' and '.join(map(str, nearest(depth)))}. The paper trains 20, 32, 44, 56, 110 and 1202.",
        )
    return NetworkSpec(
        name=cifar_name(depth, plain=shortcut is None),
        input_size=size,
        classes=classes,
        stem=Stem(channels=16, kernel=3, stride=1),
        stages=(
            Stage(channels=16, blocks=n, stride=1),
            Stage(channels=32, blocks=n, stride=2),
            Stage(channels=64, blocks=n, stride=2),
        ),
        shortcut=shortcut,
        padding=(padding or "append") if shortcut == "A" else None,
    )


def nearest(depth: int) -> list[int]:
    """The depths 6n+2 next to one that is none."""
    n = (depth - 2) // 6
    return sorted({6 * max(n, 1) + 2} if depth < 8 else {6 * n + 2, 6 * n + 8})


def cifar_name(depth: int, *, plain: bool) -> str:
    """`resnet56`, `plain20`; with `cifar-` in front where the short name means a net of Table 1."""
    return f"{'cifar-' if depth in ALSO_IMAGENET else ''}{'plain' if plain else 'resnet'}{depth}"
