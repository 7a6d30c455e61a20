"""Training batches of photographs: the same whoever decodes them, from wherever one begins, shared by however many."""

from __future__ import annotations

import threading
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rescli.backends.team import Team
from rescli.data.listing import Photographs, list_images
from rescli.data.order import Order
from rescli.data.scaled import Augmentation, scaled_plan
from rescli.data.stream import training_batches
from rescli.errors import DataError
from tests.data.test_scaled import image

HOW = Augmentation(size=64, shortest=70, longest=90)


@pytest.fixture(scope="module")
def listing(tmp_path_factory: pytest.TempPathFactory) -> Photographs:
    """Eleven images of two classes."""
    root = tmp_path_factory.mktemp("images")
    for number in range(11):
        folder = root / "train" / f"n{number % 2}"
        folder.mkdir(parents=True, exist_ok=True)
        image(folder, f"{number:02}.jpg", 80 + 10 * number, 96)
    return list_images(root, "train")


def taken(listing: Photographs, number: int, **options: Any) -> list[tuple[Any, ...]]:
    made = training_batches(listing, Order(len(listing), 0), HOW, batch=4, **{"workers": 2, **options})
    found = [(one.pixels.copy(), one.labels, one.colour, one.images) for one in islice(made, number)]
    made.close()
    return found


def same(ours: tuple[Any, ...], others: tuple[Any, ...]) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(ours, others, strict=True))


def test_batches_do_not_depend_on_the_number_of_threads(listing: Photographs) -> None:
    one, three = taken(listing, 7, workers=1), taken(listing, 7, workers=3)
    assert [len(labels) for _, labels, _, _ in one] == [4, 4, 3, 4, 4, 3, 4]
    assert all(same(a, b) for a, b in zip(one, three, strict=True))


def test_an_epoch_has_every_image_once_as_its_plan_says(listing: Photographs) -> None:
    plan = scaled_plan(Order(len(listing), 0), 1, HOW)
    second = taken(listing, 3, first=3)
    assert np.array_equal(np.concatenate([labels for _, labels, _, _ in second]), listing.labels[plan.index])
    assert np.array_equal(np.concatenate([colour for _, _, colour, _ in second]), plan.colour)


def test_one_can_begin_anywhere(listing: Photographs) -> None:
    whole = taken(listing, 6)
    for first in (1, 2, 4):
        assert all(same(a, b) for a, b in zip(taken(listing, 6 - first, first=first), whole[first:], strict=True))


def test_processes_share_a_batch(listing: Photographs) -> None:
    whole = taken(listing, 3)
    halves = [taken(listing, 3, share=lambda n, r=rank: (min(2 * r, n), min(2, n - 2 * r))) for rank in (0, 1)]
    for one, parts in zip(whole, zip(*halves, strict=True), strict=True):
        assert np.array_equal(np.concatenate([pixels for pixels, *_ in parts]), one[0])
        assert [images for *_, images in parts] == [one[3], one[3]]


def test_a_damaged_image_is_named(tmp_path: Path) -> None:
    (tmp_path / "train" / "n0").mkdir(parents=True)
    path = image(tmp_path / "train" / "n0", "whole.jpg", 300, 300)
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(DataError, match=r"whole\.jpg: cannot be decoded"):
        next(training_batches(list_images(tmp_path, "train"), Order(1, 0), HOW, batch=1, workers=1))


def test_no_thread_stays_behind(listing: Photographs) -> None:
    before = threading.active_count()
    taken(listing, 2, workers=3)
    assert threading.active_count() == before


def test_a_short_batch_may_give_the_last_process_more_than_a_whole_one(listing: Photographs) -> None:
    """Of 4 images three processes take 2, 2 and 0; of the last 3 they take one each."""
    pieces = [taken(listing, 3, share=Team(rank, 3).share) for rank in range(3)]
    assert [[len(batch[1]) for batch in piece] for piece in pieces] == [[2, 2, 1], [2, 2, 1], [0, 0, 1]]
