"""Where data sets are looked for, and what is said when they are not there."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from rescli.data.locate import cache, find, photographs, training_photographs
from rescli.errors import DataError, UsageError
from tests.data.conftest import FOLDER


def place(root: Path) -> Path:
    (root / FOLDER).mkdir(parents=True)
    return root


def test_the_option_then_the_variable_then_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    option, variable, cached = place(tmp_path / "a"), place(tmp_path / "b"), place(cache())
    assert find("cifar10") == cached
    monkeypatch.setenv("RESCLI_DATA", str(variable))
    assert find("cifar10") == variable
    assert find("cifar10", option) == option


def test_a_variable_that_leads_nowhere_does_not_hide_the_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    cached = place(cache())
    for value in ("", str(tmp_path / "nowhere")):
        monkeypatch.setenv("RESCLI_DATA", value)
        assert find("cifar10") == cached


def test_the_option_is_decisive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RESCLI_DATA", str(place(tmp_path / "b")))
    place(cache())
    with pytest.raises(DataError) as error:
        find("cifar10", tmp_path / "typo")
    assert f"{tmp_path / 'typo'} (--data: no such folder)" in error.value.message
    assert str(tmp_path / "b") not in error.value.message
    assert error.value.exit_code == 3


def test_the_published_folder_itself_will_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = place(tmp_path / "a")
    assert find("cifar10", root / FOLDER) == root
    (tmp_path / "link").symlink_to(root / FOLDER)
    assert find("cifar10", tmp_path / "link") == root
    monkeypatch.chdir(root / FOLDER)
    assert find("cifar10", Path()) == root
    monkeypatch.setenv("HOME", str(root))
    assert find("cifar10", Path("~")) == root


def test_every_place_is_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "empty").mkdir()
    monkeypatch.setenv("RESCLI_DATA", str(tmp_path / "empty"))
    with pytest.raises(DataError) as error:
        find("cifar10")
    assert f"{tmp_path / 'empty'} (RESCLI_DATA: it holds no folder {FOLDER})" in error.value.message
    assert f"{cache()} (the cache: no such folder)" in error.value.message
    assert "rescli data fetch cifar10" in error.value.hint


def test_a_file_in_place_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="not a folder"):
        find("cifar10", tmp_path / "file")
    (tmp_path / FOLDER).write_text("")
    with pytest.raises(DataError, match="holds no folder"):
        find("cifar10", tmp_path)


def test_another_data_set_is_not_mistaken_for_it(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="CIFAR-100 was not found"):
        find("cifar100", place(tmp_path / "a"))


@pytest.mark.parametrize("name", ["synthetic", "cifar"])
def test_names_without_files(name: str) -> None:
    with pytest.raises(UsageError):
        find(name)


def test_a_path_that_cannot_be_looked_at(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="--data"):
        find("cifar10", tmp_path / ("x" * 5000))


def test_the_variable_may_begin_with_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "data" / "imagenet").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("RESCLI_DATA", "~/data")
    assert photographs() == tmp_path / "data" / "imagenet"


def test_a_folder_that_may_not_be_entered_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(_: Path) -> bool:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "exists", refused)
    with pytest.raises(DataError, match="cannot be looked at: Permission denied"):
        training_photographs(tmp_path / "private" / "imagenet")


def test_a_home_that_nobody_has(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="home"):
        photographs(Path("~nosuchuser/x"))


def test_who_names_a_folder_needs_no_library_that_knows_the_users(tmp_path: Path) -> None:
    """Lent machines on which nothing can be installed may lack it."""
    code = "import sys; sys.modules['platformdirs'] = None; from rescli.data.locate import find; print(find('cifar10'))"
    place(tmp_path)
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "RESCLI_DATA": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout.strip(), done.stderr) == (str(find("cifar10", tmp_path)), "")
