"""Some of many photographs: those that are left when others are taken out."""

from __future__ import annotations

from pathlib import Path

import pytest

from rescli.data.chosen import damaged, without
from rescli.data.listing import Photographs, list_images
from tests.data.test_listing import touch


@pytest.fixture
def five(tmp_path: Path) -> Photographs:
    """Three of a class, two of another, none of which can be decoded."""
    touch(*(tmp_path / "n01" / f"{name}.jpg" for name in "abc"), *(tmp_path / "n02" / f"{name}.jpg" for name in "de"))
    return list_images(tmp_path, "val")


def test_what_is_left_keeps_its_order_and_all_classes(five: Photographs) -> None:
    (five.root / "n02" / "e.jpg").write_bytes(b"the last")
    left = without(five, ["n01/b.jpg", "n02/d.jpg", "n03/elsewhere.jpg"])

    assert len(left) == 3
    assert left.files == ("n01/a.jpg", "n01/c.jpg", "n02/e.jpg")
    assert left.labels.tolist() == [0, 0, 1]
    assert left.classes == ("n01", "n02")
    assert (left.root, left.labelled) == (five.root, True)
    assert left.read(2) == b"the last"


def test_nothing_left_out_is_the_same_photographs(five: Photographs) -> None:
    assert without(five, []) is five


def test_names_are_put_together_once(five: Photographs) -> None:
    """A million of them, asked for image by image."""
    left = without(five, ["n01/a.jpg"])

    assert left.files is left.files
    assert left.labels is left.labels


def test_damaged_ones_are_found_among_the_rows_asked_for(five: Photographs) -> None:
    assert damaged(five, [1, 4], workers=2).tolist() == [0, 1, 0, 0, 1]


def test_a_signal_ends_the_search(five: Photographs) -> None:
    asked = []

    def stop() -> bool:
        asked.append(1)
        return len(asked) == 2

    assert damaged(five, range(5), workers=1, stop=stop).tolist() == [1, 1, 0, 0, 0]
