"""Whether photographs are fit to be trained on, looked at before anything is computed."""

from __future__ import annotations

from pathlib import Path

from rescli.backends.step import cut
from rescli.backends.team import Team
from rescli.data.listing import Photographs, list_images
from rescli.engine.request import Request
from rescli.errors import DataError, UsageError
from rescli.models.operators import last_map
from rescli.recipes.imagenet import ImageNetRecipe


def tested_images(root: Path, split: str, request: Request, train: Photographs) -> Photographs:
    """The validation images. Raises `DataError`, and `UsageError` for a `--truth` without effect."""
    if request.truth is not None:
        return list_images(root, split, truth=request.truth, classes=train.classes)
    try:
        return list_images(root, split, classes=train.classes)
    except UsageError as error:
        raise DataError(error.message, "train and val are about the same classes: is it the right folder?") from error


def check_classes(train: Photographs, tested: Photographs) -> None:
    """Raises `DataError` where nothing says the class of an image, or all are of one."""
    if train.classes and train.labelled and tested.labelled:
        if len(train.classes) == 1:
            raise DataError(
                f"{train.root}: all images are of one class, {train.classes[0]}, and a net tells several apart",
                "Sort images into folders of their classes: train/WNID/*.JPEG.",
            )
        return
    flat = train.labelled and bool(train.classes)
    raise DataError(
        f"{(tested if flat else train).root}: nothing says which class an image has",
        "Give a file with a line NAME CLASS for each: --truth."
        if flat
        else "Sort images into folders of their classes: train/WNID/*.JPEG.",
    )


def check_batches(images: int, recipe: ImageNetRecipe, team: Team, parts: int) -> None:
    """Whether an epoch's batches, the short last one too, can be shared, and BN computed over every part of them.

    Where the last map is a single pixel, BN needs two images. Raises `UsageError`.
    """
    last = images % recipe.batch_size or recipe.batch_size
    _check(last, f"the last batch of an epoch has {last} of {images:,} images", recipe, team, parts)
    if images >= recipe.batch_size:
        _check(recipe.batch_size, f"a batch has {recipe.batch_size} images", recipe, team, parts)


def _check(count: int, said: str, recipe: ImageNetRecipe, team: Team, parts: int) -> None:
    shares = [Team(rank, team.size).share(count)[1] for rank in range(team.size)]
    if not min(shares):
        raise UsageError(f"{said}: of {team.size} processes one would have none", "Choose another --batch-size.")
    groups = max(1, recipe.bn_groups // team.size)
    computed = [part for share in shares for _, part in cut(0, share, parts)]
    smallest = min(some for part in computed for _, some in cut(0, part, max(1, groups // parts)))
    least = 2 if recipe.bn_images is not None and last_map(recipe.spec(classes=1000)) == 1 else 1
    if smallest < least:
        raise UsageError(
            f"{said}: BN would see {smallest} of them at a time"
            + (f" in {team.size} processes with {parts} parts each" if team.size * parts > 1 else ""),
            "Choose another --batch-size.",
        )
