"""Tests on ImageNet, kept in run stores or as saved predictions: what the tables and claims rest on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rescli.analysis.collect import Collection
from rescli.analysis.predicted import Predicted
from rescli.analysis.recipes import beyond_depth, choices, differences, experiment, word
from rescli.analysis.run import Run
from rescli.models.names import label, title
from rescli.models.spec import NetworkSpec, Spec
from rescli.models.weights.digest import digest
from rescli.profiling.paper import CLASSES
from rescli.recipes.imagenet import SIZE
from rescli.recipes.recipe import Recipe
from rescli.store.reader import read_run
from rescli.store.tested import Tested, tests_in


@dataclass(frozen=True, kw_only=True, eq=False)
class Entry:
    """A network of one file, and one test of it; None where its run has none that can be used.

    `run` is the run itself, None for predictions, which may know their recipe all the same. `outdated` are kept tests of other
    weights than the run has now. `training` says what of the training is not the paper's, `weights` and `images` are digests of
    the weights, and of which images they were trained on.
    """

    path: Path
    spec: Spec
    recipe: Recipe | None
    iteration: int | None
    run: Run | None
    test: Tested | None
    outdated: tuple[Tested, ...] = ()
    training: tuple[str, ...] = ()
    weights: str = ""
    images: str = ""

    @property
    def label(self) -> str:
        """As the paper names a net."""
        return label(self.spec)

    @property
    def plain(self) -> bool:
        """Whether this is one of the paper's plain nets; a VGG net is none."""
        return isinstance(self.spec, NetworkSpec) and self.spec.plain

    @property
    def shortcut(self) -> str | None:
        """The shortcut option, None for nets without shortcuts."""
        return self.spec.shortcut if isinstance(self.spec, NetworkSpec) else None

    @property
    def complete(self) -> bool:
        """Whether it was trained to the end, as far as anybody knows."""
        if self.run is not None:
            return self.run.finished
        return self.iteration is None or self.recipe is None or self.iteration >= self.recipe.iterations

    @property
    def experiment(self) -> str:
        """Equal for entries that differ in nothing but the seed. Weights that no recipe is known of are like no others."""
        if self.recipe is None:
            return f"weights of {self.path}"
        task = f"{title(self.spec)} {self.spec.classes} {self.images}"
        return f"{experiment(self.recipe)} {task} {self.complete} {self.iteration}"

    @property
    def beyond_depth(self) -> str:
        """Equal for entries that may be compared: of recipes alike in all but depth and kind of net, or of none."""
        training = "unknown" if self.recipe is None else f"{beyond_depth(self.recipe)} of {self.images}"
        return f"{training} {self.spec.classes} classes of {self.spec.input_size} pixels"


@dataclass(frozen=True, kw_only=True, eq=False)
class Evidence:
    """Single networks, and ensembles. `twice` names files that repeat what another one says, which counts once; `joined_twice`
    those of ensembles.
    """

    entries: tuple[Entry, ...] = ()
    ensembles: tuple[Predicted, ...] = ()
    twice: tuple[str, ...] = ()
    joined_twice: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.entries or self.ensembles)


def evidence(found: Collection) -> Evidence:
    """Everything that the ImageNet runs and predictions of a collection say. Reads the weights of runs that hold tests."""
    scores = any(one.single and one.digests[0] for one in found.predictions)
    entries = [one for run in found.runs if run.imagenet for one in of_run(run, always=scores)]
    entries += [of_predictions(one) for one in found.predictions if one.single]
    kept, twice = _once(entries)
    ensembles, again = _ensembles_once([one for one in found.predictions if not one.single])
    return Evidence(entries=tuple(kept), ensembles=tuple(ensembles), twice=tuple(twice), joined_twice=tuple(again))


