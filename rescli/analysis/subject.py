"""What is measured: a run's net, weights from elsewhere, or a net as training begins with it; and the images it is shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from rescli.backends.base import Job, Worker
from rescli.backends.registry import choose
from rescli.data.feed import ResidentImages
from rescli.data.locate import photographs
from rescli.data.mean import mean_image
from rescli.data.names import DATASETS, info
from rescli.data.order import Order
from rescli.data.read import load
from rescli.data.split import split as split_dataset
from rescli.engine.members import known_classes
from rescli.engine.networks import fresh, inputs_of, open_network, resident, truth_of
from rescli.engine.prepare import precision_of, start_job
from rescli.errors import DataError, UsageError
from rescli.models.build import Network
from rescli.models.names import is_name, network
from rescli.models.norm import use_batch_statistics
from rescli.models.spec import Spec
from rescli.models.weights.bundle import NORMALIZATIONS, Bundle, Preprocessing
from rescli.models.weights.read import module_of


@dataclass(frozen=True, kw_only=True)
class Wishes:
    """What a user asked for. `name` to `layout` are about weights from elsewhere, `seed` about nets without weights.

    `split` is "test", "train" or "val"; `images` None means all of it. `dataset` is a name, `data` a folder.
    """

    name: str | None = None
    forks: Mapping[str, Any] = field(default_factory=dict)
    normalize: str | None = None
    layout: str = "auto"
    seed: int | None = None
    dataset: str | None = None
    data: Path | None = None
    split: str = "test"
    images: int | None = None
    backend: str = "auto"
    precision: str | None = None
    threads: int | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Subject:
    """A net with its images, ready to be put on a device. `path` is None for a net at initialization."""

    what: str
    path: Path | None
    bundle: Bundle
    dataset: str
    split: str
    feed: Any
    iteration: int | None
    initial: bool
    wishes: Wishes

    @property
    def spec(self) -> Spec:
        """The net."""
        return self.bundle.spec

    @property
    def precision(self) -> str:
        """Of the arithmetic: exact unless the user wants otherwise."""
        return precision_of(choose(self.wishes.backend), self.wishes.precision or "fp32")

    @property
    def images_sha256(self) -> str | None:
        """A digest over names and classes of photographs; None for data sets, whose names say enough."""
        if isinstance(self.feed, ResidentImages):
            return None
        from rescli.data.listing import fingerprint

        return fingerprint(self.feed.photographs).tobytes().hex()

    def check_labels(self) -> None:
        """Raises `UsageError` where photographs are of other classes than the net's, or of some of unknown numbers."""
        classes = () if isinstance(self.feed, ResidentImages) else self.feed.photographs.classes
        if self.initial or not classes:
            return
        known = tuple(self.bundle.origin.get("classes") or ())
        if len(classes) != self.spec.classes:
            said = (
                f"{self.what} tells {self.spec.classes} classes apart; {self.feed.photographs.root} has {len(classes)}"
            )
        elif known and classes != known:
            said = f"{self.feed.photographs.root}: its classes are not those of {self.what}"
        else:
            return
        raise UsageError(said, "Name a folder with all of the network's classes: --dataset DIR.")

    def module(self) -> Network:
        """The net with its weights. Without training BN has no statistics, and takes those of the batch."""
        module = module_of(self.bundle)
        if self.initial:
            use_batch_statistics(module)
        return module

    def start(self, module: Network, *, name: str) -> Worker:
        """The net on a device, with the images as the feed called `name`; "train" is the one that can be differentiated."""
        job = Job(
            network=module,
            feeds={name: self.feed},
            classes=self.spec.classes,
            precision=self.precision,
            threads=self.wishes.threads,
        )
        return start_job(choose(self.wishes.backend), job)

    def epoch(self) -> tuple[Any, ...]:
        """The plan of the first epoch of training: in the order of the run's seed, cropped and mirrored as the run was."""
        recipe = self.bundle.origin.get("recipe", {})
        plan = tuple(self.feed.plan_tensors(Order(len(self.feed), recipe.get("seed", 0)).epoch(0)))
        return plan if recipe.get("augment", True) else plan[:1]


