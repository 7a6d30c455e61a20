"""Which training images are held out for validation."""

from __future__ import annotations

from dataclasses import dataclass

from rescli.data.dataset import Dataset, Images
from rescli.errors import UsageError


@dataclass(frozen=True, eq=False)
class Splits:
    """The images of an experiment. `validation` is None where nothing is held out."""

    train: Images
    validation: Images | None
    test: Images


def split(dataset: Dataset, validation: int = 0) -> Splits:
    """Hold out the last `validation` training images, in the published order; 5000 is the 45k/5k split of Sec. 4.2.

    The paper does not say which 5k it held out. The published order of CIFAR is random already, so the last ones are as
    good as any and need no seed. Raises `UsageError` unless at least one image is left to train on.
    """
    images = len(dataset.train)
    if not 0 <= validation < images:
        raise UsageError(
            f"cannot hold out {validation} of the {images} training images of {dataset.name}",
            f"Hold out between 0 and {images - 1}.",
        )
    if validation == 0:
        return Splits(dataset.train, None, dataset.test)
    kept = images - validation
    return Splits(dataset.train[:kept], dataset.train[kept:], dataset.test)
