"""`rescli train`: the paper's training runs."""

from __future__ import annotations

import typer

from rescli.commands.train.cifar import cifar
from rescli.commands.train.imagenet import imagenet

app = typer.Typer(no_args_is_help=True)


@app.callback()
def train() -> None:
    """Train a network into a run store."""


app.command("cifar", short_help="Train a 6n+2-layer net on CIFAR-10 or CIFAR-100.")(cifar)
app.command("imagenet", short_help="Train a net of Table 1, or VGG, on ImageNet or a part of it.")(imagenet)
