"""What Tables 2, 3 and 4 want: of which nets, tested how; and in words what of a test is otherwise."""

from __future__ import annotations

from dataclasses import dataclass

from rescli.analysis.predicted import Predicted
from rescli.analysis.run import Run
from rescli.models.spec import NetworkSpec, Spec
from rescli.profiling.paper import IMAGES, SCALES, TABLE2, TABLE3, TABLE4, Printed
from rescli.recipes.imagenet import SIZE
from rescli.store.tested import Tested, usual_shorter


@dataclass(frozen=True, kw_only=True)
class Kind:
    """What one of the tables shows. `whole`: whole images at several scales, not crops; `columns`: which errors."""

    number: int
    printed: tuple[Printed, ...]
    whole: bool
    columns: tuple[str, ...] = ("top1", "top5")

    @property
    def options(self) -> str:
        """Of `rescli eval`, for a test as this table wants it."""
        return f"--scales {','.join(map(str, SCALES))}" if self.whole else "--crops 10"

    def takes(self, spec: Spec) -> bool:
        """Table 2 is about 18 and 34 layers alone; of the others every net can be a row."""
        two = isinstance(spec, NetworkSpec) and spec.depth in (18, 34) and spec.shortcut in (None, "A")
        return two if self.number == 2 else True


KINDS = {
    2: Kind(number=2, printed=TABLE2, whole=False, columns=("top1",)),
    3: Kind(number=3, printed=TABLE3, whole=False),
    4: Kind(number=4, printed=TABLE4, whole=True),
}
WORDS = {"top1": "top-1", "top5": "top-5"}


def refused(number: int, one: Run | Predicted) -> str | None:
    """Why Table 2, 3 or 4 cannot use this; None where it can."""
    kind = KINDS[number]
    if isinstance(one, Run):
        if not one.imagenet:
            return f"a CIFAR run: Table {number} is of ImageNet nets"
        return (
            None
            if kind.takes(one.spec)
            else f"{one.label} is not in Table 2: it has 18 and 34 layers, plain and option A"
        )
    if not one.single:
        return "an ensemble: `rescli analyze table5` takes it"
    if not kind.takes(one.specs[0]):
        return f"{one.label} is not in Table 2: it has 18 and 34 layers, plain and option A"
    if bool(one.test.scales) != kind.whole:
        other = (
            "crops: `rescli analyze table3` takes them"
            if kind.whole
            else "whole images: `rescli analyze table4` takes them"
        )
        return f"scores of {other}"
    return None


def unlike(kind: Kind, test: Tested | None, again: str = "") -> tuple[str, ...]:
    """How a test differs from the table's; `again` is the command for one that does not."""
    assert test is not None
    marks = []
    if kind.whole and test.scales != SCALES:
        marks.append(f"at {', '.join(map(str, test.scales))}" + (f": {again} is the paper's way" if again else ""))
    if not kind.whole and test.crops != 10:
        marks.append("center crop" + (f": {again} is the paper's way" if again else " (paper: 10 crops)"))
    if kind.whole and not test.mirrored:
        marks.append("without mirror images")
    if kind.whole and test.pooling == "global":
        marks.append("whole maps pooled, not 7x7 windows")
    if not kind.whole and test.shorter != usual_shorter(test.size or SIZE):
        marks.append(f"cropped from a shorter side of {test.shorter} (paper: {usual_shorter(test.size or SIZE)})")
    if test.average == "logits" and test.crops != 1:
        marks.append("logits averaged, not softmax")
    return (*marks, *precision_of(test), *images_of(test), *(no_top5(test) if "top5" in kind.columns else ()))


def precision_of(test: Tested) -> tuple[str, ...]:
    """Where the arithmetic was not fp32, or not that of all members of an ensemble."""
    if test.precision == "various":
        return ("some of its members were tested in another precision than others",)
    return () if test.precision == "fp32" else (f"tested in {test.precision}",)


def no_top5(test: Tested) -> tuple[str, ...]:
    """Where it has no meaning."""
    return () if test.top5 is not None else (f"no top-5 error: there are only {test.classes} classes",)


def images_of(test: Tested) -> tuple[str, ...]:
    """Which images, where they are not the paper's 50,000."""
    marks = [] if test.images + test.skipped == IMAGES else [f"tested on {test.images:,} images (paper: {IMAGES:,})"]
    marks += [f"{test.skipped:,} damaged images left out"] if test.skipped else []
    return (*marks, *([] if test.split == "val" else [f"tested on {test.split} images"]))