def open_subject(what: str, wishes: Wishes) -> Subject:
    """The net that `what` names, a file or a network's name, and its images.

    Raises `UsageError` for what is neither, and as `open_network` and `load` do.
    """
    path = Path(what)
    if path.exists() or (path.suffix and not is_name(what)) or path.parent != Path():
        if wishes.seed is not None:
            raise UsageError(f"{what} holds weights, so --seed has no effect", "Leave it out.")
        bundle = open_network(
            path, name=wishes.name, forks=wishes.forks, normalize=wishes.normalize, layout=wishes.layout
        )
        return _with_images(what, path, bundle, wishes, initial=False)
    if wishes.name or wishes.normalize or wishes.layout != "auto":
        raise UsageError(
            f"{what}: there is no such file, and --net, --normalize and --layout are about one", "Leave them out."
        )
    try:
        spec = network(what, **{key: value for key, value in wishes.forks.items() if value is not None})
    except UsageError as error:
        raise UsageError(f"{what} is neither a file nor a network: {error.message}", error.hint) from error
    return _with_images(what, None, fresh(spec, wishes.seed or 0), wishes, initial=True)


def _with_images(what: str, path: Path | None, bundle: Bundle, wishes: Wishes, *, initial: bool) -> Subject:
    recipe = bundle.origin.get("recipe", {})
    trained_on = recipe.get("dataset")
    if trained_on is not None and wishes.dataset not in (None, trained_on):
        raise UsageError(f"{what} was trained on {trained_on}, not {wishes.dataset}", "Leave the name out.")
    spec = bundle.spec
    in_folders = spec.for_photographs
    if in_folders and wishes.dataset is not None:
        raise UsageError(
            f"{what} is an ImageNet net, and {wishes.dataset} is not", "Name a folder of images: --dataset DIR."
        )
    # ImageNet's test images have no published classes
    split = "val" if in_folders and wishes.split == "test" else wishes.split
    name = "folder" if in_folders else wishes.dataset or trained_on or _by_classes(spec)
    feed = _folder(what, path, bundle, split, wishes) if in_folders else _resident(what, path, bundle, name, wishes)
    return Subject(
        what=what,
        path=path,
        bundle=bundle,
        dataset=name,
        split=split,
        feed=feed,
        iteration=bundle.origin.get("iteration"),
        initial=initial,
        wishes=wishes,
    )


def _by_classes(spec: Spec) -> str:
    return "cifar100" if spec.classes == 100 else "cifar10"


def _resident(what: str, path: Path | None, bundle: Bundle, name: str, wishes: Wishes) -> ResidentImages:
    """Images of a CIFAR data set as this net's inputs."""
    dataset, spec = load(name, data=wishes.data), bundle.spec
    if (len(dataset.classes), info(name).image_size) != (spec.classes, spec.input_size):
        raise UsageError(
            f"{what} has {spec.classes} classes and inputs of {spec.input_size} pixels; {name} has "
            f"{len(dataset.classes)} and {info(name).image_size}",
            f"Name another data set: --dataset {' | '.join(DATASETS)}.",
        )
    splits = split_dataset(dataset, bundle.origin.get("recipe", {}).get("validation", 0))
    images = {"train": splits.train, "val": splits.validation, "test": splits.test}[wishes.split]
    if images is None:
        raise UsageError(f"{what} has no split 'val'", "There are train and test, and val if a run held images out.")
    if path is None:
        ones = np.ones(3, np.float32)
        inputs = Preprocessing(divisor=255.0, mean=mean_image(splits.train.images), std=ones, source="mean image")
    else:
        inputs = inputs_of(path, bundle)
    return resident(what, images[: wishes.images], inputs)


def _folder(what: str, path: Path | None, bundle: Bundle, split: str, wishes: Wishes) -> Any:
    """Images in folders as the inputs of an ImageNet net."""
    from rescli.data.folder import FolderImages
    from rescli.data.listing import list_images

    try:
        root = photographs(wishes.data, bundle.origin.get("data"))
    except DataError as error:
        raise UsageError(f"{what} is an ImageNet net: it needs images", "Name their folder: --dataset DIR.") from error
    truth = truth_of(bundle, root) if wishes.data is None and split == "val" else None
    try:
        listing = list_images(root, split, classes=known_classes([(Path(what), bundle)]), truth=truth)
    except UsageError:  # of other classes, which matters only to who looks at labels
        listing = list_images(root, split)
        if truth is not None and not listing.labelled:
            raise
    if listing.labelled and int(listing.labels.max()) >= bundle.spec.classes:
        raise UsageError(
            f"{what} tells {bundle.spec.classes} classes apart; {listing.root} has {len(listing.classes)}",
            "Name a folder with the classes of the network: --dataset DIR.",
        )
    inputs = NORMALIZATIONS["imagenet"] if path is None else inputs_of(path, bundle)
    return FolderImages(
        listing,
        size=bundle.spec.input_size,
        mean=inputs.mean,
        std=inputs.std,
        divisor=inputs.divisor,
        spread=wishes.images,
    )
