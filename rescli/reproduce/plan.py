"""The runs that elements need: their names, files and command lines. What is printed is what is executed.

Only `--jobs` add something: on a processor each gets its `--threads`. No torch.
"""

from __future__ import annotations

import shlex
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rescli.errors import UsageError
from rescli.recipes.cifar import PAPER_ITERATIONS
from rescli.recipes.recipe import MAX_SEED
from rescli.reproduce.element import Element, Net
from rescli.reproduce.settings import PAPER_DATASET, Settings

PROCESSORS = 4
"""Of a job in a queue, unless the user says how many threads there are to be."""


@dataclass(frozen=True, kw_only=True)
class Planned:
    """A run: `name` is a function of net, seed, length and data set, so that elements share it. `path` is its store."""

    name: str
    path: Path
    net: Net
    seed: int
    settings: Settings

    @property
    def title(self) -> str:
        """For people."""
        return f"{self.net.label}, seed {self.seed}"

    @property
    def log(self) -> Path:
        """Where the process that trains it writes what it has to say."""
        return self.path.with_suffix(".log")

    def arguments(self, *, threads: int | None = None) -> list[str]:
        """Of `rescli`. `threads` is for a run for which the user has not asked for any."""
        settings, net = self.settings, self.net
        words = ["train", "cifar", "--depth", str(net.depth)]
        words += ["--plain"] if net.plain else []
        words += ["--no-warmup"] if net.warmup is False else []
        words += ["--dataset", settings.dataset] if settings.dataset != PAPER_DATASET else []
        words += ["--seed", str(self.seed), "--iterations", str(settings.iterations)]
        words += ["--precision", settings.precision] if settings.precision != "auto" else []
        words += ["--backend", settings.backend] if settings.backend != "auto" else []
        words += ["--data", str(settings.data)] if settings.data is not None else []
        count = settings.threads or threads
        words += ["--threads", str(count)] if count is not None else []
        if settings.checkpoint_every is not None:
            words += ["--checkpoint-every", f"{settings.checkpoint_every:g}"]
        return [*words, "--out", str(self.path), "--resume"]

    @property
    def line(self) -> str:
        """As one would type it."""
        return shlex.join(["rescli", *self.arguments()])


def name_of(net: Net, seed: int, *, dataset: str, iterations: int) -> str:
    """plain20-seed0; resnet110-4000-seed2 for a shorter run; synthetic-... for other images."""
    other = f"{dataset}-" if dataset != PAPER_DATASET else ""
    length = f"-{iterations}" if iterations != PAPER_ITERATIONS else ""
    return f"{other}{net.word}{length}-seed{seed}"


def plan(
    elements: Iterable[Element],
    settings: Settings,
    folder: Path,
    *,
    seeds: int | None = None,
    first_seed: int = 0,
    depths: Collection[int] = (),
) -> tuple[Planned, ...]:
    """The runs of these elements, each once: every net by its first seed, then by the next one, and so on.

    `seeds` None is as many as the paper trained. With `depths` only nets of these depths. Raises `UsageError` for an element
    that is not run here, and where nothing is left.
    """
    counts: dict[Net, int] = {}
    for element in elements:
        if not element.runnable:
            raise not_run(element)
        for net in chosen(element, depths):
            counts[net] = max(counts.get(net, 0), net.runs if seeds is None else seeds)
    last = max(counts.values())
    if first_seed + last - 1 > MAX_SEED:
        raise UsageError(f"seeds up to {first_seed + last - 1}: they end at 2^63 - 1", "Begin with a smaller --seed.")
    return tuple(
        Planned(
            name=name,
            path=folder / f"{name}.h5",
            net=net,
            seed=seed,
            settings=settings,
        )
        for seed in range(first_seed, first_seed + last)
        for net, count in counts.items()
        if seed - first_seed < count
        for name in [name_of(net, seed, dataset=settings.dataset, iterations=settings.iterations)]
    )


def named(element: Element, settings: Settings, folder: Path, names: Iterable[str]) -> tuple[Planned, ...]:
    """The runs of an element that have these names, as `plan` would plan them; what is no name of one is left out."""
    wanted = set(names)
    ends = [name.rpartition("-seed")[2] for name in wanted]
    digits = len(str(MAX_SEED))
    seeds = {int(end) for end in ends if end.isdecimal() and len(end) <= digits and int(end) <= MAX_SEED}
    return tuple(
        run
        for seed in sorted(seeds)
        for run in plan([element], settings, folder, seeds=1, first_seed=seed)
        if run.name in wanted
    )


def chosen(element: Element, depths: Collection[int]) -> tuple[Net, ...]:
    """The nets of an element that have one of these depths; all without any. Raises `UsageError` for none."""
    nets = tuple(net for net in element.nets if not depths or net.depth in depths)
    if not nets:
        there = ", ".join(str(depth) for depth in sorted({net.depth for net in element.nets}))
        raise UsageError(
            f"{element.name} has no net with {' or '.join(map(str, depths))} layers", f"Its nets have {there} layers."
        )
    return nets


def check_depths(elements: Iterable[Element], depths: Collection[int]) -> None:
    """Raises `UsageError` for a depth that no net of any of these elements has, and for an element that is not run here."""
    elements = list(elements)
    for element in elements:
        if not element.runnable:
            raise not_run(element)
    there = sorted({net.depth for element in elements for net in element.nets})
    unknown = [depth for depth in depths if depth not in there]
    if unknown:
        raise UsageError(
            f"--depth {unknown[0]}: none of these elements has a net with so many layers",
            f"Their nets have {', '.join(map(str, there))} layers.",
        )


def not_run(element: Element) -> UsageError:
    """Why a study does not run this element, and what does."""
    return UsageError(
        f"{element.name} is not run by a study: {element.why}",
        f"`rescli reproduce {element.name} --print` prints its commands.",
    )


def script(runs: Sequence[Planned]) -> str:
    """An array job for Slurm: a run each, put back into the queue where it was stopped (docs/distributed.md)."""
    settings = runs[0].settings
    device = "" if settings.backend == "cpu" else " --gpus=1"
    cases = "\n".join(f"{number}) srun {one.line} ;;" for number, one in enumerate(runs))
    return f"""\
#!/bin/sh
#SBATCH --array=0-{len(runs) - 1}{device} --cpus-per-task={settings.threads or PROCESSORS}
#SBATCH --time=04:00:00 --signal=USR1@120 --requeue --open-mode=append
export SRUN_CPUS_PER_TASK="$SLURM_CPUS_PER_TASK"
case "$SLURM_ARRAY_TASK_ID" in
{cases}
*) echo "there is no run $SLURM_ARRAY_TASK_ID" >&2; exit 2 ;;
esac
code=$?
[ $code -eq 75 ] && scontrol requeue "${{SLURM_ARRAY_JOB_ID}}_$SLURM_ARRAY_TASK_ID"
exit $code
"""
