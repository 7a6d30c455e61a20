"""`rescli eval --save`: the result of a test, kept in the run store of the net that was tested."""

from __future__ import annotations

from pathlib import Path

from rescli.data.listing import fingerprint
from rescli.engine.graded import Graded
from rescli.engine.request import stored_recipe
from rescli.errors import UsageError
from rescli.recipes.imagenet import ImageNetRecipe
from rescli.store.annotate import save_analysis
from rescli.store.network import holds_network, is_store
from rescli.store.predictions import holds_predictions
from rescli.store.reader import read_run
from rescli.store.tested import GROUP, Tested

ELSEWHERE = "Keep its scores in a file: --predictions FILE.h5. The tables take these, too."


def check_keeps(path: Path) -> None:
    """Raises `UsageError` unless the file at `path` is an ImageNet run, whose store keeps its tests; `StoreError` for none."""
    ours = (path.is_file() or path.suffix == ".h5") and is_store(path)
    if not ours or holds_network(path) or holds_predictions(path):
        raise UsageError(f"{path} is not a run store, and --save keeps a test in one", ELSEWHERE)
    if not isinstance(stored_recipe(path), ImageNetRecipe):
        raise UsageError(
            f"{path} is a CIFAR run, whose test errors stand in its metrics: --save has no effect", "Leave it out."
        )


def keep(path: Path, result: Graded) -> str:
    """Put the result into the run at `path`, over an earlier one of the same views and images; returns its place in the store.

    Raises `UsageError` where there is no error to keep, and `StoreError` as `save_analysis` does.
    """
    test = tested(result)
    name = test.name if _own(path, test) else f"{test.name}-{test.images_sha256[:8]}"
    save_analysis(path, f"{GROUP}/{name}", test.to_tree())
    return f"/analysis/{GROUP}/{name}"


def _own(path: Path, test: Tested) -> bool:
    """Whether a test is of the images that the run was trained or evaluated on, as far as it says which these are."""
    inputs = read_run(path, tensors=False).inputs
    own = [inputs[name].tobytes().hex() for name in ("images_sha256", "tested_sha256") if name in inputs]
    return not own or test.images_sha256 in own


def tested(result: Graded) -> Tested:
    """One network's result as the store has it. Raises `UsageError` for images without labels."""
    top1, about, made = result.error(1), result.predictions.about, result.predictions
    if top1 is None:
        raise UsageError("the images have no labels, so there is no error", "Name the true classes: --truth FILE.")
    iteration = about["iterations"][0]
    return Tested(
        top1=top1,
        top5=result.error(5),
        images=result.images,
        skipped=int(about.get("skipped") or 0),
        split=str(about["split"] or "various"),
        classes=made.scores.shape[1],
        crops=int(about["crops"] or 0),
        size=int(about["size"] or 0),
        shorter=int(about["shorter"] or 0),
        scales=tuple(sorted(int(scale) for scale in about["scales"] or ())),
        mirrored=bool(about["mirrored"]),
        pooling=str(about["pooling"] or ""),
        average=str(about["average"]),
        precision=str(about["precision"] or "various"),
        weights=str(about["weights_sha256"][0] or "") if len(about["weights_sha256"]) == 1 else "",
        iteration=iteration if len(about["iterations"]) == 1 else None,
        images_sha256=fingerprint(made).tobytes().hex(),
    )
