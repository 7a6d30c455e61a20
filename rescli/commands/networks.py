"""Options that name a network and its forks, shared by the commands about networks."""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from typing import Annotated, Any

import typer

from rescli.commands.options import Shortcut as ShortcutOption
from rescli.commands.options import option, plain
from rescli.models.names import completions, network
from rescli.models.spec import Spec


class StrideInOption(str, Enum):
    """Which convolution of a bottleneck has the stride."""

    one = "1x1"
    three = "3x3"


class PaddingOption(str, Enum):
    """Where option A puts the new channels."""

    append = "append"
    both = "both"


class PoolOption(str, Enum):
    """How the 3x3/2 max pooling treats the border."""

    padded = "padded"
    ceil = "ceil"


def complete_network(incomplete: str) -> Iterator[str]:
    """The names of networks that begin so."""
    return (name for name in completions() if name.startswith(incomplete.lower()))


Name = Annotated[
    str,
    typer.Argument(
        metavar="NET",
        help="resnet18 ... resnet152, plain34, vgg16, resnet20 ... resnet1202, cifar-resnet50, ...",
        show_default=False,
        autocompletion=complete_network,
    ),
]
Shortcut = Annotated[
    ShortcutOption | None,
    option(
        help="A: zero-padded identity, B: projection where shapes change, C: everywhere.",
        default="A; B for bottlenecks",
    ),
]
StrideIn = Annotated[
    StrideInOption | None,
    option(help="Of a bottleneck that halves the map; 3x3 is torchvision's v1.5.", default="1x1"),
]
Padding = Annotated[
    PaddingOption | None,
    option(help="Where option A puts the new channels: behind, or on both sides.", default="append"),
]
Pool = Annotated[
    PoolOption | None, option(help="Border of the max pooling; ceil is the original Caffe nets'.", default="padded")
]
Classes = Annotated[int | None, option(min=1, help="Classes.", default="1000; 10 for CIFAR nets")]
Input = Annotated[
    int | None, option("--input", min=1, help="Side of the square input in pixels.", default="224; 32 for CIFAR nets")
]


def spec_of(name: str, **options: Any) -> Spec:
    """The network of a command's name and options. Raises `UsageError`."""
    return network(name, **{key: plain(value) for key, value in options.items() if value is not None})


class NormalizeOption(str, Enum):
    """How weights from elsewhere had their inputs normalized."""

    imagenet = "imagenet"
    cifar10 = "cifar10"
    caffe = "caffe"
    none = "none"


class LayoutOption(str, Enum):
    """How the tensors in a file of weights are named."""

    auto = "auto"
    torchvision = "torchvision"
    cifar = "cifar"
    caffe = "caffe"
    rescli = "rescli"


Net = Annotated[
    str | None,
    option(
        "--net",
        "--model",
        metavar="NET",
        help="The network of the weights.",
        default="what they say",
        autocompletion=complete_network,
    ),
]
Normalize = Annotated[
    NormalizeOption | None,
    option(help="What the weights' inputs were normalized by.", default="what the file or its layout says"),
]
Layout = Annotated[
    LayoutOption | None,
    option(
        help="Names in the file; rescli takes your word for every fork that the file does not state.", default="auto"
    ),
]
