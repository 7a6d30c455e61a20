"""The result of a test on ImageNet (Sec. 3.4): errors, how they were found and of which weights. /analysis/tests/NAME."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

SCHEMA = 1
GROUP = "tests"


@dataclass(frozen=True, kw_only=True)
class Tested:
    """Errors in % over `images` images; sizes in pixels. `top5` is None where five answers are all there are.

    `crops` and `shorter` are 0 and `scales` are not empty where whole images were shown; for crops `pooling` is empty.
    `skipped` counts damaged images that were left out. `weights` is the digest of the tensors that were tested (empty where
    nobody wrote it down), `iteration` None for weights without a run. `images_sha256` says which images they were, by name and
    class (empty where nobody wrote it down).
    """

    top1: float
    top5: float | None
    images: int
    skipped: int = 0
    split: str = "val"
    classes: int
    crops: int
    size: int
    shorter: int
    scales: tuple[int, ...] = ()
    mirrored: bool = False
    pooling: str = ""
    average: str = "softmax"
    precision: str
    weights: str = ""
    iteration: int | None = None
    images_sha256: str = ""

    @property
    def views(self) -> tuple[Any, ...]:
        """Equal for tests that show the same images in the same way. The average of a single view is no choice."""
        average = self.average if self.crops != 1 else ""
        return (self.split, self.crops, self.size, self.shorter, self.scales, self.mirrored, self.pooling, average)

    @property
    def alike(self) -> tuple[Any, ...]:
        """Equal for tests of the same images, shown and computed alike."""
        return (*self.views, self.images, self.images_sha256, self.classes, self.precision)

    @property
    def name(self) -> str:
        """Of its kind of views, as a store calls it: 1-crop, 10-crop, scales-224-256; what is unusual stands behind."""
        if self.scales:
            parts = ["scales", *map(str, self.scales)]
            parts += [] if self.mirrored else ["not-mirrored"]
            parts += ["global"] if self.pooling == "global" else []
        else:
            parts = [f"{self.crops}-crop"]
            parts += [] if self.shorter == usual_shorter(self.size) else [f"from-{self.shorter}"]
        parts += ["logits"] if self.average == "logits" and self.crops != 1 else []
        parts += [] if self.precision == "fp32" else [self.precision]
        return "-".join([*parts, *([] if self.split == "val" else [self.split])])

    def to_tree(self) -> dict[str, Any]:
        """As datasets and attributes of a group; docs/run-store.md has the schema."""
        tree: dict[str, Any] = {
            "@schema": SCHEMA,
            "@images": self.images,
            "@skipped": self.skipped,
            "@split": self.split,
            "@classes": self.classes,
            "@crops": self.crops,
            "@size": self.size,
            "@shorter": self.shorter,
            "@mirrored": int(self.mirrored),
            "@pooling": self.pooling,
            "@average": self.average,
            "@precision": self.precision,
            "@weights_sha256": self.weights,
            "@iteration": -1 if self.iteration is None else self.iteration,
            "top1_error": np.float64(self.top1),
            "top1_error@units": "%",
        }
        if self.images_sha256:
            tree["@images_sha256"] = self.images_sha256
        if self.top5 is not None:
            tree |= {"top5_error": np.float64(self.top5), "top5_error@units": "%"}
        if self.scales:
            tree |= {"scales": np.array(self.scales, np.int64), "scales@units": "pixels"}
        return tree

    @classmethod
    def from_tree(cls, tree: Mapping[str, Any]) -> Tested:
        """Of `to_tree`'s values. Raises `ValueError` for another schema, and for what is no such group."""
        try:
            if tree["@schema"] != SCHEMA:
                raise ValueError(f"a test of schema {tree['@schema']}")
            errors = [float(tree[name]) for name in ("top1_error", "top5_error") if name in tree]
            if not all(0 <= error <= 100 for error in errors):
                raise ValueError(f"errors of {errors} %")
            return cls(
                top1=float(tree["top1_error"]),
                top5=float(tree["top5_error"]) if "top5_error" in tree else None,
                images=int(tree["@images"]),
                skipped=int(tree["@skipped"]),
                split=str(tree["@split"]),
                classes=int(tree["@classes"]),
                crops=int(tree["@crops"]),
                size=int(tree["@size"]),
                shorter=int(tree["@shorter"]),
                scales=tuple(sorted(int(scale) for scale in tree.get("scales", ()))),
                mirrored=bool(tree["@mirrored"]),
                pooling=str(tree["@pooling"]),
                average=str(tree["@average"]),
                precision=str(tree["@precision"]),
                weights=str(tree["@weights_sha256"]),
                iteration=None if int(tree["@iteration"]) < 0 else int(tree["@iteration"]),
                images_sha256=str(tree.get("@images_sha256", "")),
            )
        except (KeyError, TypeError) as error:
            raise ValueError(f"not the result of a test: {error}") from error


def tests_in(analysis: Mapping[str, Any]) -> tuple[Tested, ...]:
    """The results below /analysis/tests, by name; those of a schema that nobody here knows are left out."""
    found = []
    for _, tree in sorted((analysis.get(GROUP) or {}).items()):
        try:
            found.append(Tested.from_tree(tree))
        except (ValueError, AttributeError):  # noqa: PERF203
            continue
    return tuple(found)


def usual_shorter(size: int) -> int:
    """The shorter side before crops of this size are cut: 256 for 224, as in the paper, others in proportion."""
    return round(size * 256 / 224)
