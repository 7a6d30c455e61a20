"""Names and facts of the data sets, without torch."""

from __future__ import annotations

import subprocess
import sys

import pytest

from rescli.data.names import DATASETS, info
from rescli.errors import UsageError


def test_facts() -> None:
    assert list(DATASETS) == ["cifar10", "cifar100", "synthetic"]
    for name, facts in DATASETS.items():
        assert facts.name == name
        assert facts.image_size == 32
        assert len(facts.class_names) in (0, facts.classes)
        assert facts.train_images % facts.classes == facts.test_images % facts.classes == 0
        assert facts.needs_files == (name != "synthetic")
        assert info(name) is facts


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("CIFAR-10", "cifar10"), ("cifar_100", "cifar100"), ("cifar", "cifar10"), ("synth", "synthetic")],
)
def test_an_unknown_name_gets_a_suggestion(typed: str, meant: str) -> None:
    with pytest.raises(UsageError) as error:
        info(typed)
    assert f"Did you mean {meant}" in error.value.hint
    assert repr(typed) in error.value.message


@pytest.mark.parametrize("typed", ["", "imagenet", "mnist", "../cifar10", "x" * 10_000])
def test_an_unknown_name_lists_the_known(typed: str) -> None:
    with pytest.raises(UsageError, match="cifar10, cifar100, synthetic"):
        info(typed)


@pytest.mark.parametrize("module", ["rescli.data", "rescli.data.names", "rescli.data.locate"])
def test_names_and_places_load_no_heavy_library(module: str) -> None:
    code = f"import sys, {module}; print({{'torch', 'torchvision', 'numpy', 'h5py'}} & set(sys.modules))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "set()"
