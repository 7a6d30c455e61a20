"""`rescli train imagenet`: the paper's runs on ImageNet (Sec. 3.4)."""

from __future__ import annotations

from dataclasses import fields
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from rescli.commands import configuration
from rescli.commands.networks import Padding, Pool, StrideIn, complete_network
from rescli.commands.options import (
    MOST_THREADS,
    Backend,
    Debug,
    Decay,
    Json,
    MomentumForm,
    Precision,
    Shortcut,
    Threads,
    option,
)
from rescli.commands.train import running
from rescli.engine.request import Request, stored_recipe
from rescli.errors import UsageError
from rescli.recipes.imagenet import ImageNetRecipe


class DecodeOption(str, Enum):
    """Who decodes: the processor's threads, or the GPU that trains."""

    cpu = "cpu"
    gpu = "gpu"


def imagenet(
    context: typer.Context,
    # The network
    model: Annotated[
        str,
        option(
            "--model",
            "--net",
            metavar="NET",
            help="resnet18 ... resnet152, plain18, plain34, vgg16, vgg19.",
            autocompletion=complete_network,
        ),
    ] = "resnet34",
    shortcut: Annotated[
        Shortcut | None,
        option(
            help="A: zero-padded identity, B: projection where shapes change, C: everywhere.",
            default="A; B for bottlenecks",
        ),
    ] = None,
    stride_in: StrideIn = None,
    padding: Padding = None,
    pool: Pool = None,
    # The images
    data: Annotated[
        Path | None,
        option(
            help="Folder of train/WNID/*.JPEG and val/WNID/*.JPEG, or a packed file.", default="RESCLI_DATA/imagenet"
        ),
    ] = None,
    truth: Annotated[
        Path | None,
        option(
            help="Classes of val's images where they lie in no folders: NAME CLASS a line, or the devkit.",
            default="none",
        ),
    ] = None,
    skip_damaged: Annotated[
        bool,
        option("--skip-damaged", help="Decode every image first, leave out and name those that cannot be decoded."),
    ] = False,
    size: Annotated[int, option("--input", help="Side of a crop in pixels; other sides are in proportion.")] = 224,
    shortest: Annotated[
        int | None, option(help="Shorter side of an image is drawn from here ...", default="256 for crops of 224")
    ] = None,
    longest: Annotated[int | None, option(help="... to here.", default="480 for crops of 224")] = None,
    colour: Annotated[
        bool | None,
        option("--colour/--no-colour", help="Shift colours along their principal components.", default="on"),
    ] = None,
    augment: Annotated[bool, option(help="Scale, crop, mirror image and colour; without it the center.")] = True,
    mean_images: Annotated[
        int | None, option(help="Training images that the mean image is computed of.", default="all")
    ] = None,
    # The recipe, Sec. 3.4
    iterations: Annotated[int, option(help="Length of the run.")] = 600_000,
    batch_size: Annotated[int, option(help="Images an iteration.")] = 256,
    learning_rate: running.Rate = 0.1,
    milestones: Annotated[
        list[float] | None,
        option(
            "--milestone",
            help="Fraction of the run after which the rate is divided, in place of plateaus; repeatable.",
            default="plateaus",
        ),
    ] = None,
    lr_divisor: running.Divisor = 10.0,
    patience: Annotated[
        int | None, option(help="Evaluations without progress that make a plateau.", default="5")
    ] = None,
    least: Annotated[
        float | None, option(help="Progress: so many points of validation error below the best.", default="0.1")
    ] = None,
    drops: Annotated[int | None, option(help="How often plateaus divide the rate at most.", default="3")] = None,
    momentum: running.Momentum = 0.9,
    momentum_form: running.Form = MomentumForm.pytorch,
    weight_decay: running.WeightDecay = 1e-4,
    decay: running.What = Decay.all,
    bn_images: Annotated[
        int | None,
        option(help="BN statistics over so many images; 32 is a batch on eight GPUs.", default="the whole batch"),
    ] = None,
    precise_bn: Annotated[
        int | None,
        option(help="After training average BN's statistics over so many batches; 0: moving averages.", default="200"),
    ] = None,
    seed: Annotated[int, option(help="Of weights, order and augmentation.")] = 0,
    # The run
    out: Annotated[Path | None, option(help="The run store.", default="runs/imagenet-NET-seedN.h5")] = None,
    resume: running.Resume = False,
    eval_every: Annotated[
        int | None, option(help="Iterations between evaluations.", default="1/120 of the run, at least 500")
    ] = None,
    log_every: running.LogEvery = None,
    checkpoint_every: running.CheckpointEvery = None,
    # The device
    backend: Backend = "auto",
    precision: running.Arithmetic = Precision.auto,
    threads: Threads = None,
    workers: Annotated[
        int | None,
        option(min=1, max=MOST_THREADS, help="Threads that decode images, in each process.", default="all processors"),
    ] = None,
    decode: Annotated[
        DecodeOption | None,
        option(help="Where training's JPEGs are decoded. gpu: by nvJPEG, to slightly other pixels.", default="cpu"),
    ] = None,
    accumulate: running.Accumulate = None,
    deterministic: running.Deterministic = False,
    compile: running.Compile = None,
    checkpoint_activations: running.Checkpointed = False,
    devices: running.Devices = 1,
    # Configuration and output
    config: running.Config = None,
    print_config: running.PrintConfig = False,
    dry_run: running.DryRun = False,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Train a net of Table 1, a plain one or VGG as in Sec. 3.4: SGD, learning rate 0.1, / 10 where the error plateaus.

    On the images of any number of classes. The center crop of every validation image is tested on the way (Fig. 4). Any
    option can come from the environment (RESCLI_TRAIN_IMAGENET_MODEL=plain34) or from --config. Ctrl-C, SIGTERM, SIGUSR1
    and SIGHUP write a checkpoint and leave; the same command with --resume goes on.
    """
    configuration.check_environment(context)
    on_purpose = configuration.given(context)
    values = {f.name: on_purpose[f.name] for f in fields(ImageNetRecipe) if f.name in on_purpose}
    path = running.default_path(ImageNetRecipe(**values)) if out is None else out
    stored = stored_recipe(path) if resume else None
    if stored is not None and not isinstance(stored, ImageNetRecipe):
        raise UsageError(f"{path} is a run on {stored.dataset}", "`rescli train cifar --resume` goes on with it.")
    request = Request(
        recipe=stored or ImageNetRecipe(**values),
        given=values,
        path=path,
        resume=resume,
        data=data,
        backend=backend,
        deterministic=deterministic,
        threads=threads,
        workers=workers,
        decode=None if decode is None else decode.value,
        truth=truth,
        skip_damaged=skip_damaged,
        accumulate=accumulate,
        compile=compile,
        checkpoint_activations=checkpoint_activations,
        checkpoint_seconds=checkpoint_every,
    )
    running.check_effect(request, print_config=print_config, dry_run=dry_run, devices=devices)
    running.carry_out(request, print_config=print_config, dry_run=dry_run, devices=devices, json=json)
