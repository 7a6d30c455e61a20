"""`rescli train`: the paper's training runs."""

from __future__ import annotations

import math
import sys
from dataclasses import fields, replace
from pathlib import Path
from typing import Annotated

import typer

from rescli import console
from rescli.commands import layers
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
from rescli.data.names import info
from rescli.engine.request import Outcome, Request, stored_recipe
from rescli.errors import DataError, UsageError
from rescli.recipes.cifar import CifarRecipe

app = typer.Typer(help="Train a network into a run store.", no_args_is_help=True)


@app.callback()
def train() -> None:
    """Train a network into a run store."""


@app.command(short_help="Train a 6n+2-layer net on CIFAR-10 or CIFAR-100.")
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
    learning_rate: Annotated[float, option("--lr", help="Learning rate.")] = 0.1,
    milestones: Annotated[
        list[float] | None,
        option(
            "--milestone", help="Fraction of the run after which the rate is divided; repeatable.", default="0.5 0.75"
        ),
    ] = None,
    lr_divisor: Annotated[float, option(help="What divides the rate at a milestone.")] = 10.0,
    momentum: Annotated[float, option(help="Momentum of SGD.")] = 0.9,
    momentum_form: Annotated[
        MomentumForm, option(help="caffe (the paper's): the buffer holds lr * gradient; pytorch: the gradient.")
    ] = MomentumForm.pytorch,
    weight_decay: Annotated[float, option(help="Weight decay of SGD.")] = 1e-4,
    decay: Annotated[Decay, option(help="What decays: all parameters, or the weights of convolutions.")] = Decay.all,
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
    resume: Annotated[bool, option("--resume", help="Go on where it stopped; a new run if there is none.")] = False,
    eval_every: Annotated[
        int | None, option(help="Iterations between evaluations.", default="1/64 of the run, at least 500")
    ] = None,
    log_every: Annotated[
        int | None, option(help="Iterations in a row of training metrics.", default="1/640 of the run, at least 10")
    ] = None,
    checkpoint_every: Annotated[
        float | None,
        option(
            min=0.0, help="Seconds between checkpoints.", default="60, or more to keep writing under 1 % of the time"
        ),
    ] = None,
    # The device
    backend: Backend = "auto",
    precision: Annotated[
        Precision, option(help="Of the convolutions. auto: bf16 where the device has it.")
    ] = Precision.auto,
    threads: Threads = None,
    deterministic: Annotated[
        bool,
        option("--deterministic", help="The same bits every time on CUDA too, slower."),
    ] = False,
    compile: Annotated[
        bool | None,
        option("--compile/--no-compile", help="Compile the blocks, once a shape.", default="on CUDA, not on the CPU"),
    ] = None,
    checkpoint_activations: Annotated[
        bool,
        option("--checkpoint-activations", help="Keep blocks' inputs only: the same bits, less memory, more time."),
    ] = False,
    devices: Annotated[
        int, option(min=1, help="Processes that share every batch, each with its own GPU if there are any.")
    ] = 1,
    seeds: Annotated[
        int, option(min=1, help="Train so many seeds at once, from --seed up, each into its own run store.")
    ] = 1,
    # Configuration and output
    config: Annotated[
        Path | None,
        option(
            help="Options from a TOML file, below environment and flags.", callback=layers.read_config, is_eager=True
        ),
    ] = None,
    print_config: Annotated[
        bool, option("--print-config", help="Print the resolved recipe, fit for --config.")
    ] = False,
    dry_run: Annotated[
        bool, option("--dry-run", help="Check data, device and memory; time some steps; write nothing.")
    ] = False,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Train a 6n+2-layer net on CIFAR as in Sec. 4.2: 64k iterations of SGD, learning rate 0.1, / 10 at 32k and 48k.

    Any option can come from the environment (RESCLI_TRAIN_CIFAR_DEPTH=56) or from --config. Ctrl-C, SIGTERM, SIGUSR1
    and SIGHUP write a checkpoint and leave; the same command with --resume goes on.
    """
    layers.check_environment(context)
    on_purpose = layers.given(context)
    values = {f.name: on_purpose[f.name] for f in fields(CifarRecipe) if f.name in on_purpose}
    path = default_path(CifarRecipe(**values)) if out is None else seeded(out, seed)
    request = Request(
        recipe=(stored_recipe(path) if resume else None) or CifarRecipe(**values),
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
    if compile and checkpoint_activations:
        raise UsageError("--compile and --checkpoint-activations exclude one another", "Leave one of them out.")
    _check_effect(request, download=download, print_config=print_config, dry_run=dry_run)
    if print_config:
        _print_config(request, json=json)
    elif dry_run and devices > 1:
        raise UsageError("--dry-run looks at one process", "Leave --devices out.")
    elif dry_run:
        _dry_run(request, json=json)
    elif devices > 1 and not layers.in_a_job():
        _launch(request, devices, download=download)
    elif seeds > 1:
        _train_several(requests, download=download, json=json)
    else:
        _train(request, download=download, json=json)


def default_path(recipe: CifarRecipe) -> Path:
    """Where a run goes that was given no name: equal recipes but for the seed get names that sort together."""
    net = recipe.spec(classes=10).name
    option = f"-{recipe.shortcut}" if recipe.shortcut in ("B", "C") else ""
    return Path("runs") / f"{recipe.dataset}-{net}{option}-seed{recipe.seed}.h5"


def _check_effect(request: Request, *, download: bool, print_config: bool, dry_run: bool) -> None:
    """Raises `UsageError` for options that would have no effect."""
    files = info(request.recipe.dataset).needs_files
    if not files and (download or request.data is not None):
        raise UsageError(
            f"{request.recipe.dataset} is built in: --data and --download have no effect", "Leave them out."
        )
    if download and (print_config or dry_run):
        raise UsageError("--download has no effect: nothing is written here", "`rescli data fetch` downloads.")
    if print_config and dry_run:
        raise UsageError("--print-config and --dry-run exclude one another", "Leave one of them out.")
    if request.checkpoint_seconds is not None and math.isnan(
        request.checkpoint_seconds
    ):  # it would be later than any time
        raise UsageError("--checkpoint-every nan is no number of seconds", "inf writes a checkpoint at the end only.")


def _print_config(request: Request, *, json: bool) -> None:
    from rescli.backends.registry import choose
    from rescli.engine.prepare import settle

    recipe = settle(request, choose(request.backend)).to_dict()
    if json:
        console.emit(recipe)
    else:
        console.say(layers.as_toml(recipe))


def _dry_run(request: Request, *, json: bool) -> None:
    from rescli.engine.dry_run import dry_run

    report = dry_run(request)
    if json:
        console.emit(report.to_dict())
        return
    for line in report.description:
        console.say(line)
    console.pairs(
        {
            "run store": f"{report.path} (not written)",
            "memory": f"about {report.memory_needed / 1e9:.1f} GB of {report.memory_free / 1e9:.1f} GB free",
            "step": f"{1000 * report.seconds_per_step:.1f} ms, {report.images_per_second:,.0f} images/s",
            "time": f"about {console.duration(report.seconds)} for {report.iterations:,} iterations, without evaluations",
        }
    )


def _train(request: Request, *, download: bool, json: bool) -> None:
    from rescli.console.progress import watch
    from rescli.engine.stopping import StopSignals

    if download and layers.first_of_job():  # the others wait for the first where the job comes together
        _fetch_if_missing(request)
    with StopSignals() as stop:  # before PyTorch is loaded: from here on a signal ends in a checkpoint
        from rescli.engine.train import train as run

        _tell(run(request, watch(), stop), json=json)


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
        path = default_path(recipe) if out is None else seeded(out, seed)
        made.append(replace(request, recipe=recipe, given={**request.given, "seed": seed}, path=path))
    return made


def _train_several(requests: list[Request], *, download: bool, json: bool) -> None:
    from rescli.console.progress import watch
    from rescli.engine.stopping import StopSignals

    if download:
        _fetch_if_missing(requests[0])
    with StopSignals() as stop:
        from rescli.engine.together import train_together

        outcomes = train_together(requests, watch(), stop)
    if json:
        console.emit([outcome.to_dict() for outcome in outcomes])
        return
    for outcome in outcomes:
        _tell(outcome, json=False)


def _launch(request: Request, devices: int, *, download: bool) -> None:
    """The same command in each of the processes, which see in their environment that they are part of a job."""
    from rescli.engine.launch import train_on

    if download:
        _fetch_if_missing(request)
    train_on(devices, sys.argv[1:], request.path, threads=request.threads)


def _tell(outcome: Outcome, *, json: bool) -> None:
    if json:
        console.emit(outcome.to_dict())
    elif outcome.already:
        console.say(f"{outcome.path} is finished already: {outcome.sentence()}")
    else:
        console.say(f"{outcome.path}: {outcome.sentence()} in {console.duration(outcome.seconds)}")
        console.note(f"Next: rescli eval {outcome.path}")


def _fetch_if_missing(request: Request) -> None:
    from rescli.data.fetch import fetch
    from rescli.data.locate import find

    try:
        find(request.recipe.dataset, request.data)
    except DataError:
        fetch(request.recipe.dataset, request.data, note=console.note)
