"""`rescli train cifar`: the paper's runs on CIFAR (Sec. 4.2)."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path
from typing import Annotated

import typer

from rescli import console
from rescli.commands import configuration
from rescli.commands.options import (
    Backend,
    Data,
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
from rescli.data.names import info
from rescli.engine.request import Request, stored_recipe
from rescli.errors import DataError, UsageError
from rescli.recipes.cifar import CifarRecipe


def cifar(
    context: typer.Context,
    # The network
    depth: Annotated[int, option(help="6n+2 layers: 20, 32, 44, 56, 110, 1202, ...")] = 20,
    plain: Annotated[bool, option("--plain", help="No shortcuts.")] = False,
    shortcut: Annotated[
        Shortcut | None,
        option(help="A: zero-padded identity, B: projection where shapes change, C: everywhere.", default="A"),
    ] = None,
    # The data
    dataset: Annotated[str, option(help="cifar10, cifar100 or synthetic.")] = "cifar10",
    data: Data = None,
    download: Annotated[bool, option("--download", help="Fetch the data set first if it is not there.")] = False,
    validation: Annotated[
        int, option(help="Hold out the last N training images and evaluate on them; the paper's split: 5000.")
    ] = 0,
    augment: Annotated[bool, option(help="Pad 4, random 32x32 crop, random flip.")] = True,
    # The recipe, Sec. 4.2
    iterations: Annotated[int, option(help="Length of the run; milestones and warm-up scale with it.")] = 64_000,
    batch_size: Annotated[int, option(help="Images an iteration.")] = 128,
    learning_rate: running.Rate = 0.1,
    milestones: Annotated[
        list[float] | None,
        option(
            "--milestone", help="Fraction of the run after which the rate is divided; repeatable.", default="0.5 0.75"
        ),
    ] = None,
    lr_divisor: running.Divisor = 10.0,
    momentum: running.Momentum = 0.9,
    momentum_form: running.Form = MomentumForm.pytorch,
    weight_decay: running.WeightDecay = 1e-4,
    decay: running.What = Decay.all,
    warmup: Annotated[
        bool | None,
        option(help="A small rate until the training error has fallen.", default="from 110 layers up"),
    ] = None,
    warmup_lr: Annotated[float | None, option(help="That small rate.", default="0.01")] = None,
    warmup_error: Annotated[float | None, option(help="Training error that ends it, in %.", default="80")] = None,
    bn_images: Annotated[
        int | None,
        option(help="BN statistics over so many images; 64 on the paper's two GPUs.", default="the whole batch"),
    ] = None,
    seed: Annotated[int, option(help="Of weights, order, crops and flips.")] = 0,
    # The run
    out: Annotated[Path | None, option(help="The run store.", default="runs/DATASET-NET-seedN.h5")] = None,
    resume: running.Resume = False,
    eval_every: Annotated[
        int | None, option(help="Iterations between evaluations.", default="1/64 of the run, at least 500")
    ] = None,
    log_every: running.LogEvery = None,
    checkpoint_every: running.CheckpointEvery = None,
    # The device
    backend: Backend = "auto",
    precision: running.Arithmetic = Precision.auto,
    threads: Threads = None,
    deterministic: running.Deterministic = False,
    compile: running.Compile = None,
    checkpoint_activations: running.Checkpointed = False,
    devices: running.Devices = 1,
    seeds: Annotated[
        int, option(min=1, help="Train so many seeds at once, from --seed up, each into its own run store.")
    ] = 1,
    # Configuration and output
    config: running.Config = None,
    print_config: running.PrintConfig = False,
    dry_run: running.DryRun = False,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Train a 6n+2-layer net on CIFAR as in Sec. 4.2: 64k iterations of SGD, learning rate 0.1, / 10 at 32k and 48k.

    Any option can come from the environment (RESCLI_TRAIN_CIFAR_DEPTH=56) or from --config. Ctrl-C, SIGTERM, SIGUSR1
    and SIGHUP write a checkpoint and leave; the same command with --resume goes on.
    """
    configuration.check_environment(context)
    on_purpose = configuration.given(context)
    values = {f.name: on_purpose[f.name] for f in fields(CifarRecipe) if f.name in on_purpose}
    path = running.default_path(CifarRecipe(**values)) if out is None else seeded(out, seed)
    stored = stored_recipe(path) if resume else None
    if stored is not None and not isinstance(stored, CifarRecipe):
        raise UsageError(f"{path} is a run on {stored.dataset}", "`rescli train imagenet --resume` goes on with it.")
    request = Request(
        recipe=stored or CifarRecipe(**values),
        given=values,
        path=path,
        resume=resume,
        data=data,
        backend=backend,
        deterministic=deterministic,
        threads=threads,
        compile=compile,
        checkpoint_activations=checkpoint_activations,
        checkpoint_seconds=checkpoint_every,
    )
    requests = several(request, seeds, out=out)
    if seeds > 1 and (devices > 1 or dry_run or print_config):
        raise UsageError("--seeds is for runs on one device, not for --devices, --dry-run and --print-config")
    _check_effect(request, download=download, writes=not (print_config or dry_run))
    running.check_effect(request, print_config=print_config, dry_run=dry_run, devices=devices)
    fetch = (lambda: _fetch_if_missing(request)) if download else None
    if seeds > 1:
        running.train_several(requests, json=json, fetch=fetch)
    else:
        running.carry_out(request, print_config=print_config, dry_run=dry_run, devices=devices, json=json, fetch=fetch)


def seeded(path: Path, seed: int) -> Path:
    """The path with its `{seed}`, if there is one, filled in."""
    return Path(str(path).replace("{seed}", str(seed)))


def several(request: Request, seeds: int, *, out: Path | None) -> list[Request]:
    """A request for each of so many seeds. Raises `UsageError` where --out does not say `{seed}`."""
    if seeds == 1:
        return [request]
    if out is not None and "{seed}" not in str(out):
        raise UsageError(
            f"--out {out} is one file for {seeds} seeds", "Say where the seed goes: --out 'run-{seed}.h5'."
        )
    made = []
    for seed in range(request.recipe.seed, request.recipe.seed + seeds):
        recipe = replace(request.recipe, seed=seed)
        path = running.default_path(recipe) if out is None else seeded(out, seed)
        made.append(replace(request, recipe=recipe, given={**request.given, "seed": seed}, path=path))
    return made


def _check_effect(request: Request, *, download: bool, writes: bool) -> None:
    """Raises `UsageError` for options that would have no effect."""
    files = info(request.recipe.dataset).needs_files
    if not files and (download or request.data is not None):
        raise UsageError(
            f"{request.recipe.dataset} is built in: --data and --download have no effect", "Leave them out."
        )
    if download and not writes:
        raise UsageError("--download has no effect: nothing is written here", "`rescli data fetch` downloads.")


def _fetch_if_missing(request: Request) -> None:
    from rescli.data.fetch import fetch
    from rescli.data.locate import find

    try:
        find(request.recipe.dataset, request.data)
    except DataError:
        fetch(request.recipe.dataset, request.data, note=console.note)
