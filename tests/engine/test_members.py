"""Ensembles of ImageNet nets: how members are weighted, and which fit together; and what their scores are as text."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rescli.engine.graded import Graded, as_csv, save
from rescli.engine.members import check_saved, listed_classes, mean_of
from rescli.errors import UsageError
from rescli.store.predictions import Predictions
from rescli.store.replace import install

NAMES = ("a.h5", "b.h5", "c.h5", "d.h5")


def scores(seed: int, *, images: int = 6, classes: int = 5, bits: int = 24) -> Predictions:
    values = np.random.default_rng(seed).integers(0, 2**bits, (images, classes)) / 2**bits
    return Predictions(
        scores=values.astype(np.float32),
        labels=np.arange(images) % classes,
        files=tuple(f"{image}.JPEG" for image in range(images)),
        classes=tuple(f"n{number:02}" for number in range(classes)),
        about={"networks": [f"net{seed}"], "average": "softmax"},
    )


def test_members_of_one_network_each_have_their_plain_mean() -> None:
    for count in (2, 3, 4):
        members = [scores(seed) for seed in range(count)]
        mean = np.mean([member.scores.astype(np.float64) for member in members], axis=0)
        assert np.array_equal(mean_of(members, NAMES[:count]).scores, mean.astype(np.float32))


def test_an_ensemble_within_an_ensemble_counts_as_its_networks() -> None:
    """Scores of 12 bits have an exact mean of two, so that nothing but the weights can make a difference."""
    one, two, three, four = [scores(seed, bits=12) for seed in range(4)]
    pair = mean_of([one, two], NAMES[:2])
    for nested, flat in (
        ([pair, three], [one, two, three]),
        ([three, pair], [three, one, two]),
        ([mean_of([pair, three], NAMES[:2]), four], [one, two, three, four]),
        ([pair, mean_of([three, four], NAMES[2:])], [one, two, three, four]),
    ):
        expected, found = mean_of(flat, NAMES[: len(flat)]), mean_of(nested, NAMES[: len(nested)])
        np.testing.assert_allclose(found.scores, expected.scores, rtol=2e-7)
        assert found.about["networks"] == expected.about["networks"]
    assert np.array_equal(mean_of([pair, three], NAMES[:2]).scores, mean_of([one, two, three], NAMES[:3]).scores)


def test_a_list_of_classes_may_rename_but_not_reorder(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("b\na\n")
    assert listed_classes(tmp_path / "list.txt", None) == ("b", "a")
    assert listed_classes(tmp_path / "list.txt", ("cat", "dog")) == ("b", "a")
    with pytest.raises(UsageError, match="another order"):
        listed_classes(tmp_path / "list.txt", ("a", "b"))


class Listed:
    """Images as a folder would have them."""

    root = Path("val")

    def __init__(self, made: Predictions, kept: slice = slice(None)) -> None:
        self.files, self.labels, self.classes = made.files[kept], made.labels[kept], made.classes

    def __len__(self) -> int:
        return len(self.files)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"files": ("x.JPEG", *scores(0).files[1:])}, "a.h5 and val are not about the same files"),
        ({"classes": ("x", *scores(0).classes[1:])}, "a.h5 and val are not about the same classes"),
        ({"labels": (scores(0).labels + 1) % 5}, "a.h5 and val have different true classes"),
    ],
    ids=["files", "classes", "labels"],
)
@pytest.mark.parametrize("skip_damaged", [False, True])
def test_saved_scores_of_something_else_do_not_fit(changes: dict[str, Any], message: str, skip_damaged: bool) -> None:
    images: Any = Listed(scores(0))
    check_saved(Path("a.h5"), scores(0), images, skip_damaged=skip_damaged)
    with pytest.raises(UsageError, match=message):
        check_saved(Path("a.h5"), replace(scores(0), **changes), images, skip_damaged=skip_damaged)


def test_saved_scores_may_lack_damaged_images_where_these_are_left_out() -> None:
    whole = scores(0)
    part = replace(whole, scores=whole.scores[1:], labels=whole.labels[1:], files=whole.files[1:])
    images: Any = Listed(whole)
    check_saved(Path("a.h5"), part, images, skip_damaged=True)
    with pytest.raises(UsageError, match="not about the same files"):
        check_saved(Path("a.h5"), part, images, skip_damaged=False)


def test_one_class_has_an_error_all_the_same() -> None:
    alone = Graded(title="", data="", predictions=scores(0, classes=1))
    assert (alone.error(1), alone.error(5)) == (0, None)
    assert Graded(title="", data="", predictions=scores(0)).error(5) is None


def test_scores_as_text_do_not_lie_in_memory_as_a_whole(tmp_path: Path) -> None:
    made = scores(0, images=400, classes=1000)
    tracemalloc.start()
    save(tmp_path / "scores.csv", made)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    written = (tmp_path / "scores.csv").read_bytes()
    assert written == b"".join(as_csv(made))
    assert len(written) > 4_000_000
    assert most < 1_000_000
    first, second, *_ = written.split(b"\n")
    assert first.startswith(b"file,class,best1,best2,best3,best4,best5,score:n00,score:n01,")
    best = np.argsort(-made.scores[0], kind="stable")[:5]
    assert second.split(b",")[:7] == [b"0.JPEG", b"n00", *(made.classes[k].encode() for k in best)]
    assert [float(word) for word in second.split(b",")[7:]] == pytest.approx(made.scores[0].tolist(), rel=1e-8)


def test_parts_that_cannot_be_made_leave_nothing(tmp_path: Path) -> None:
    def broken() -> Any:
        yield b"first"
        raise RuntimeError("no more")

    with pytest.raises(RuntimeError, match="no more"):
        install(tmp_path / "scores.csv", broken(), keep=None)
    assert list(tmp_path.iterdir()) == []
