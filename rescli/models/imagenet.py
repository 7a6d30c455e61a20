"""The ImageNet nets: Table 1, its plain counterparts (Sec. 3.3, footnote 4), and the VGG nets they are compared with."""

from __future__ import annotations

from rescli.models.spec import NetworkSpec, Padding, Pool, Shortcut, Stage, Stem, StrideIn, VggSpec

WIDTHS = (64, 128, 256, 512)  # of the 3x3 convolutions in conv2_x to conv5_x

BLOCKS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}
"""Table 1: blocks in conv2_x, conv3_x, conv4_x and conv5_x."""

BOTTLENECK_FROM = 50

VGG = {
    16: ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512)),
    19: ((64, 64), (128, 128), (256, 256, 256, 256), (512, 512, 512, 512), (512, 512, 512, 512)),
}


def imagenet_spec(
    depth: int,
    *,
    plain: bool = False,
    shortcut: Shortcut | None = None,
    stride_in: StrideIn | None = None,
    padding: Padding | None = None,
    pool: Pool | None = None,
    stem_bias: bool = False,
    classes: int = 1000,
    size: int = 224,
) -> NetworkSpec:
    """A column of Table 1, or its plain counterpart. None stands for the paper's choice.

    That is option A for 18 and 34 layers (Table 2, Fig. 3) and B for bottlenecks (Sec. 4.1); the stride on the first 1x1.
    """
    bottleneck = depth >= BOTTLENECK_FROM
    option: Shortcut | None = None if plain else shortcut or ("B" if bottleneck else "A")
    return NetworkSpec(
        name=f"{'plain' if plain else 'resnet'}{depth}",
        input_size=size,
        classes=classes,
        stem=Stem(channels=64, kernel=7, stride=2, pool=pool or "padded", bias=stem_bias),
        stages=tuple(
            Stage(channels=width, blocks=count, stride=1 if number == 0 else 2)
            for number, (width, count) in enumerate(zip(WIDTHS, BLOCKS[depth], strict=True))
        ),
        bottleneck=bottleneck,
        shortcut=option,
        stride_in=(stride_in or "1x1") if bottleneck else None,
        padding=(padding or "append") if option == "A" else None,
    )


def vgg_spec(depth: int, *, classes: int = 1000, size: int = 224) -> VggSpec:
    """VGG-16 or VGG-19."""
    return VggSpec(name=f"vgg{depth}", input_size=size, classes=classes, stages=VGG[depth], hidden=(4096, 4096))