def of_run(run: Run, *, always: bool = False) -> list[Entry]:
    """An entry for each test of the weights that the run has now; one without a test if there is none.

    Of a run that has no tests at all the weights are read where that is `always` wanted: there may be scores of them elsewhere.
    """
    record = read_run(run.path, tensors=False)
    found = tests_in(record.analysis)
    now = ""
    if found or always:
        record = read_run(run.path)  # tests and weights of one moment: the run may be going on
        found, now = tests_in(record.analysis), digest(record.model)
    current: list[Tested | None] = [test for test in found if test.weights == now]
    outdated = tuple(test for test in found if test.weights != now)
    return [
        Entry(
            path=run.path,
            spec=run.spec,
            recipe=run.recipe,
            iteration=run.iteration,
            run=run,
            test=test,
            outdated=outdated,
            training=run.marks(),
            weights=now,
            images=run.images,
        )
        for test in current or [None]
    ]


def of_predictions(one: Predicted) -> Entry:
    """A single network's."""
    return Entry(
        path=one.path,
        spec=one.specs[0],
        recipe=one.recipes[0],
        iteration=one.iterations[0],
        run=None,
        test=one.test,
        training=trained(one.specs[0], one.recipes[0], one.iterations[0]),
        weights=one.digests[0],
        images=one.trained_on[0],
    )


def trained(spec: Spec, recipe: Recipe | None, iteration: int | None) -> tuple[str, ...]:
    """What keeps saved predictions of a network from standing beside the paper's, as `Run.marks` does for a run."""
    if recipe is None:
        marks = ["nobody says how these weights were trained"]
        marks += [] if spec.input_size == SIZE else [f"inputs of {spec.input_size} pixels (paper: {SIZE})"]
        if isinstance(spec, NetworkSpec) and spec.stride_in == "3x3":
            marks.append("stride_in 3x3 (paper: 1x1)")
    else:
        short = iteration is not None and iteration < recipe.iterations
        marks = [f"tested after {iteration:,} of {recipe.iterations:,} iterations"] if short else []
    marks += [] if spec.classes == CLASSES else [f"{spec.classes} classes, not ImageNet's {CLASSES}"]
    if recipe is not None:
        marks += [f"{name} {word(ours)} (paper: {word(paper)})" for name, (paper, ours) in differences(recipe).items()]
        marks += choices(recipe)
    return tuple(marks)


def _once(entries: Iterable[Entry]) -> tuple[list[Entry], list[str]]:
    """Each test of the same weights once: a run may hold it, and a file of predictions too."""
    kept: list[Entry] = []
    twice: list[str] = []
    for one in entries:
        first = next((other for other in kept if _same_test(one, other)), None)
        if first is None:
            kept.append(one)
        else:
            twice.append(f"{one.path}: the same weights and test as {first.path}, counted once{_unlike(one, first)}")
    return kept, twice


def _same_test(a: Entry, b: Entry) -> bool:
    """Of the same weights, alike; which images they were counts where both say it."""
    if not a.weights or a.weights != b.weights or a.test is None or b.test is None:
        return False
    known = a.test.images_sha256 and b.test.images_sha256
    return a.test.alike == (b.test if known else replace(b.test, images_sha256=a.test.images_sha256)).alike


def _ensembles_once(found: Iterable[Predicted]) -> tuple[list[Predicted], list[str]]:
    """Each test of the same networks once, in whatever order they were joined."""
    kept: list[Predicted] = []
    twice: list[str] = []
    seen: dict[object, Predicted] = {}
    for one in found:
        first = seen.setdefault((tuple(sorted(one.digests)), one.test.alike), one) if all(one.digests) else one
        if first is one:
            kept.append(one)
        else:
            twice.append(f"{one.path}: the same networks and test as {first.path}, counted once")
    return kept, twice


def _unlike(one: Entry, first: Entry) -> str:
    """What says that two tests of the same weights were none of the same images."""
    if one.test is None or first.test is None or one.test.top1 == first.test.top1:
        return ""
    return f", though its top-1 error is {one.test.top1:.2f} % and not {first.test.top1:.2f}: which is of the right images?"


def grouped(entries: Sequence[Entry]) -> list[list[Entry]]:
    """Seeds of one experiment that were tested alike, the paper's recipe first."""
    found: dict[object, list[Entry]] = {}
    for one in entries:
        found.setdefault((one.experiment, one.test and one.test.alike), []).append(one)
    groups = [sorted(group, key=lambda one: one.recipe.seed if one.recipe else 0) for group in found.values()]
    return sorted(groups, key=lambda group: (group[0].test is None, len(group[0].training), str(group[0].path)))
