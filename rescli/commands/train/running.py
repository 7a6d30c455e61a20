"""What `rescli train` does with a request, whatever is trained; and the options that all of its commands share."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from rescli import console
from rescli.commands import configuration
from rescli.commands.options import Decay, MomentumForm, Precision, option
from rescli.engine.request import Outcome, Request
from rescli.errors import UsageError
from rescli.models.spec import VggSpec
from rescli.program import first_of_job, in_a_job, processes
from rescli.recipes.imagenet import ImageNetRecipe
from rescli.recipes.recipe import Recipe

if TYPE_CHECKING:
    from rescli.store.record import RunRecord

Rate = Annotated[float, option("--lr", help="Learning rate.")]
Divisor = Annotated[float, option(help="What divides the rate where it falls.")]
Momentum = Annotated[float, option(help="Momentum of SGD.")]
Form = Annotated[
    MomentumForm, option(help="caffe (the paper's): the buffer holds lr * gradient; pytorch: the gradient.")
]
WeightDecay = Annotated[float, option(help="Weight decay of SGD.")]
What = Annotated[Decay, option(help="What decays: all parameters, or the weights of convolutions.")]
Resume = Annotated[bool, option("--resume", help="Go on where it stopped; a new run if there is none.")]
LogEvery = Annotated[
    int | None, option(help="Iterations in a row of training metrics.", default="1/640 of the run, at least 10")
]
CheckpointEvery = Annotated[
    float | None,
    option(
        min=0.0,
        or_inf=True,
        help="Seconds between checkpoints; inf: at the end only.",
        default="60, or more to keep writing under 1 % of the time",
    ),
]
Arithmetic = Annotated[Precision, option(help="Of the convolutions. auto: bf16 where the device has it.")]
Deterministic = Annotated[bool, option("--deterministic", help="The same bits every time on CUDA too, slower.")]
Compile = Annotated[
    bool | None,
    option("--compile/--no-compile", help="Compile the blocks, once a shape.", default="on CUDA, not on the CPU"),
]
Checkpointed = Annotated[
    bool,
    option("--checkpoint-activations", help="Keep blocks' inputs only: the same bits, less memory, more time."),
]
Devices = Annotated[
    int, option(min=1, help="Processes that share every batch, each with its own GPU if there are any.")
]
Accumulate = Annotated[
    int | None,
    option(
        min=1,
        help="Compute a batch in so many parts, one after the other: less memory; BN is over a part.",
        default="1",
    ),
]
Config = Annotated[
    Path | None,
    option(
        help="Options from a TOML file, below environment and flags.", callback=configuration.read_config, is_eager=True
    ),
]
PrintConfig = Annotated[bool, option("--print-config", help="Print the resolved recipe, fit for --config.")]
DryRun = Annotated[bool, option("--dry-run", help="Check data, device and memory; time some steps; write nothing.")]


def default_path(recipe: Recipe) -> Path:
    """Where a run goes that was given no name: equal recipes but for the seed get names that sort together."""
    net = recipe.spec(classes=10).name
    shortcut = f"-{recipe.shortcut}" if recipe.shortcut in ("B", "C") else ""
    return Path("runs") / f"{recipe.dataset}-{net}{shortcut}-seed{recipe.seed}.h5"


def check_effect(request: Request, *, print_config: bool, dry_run: bool, devices: int) -> None:
    """Raises `UsageError` for options that exclude one another, or that would have no effect."""
    if request.compile and request.checkpoint_activations:
        raise UsageError("--compile and --checkpoint-activations exclude one another", "Leave one of them out.")
    if print_config and dry_run:
        raise UsageError("--print-config and --dry-run exclude one another", "Leave one of them out.")
    if print_config and devices > 1:
        raise UsageError("--print-config settles the recipe of one process", "Leave --devices out.")
    vgg = isinstance(request.recipe, ImageNetRecipe) and isinstance(request.recipe.spec(classes=1000), VggSpec)
    if vgg and (request.checkpoint_activations or request.compile):
        name = "--compile" if request.compile else "--checkpoint-activations"
        raise UsageError(f"{name} is for blocks, and VGG nets have none", "Leave it out.")
    if in_a_job() and devices not in (1, processes()):
        raise UsageError(f"this job has {processes()} processes: --devices {devices} has no effect", "Leave it out.")
    if dry_run and devices > 1:
        raise UsageError("--dry-run looks at one process", "Leave --devices out.")


def carry_out(
    request: Request,
    *,
    print_config: bool,
    dry_run: bool,
    devices: int,
    json: bool,
    fetch: Callable[[], None] | None = None,
) -> None:
    """Whatever of training, looking and printing was asked for; `fetch` is called first where images may be missing."""
    if print_config:
        print_recipe(request, json=json)
    elif dry_run:
        look(request, json=json)
    elif devices > 1 and not in_a_job():
        launch(request, devices, fetch=fetch)
    else:
        train(request, json=json, fetch=fetch)


def print_recipe(request: Request, *, json: bool) -> None:
    """The recipe with nothing left open, as TOML or JSON."""
    from rescli.backends.registry import choose
    from rescli.engine.prepare import settle

    request, finished = _as_it_goes_on(request)
    settled = request.recipe if finished else settle(request, choose(request.backend))
    recipe = settled.to_dict()
    if isinstance(settled, ImageNetRecipe):
        del recipe["dataset"]  # always the same, so there is no option that takes it back
    if json:
        console.emit(recipe)
    else:
        console.say(configuration.as_toml(recipe))


def _as_it_goes_on(request: Request) -> tuple[Request, RunRecord | None]:
    """With the stored recipe, where there is a run; and that run if it is finished: it needs no images and no device then."""
    if not request.resumes:
        return request, None
    from rescli.engine.resume import resumed
    from rescli.store.reader import read_run

    record = read_run(request.path, tensors=False)
    return resumed(request, record), record if record.status == "finished" else None


def _tell_name(path: Path) -> None:
    if path.suffix != ".h5":
        console.note(f"{path} does not end in .h5: lists and tables of a folder's runs leave it out.")


def look(request: Request, *, json: bool) -> None:
    """What the run would need and take."""
    _tell_name(request.path)
    if (finished := _as_it_goes_on(request)[1]) is not None:
        from rescli.engine.train import outcome

        _tell(outcome(request.path, finished, already=True), json=json)
        return
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


def train(request: Request, *, json: bool, fetch: Callable[[], None] | None = None) -> None:
    """Train, here."""
    _tell_name(request.path)
    from rescli.console.progress import watch
    from rescli.engine.stopping import StopSignals

    if fetch is not None and first_of_job():  # the others wait for the first where the job comes together
        fetch()
    with StopSignals() as stop:  # before PyTorch is loaded: from here on a signal ends in a checkpoint
        from rescli.engine.train import train as run

        _tell(run(request, watch(), stop), json=json)


def train_several(requests: list[Request], *, json: bool, fetch: Callable[[], None] | None = None) -> None:
    """Train several runs at once, here."""
    _tell_name(requests[0].path)
    from rescli.console.progress import watch
    from rescli.engine.stopping import StopSignals

    if fetch is not None:
        fetch()
    with StopSignals() as stop:
        from rescli.engine.together import train_together

        outcomes = train_together(requests, watch(), stop)
    if json:
        console.emit([outcome.to_dict() for outcome in outcomes])
        return
    for outcome in outcomes:
        _tell(outcome, json=False)


def launch(request: Request, devices: int, *, fetch: Callable[[], None] | None = None) -> None:
    """The same command in each of the processes, which see in their environment that they are part of a job."""
    from rescli.engine.launch import train_on

    if fetch is not None:
        fetch()
    train_on(devices, sys.argv[1:], request.path, threads=request.threads)


def _tell(outcome: Outcome, *, json: bool) -> None:
    if json:
        console.emit(outcome.to_dict())
    elif outcome.already:
        console.say(f"{outcome.path} is finished already: {outcome.sentence()}")
    else:
        console.say(f"{outcome.path}: {outcome.sentence()} in {console.duration(outcome.seconds)}")
        console.note(f"Next: rescli eval {shlex.quote(str(outcome.path))}")
