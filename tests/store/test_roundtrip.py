"""What goes into a store comes out of it, bit for bit."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rescli.errors import StoreError
from rescli.store.encode import encode
from rescli.store.reader import read_run, verify
from rescli.store.record import STATUSES, RunRecord
from rescli.store.writer import write_run
from tests.store.samples import same, same_record, sample

relaxed = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
words = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="/\0@"), min_size=1, max_size=12)
names = words.filter(lambda name: name != ".")
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
json_objects = st.dictionaries(st.text(max_size=8), json_values, max_size=4)
shapes = hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4)
dtypes = st.sampled_from(["<f4", "<f8", "<f2", "<i8", "<i4", "|u1", "|i1", "<u8", "|b1", "|S3"])
arrays = dtypes.flatmap(lambda dtype: hnp.arrays(dtype, shapes))
array_groups = st.dictionaries(names, arrays, max_size=4)
columns = st.integers(0, 5).flatmap(
    lambda rows: st.dictionaries(
        names, st.sampled_from(["<f8", "<i8"]).flatmap(lambda d: hnp.arrays(d, rows)), max_size=3
    )
)
texts = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"), max_size=10)
trees = st.recursive(arrays | texts, lambda inner: st.dictionaries(names, inner, max_size=3), max_leaves=6)
records = st.builds(
    RunRecord,
    status=st.sampled_from(STATUSES),
    recipe=json_objects,
    environment=json_objects,
    progress=json_objects,
    sessions=st.lists(json_objects, max_size=2),
    metrics=st.dictionaries(names, columns, max_size=2),
    inputs=array_groups,
    model=array_groups,
    momentum=array_groups,
    analysis=st.dictionaries(names, trees, max_size=3),
    summary=st.dictionaries(st.text(max_size=8), st.integers() | st.floats() | st.text(max_size=20), max_size=4),
)


@relaxed
@given(record=records)
def test_any_record_comes_back_bit_for_bit(record: RunRecord, tmp_path: Path) -> None:
    path = tmp_path / "run.h5"
    path.write_bytes(encode(record))
    assert same_record(read_run(path), record)


@relaxed
@given(record=records)
def test_reading_and_writing_again_gives_the_same_bytes(record: RunRecord, tmp_path: Path) -> None:
    path = tmp_path / "run.h5"
    path.write_bytes(encode(record))
    assert encode(read_run(path)) == path.read_bytes()


def test_without_tensors_all_else_is_there(tmp_path: Path) -> None:
    write_run(tmp_path / "run.h5", sample())
    record = read_run(tmp_path / "run.h5", tensors=False)
    assert (record.model, record.momentum) == ({}, {})
    assert same(record.metrics, read_run(tmp_path / "run.h5").metrics)


def test_analyses_keep_their_attributes(tmp_path: Path) -> None:
    analysis = {
        "responses": {
            "@about": "Fig. 7",
            "@layers": 20,
            "std": np.ones(3),
            "std@units": "1",
            "exact": {"@yes": True, "note": "häßlich", "note@by": "me"},
        }
    }
    write_run(tmp_path / "run.h5", sample(analysis=analysis))
    assert same(read_run(tmp_path / "run.h5").analysis, analysis)


def test_floats_of_the_progress_come_back_exactly(tmp_path: Path) -> None:
    progress = {
        "iteration": 1,
        "a": 0.1 + 0.2,
        "b": 5e-324,
        "c": -0.0,
        "d": math.inf,
        "e": math.nan,
        "n": np.float64(0.3),
    }
    write_run(tmp_path / "run.h5", sample(progress=progress))
    found = read_run(tmp_path / "run.h5").progress
    assert [float(value).hex() for value in found.values()] == [float(value).hex() for value in progress.values()]


def test_other_memory_layouts_are_stored_by_value(tmp_path: Path) -> None:
    model: dict[str, Any] = {
        "transposed": np.arange(6.0).reshape(2, 3).T,
        "strided": np.arange(10)[::2],
        "big_endian": np.arange(3, dtype=">f4"),
        "scalar": np.float32(1.5),
    }
    write_run(tmp_path / "run.h5", sample(model=model))
    found = read_run(tmp_path / "run.h5").model
    assert all(np.array_equal(found[name], value) for name, value in model.items())
    assert found["big_endian"].dtype == np.dtype("<f4")


def test_columns_are_stored_64_bits_wide(tmp_path: Path) -> None:
    metrics = {"train": {"iteration": np.arange(2, dtype=np.int32), "loss": np.array([0.1, 0.2], np.float32)}}
    write_run(tmp_path / "run.h5", sample(metrics=metrics))
    found = read_run(tmp_path / "run.h5").metrics["train"]
    assert (found["iteration"].dtype.str, found["loss"].dtype.str) == ("<i8", "<f8")
    assert np.array_equal(found["loss"], metrics["train"]["loss"])


@pytest.mark.parametrize(
    "changes",
    [
        {"status": "gone"},
        {"model": {"a/b": np.ones(1)}},
        {"model": {".": np.ones(1)}},
        {"model": {"": np.ones(1)}},
        {"model": {"object": np.array([{}])}},
        {"model": {"text": np.array(["unicode"])}},
        {"model": {"complex": np.ones(2, complex)}},
        {"model": {"long": np.ones(2, np.longdouble)}},
        {"model": {"a@b": np.ones(2)}},
        {"inputs": {"x@y": np.ones(2)}},
        {"metrics": {"train": {"error@top5": np.ones(2)}}},
        {"metrics": {"train@home": {"error": np.ones(2)}}},
        {"metrics": {"train": {"a": np.ones(2), "b": np.ones(3)}}},
        {"metrics": {"train": {"a": np.ones((2, 2))}}},
        {"recipe": {1: "a key that is no text"}},
        {"recipe": {"path": Path("a thing JSON does not know")}},
        {"analysis": {"group": {}, "group@units": "1"}},
        {"analysis": {"@many": np.ones(3)}},
        {"analysis": {"note": "with a \0 inside"}},
    ],
    ids=str,
)
def test_what_no_store_can_hold_is_a_bug_of_the_caller(changes: dict[str, Any]) -> None:
    with pytest.raises((ValueError, TypeError)):
        encode(sample(**changes))


def test_a_summary_too_long_for_the_header() -> None:
    with pytest.raises(StoreError, match="summary"):
        encode(sample(summary={"note": "x" * 4000}))


def test_verify_counts_and_names_what_is_not_finite(tmp_path: Path) -> None:
    path = tmp_path / "run.h5"
    write_run(path, sample(1))
    write_run(path, sample(2, momentum={"a": np.array([1, np.nan]), "b": np.ones(2)}))
    found = verify(path)
    assert (found.bytes, found.tensors, found.non_finite) == (path.stat().st_size, 5, ("momentum/a",))
    assert found.datasets == 4 + 4 + 1 + 5
    assert found.previous is not None
    assert found.previous.intact
    assert "iteration 1" in found.previous.description


def test_a_snapshot_shares_no_memory() -> None:
    record = sample()
    snapshot = record.snapshot()
    assert same_record(record, snapshot)
    assert not np.shares_memory(record.model["conv1.weight"], snapshot.model["conv1.weight"])
    assert snapshot.progress is not record.progress
