"""A study as a folder: what it has settled, how its runs stand, what is refused."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rescli.recipes.cifar import CifarRecipe
from rescli.reproduce.elements import element
from rescli.reproduce.plan import plan
from rescli.reproduce.settings import Settings
from rescli.reproduce.study import state_of
from rescli.store.writer import write_run
from tests.cli.conftest import Rescli
from tests.reproduce.conftest import Trainer
from tests.reproduce.studies import P20, P56, SMALL, planned
from tests.reproduce.trainer import a_record


def test_another_scale_is_another_study(rescli: Rescli, trainer: Trainer, tmp_path: Path) -> None:
    folder = tmp_path / "study"
    assert rescli("reproduce", "fig1", *SMALL, "--out", folder).code == 0
    done = rescli("reproduce", "fig1", "--dataset", "synthetic", "--scale", "0.002", "--out", folder)
    assert done.code == 2
    assert "is a study with --scale 0.001, not 0.002" in done.err
    assert f"--out {tmp_path / 'study-0.002'}." in done.err
    same = rescli("reproduce", "list", "--scale", "0.0010000001", "--out", folder)
    assert same.code == 0, same.err  # 64 iterations, too
    assert "2 finished" in rescli("reproduce", "list", "--out", folder).out


def test_what_makes_no_sense(rescli: Rescli, trainer: Trainer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(code: int, *words: str) -> str:
        done = rescli("reproduce", *words, "--out", tmp_path / "s")
        assert done.code == code, done.err
        assert not (tmp_path / "s").exists()
        return done.err

    assert "fig9" in refused(2, "fig9")
    assert "is not run by a study" in refused(2, "table2")
    assert "exclude one another" in refused(2, "fig1", "--print", "--dry-run")
    assert "CIFAR-10 was not found" in refused(3, "fig1")
    assert "cifar100" in refused(2, "fig1", "--dataset", "cifar100")
    assert "--data has no effect" in refused(2, "fig1", *SMALL, "--data", ".")
    assert "--depth 21: none of these elements has a net" in refused(2, "fig1", *SMALL, "--depth", "21")
    assert "there is no backend 'cudda'; did you mean 'cuda'?" in refused(5, "fig1", *SMALL, "--backend", "cudda")
    assert "is a folder" in refused(2, "fig1", *SMALL, "--slurm", ".")
    monkeypatch.setenv("RESCLI_TRAIN_CIFAR_BATCH_SIZE", "64")
    assert "RESCLI_TRAIN_CIFAR_BATCH_SIZE would change every run" in refused(2, "fig1", *SMALL)


def test_a_manifest_that_makes_no_sense_is_told(rescli: Rescli, trainer: Trainer, tmp_path: Path) -> None:
    (tmp_path / "study.json").write_text('{"schema": 1}')
    done = rescli("reproduce", "fig1", *SMALL, "--out", tmp_path)
    assert done.code == 4
    assert "not the manifest of a study" in done.err
    settled = {"schema": 1, "dataset": "synthetic", "scale": 0.001, "precision": "auto", "elements": {}}
    for wrong in ({"precision": 3}, {"precision": "foo"}, {"elements": {"fig1": [1]}}, {"elements": {"fig1": "x"}}):
        (tmp_path / "study.json").write_text(json.dumps({**settled, **wrong}))
        assert "not the manifest of a study" in rescli("reproduce", "fig1", "--out", tmp_path, "--print").err, wrong
    (tmp_path / "study.json").write_text(json.dumps({"schema": 9}))
    assert "Upgrade" in rescli("reproduce", "list", "--out", tmp_path).err


def test_a_file_that_holds_another_run_is_never_trained_on(rescli: Rescli, trainer: Trainer, tmp_path: Path) -> None:
    assert rescli("reproduce", "fig1", *SMALL, "--out", tmp_path).code == 0
    shutil.copy(tmp_path / f"{P56}.h5", tmp_path / f"{P20}.h5")
    done = rescli("reproduce", "fig1", "--out", tmp_path)
    assert done.code == 1
    assert "holds another run: network plain56" in done.err
    (tmp_path / f"{P20}.h5").write_bytes(b"nothing")
    assert "cannot be trained" in rescli("reproduce", "fig1", "--out", tmp_path).err


def test_list_tells_how_runs_stand(rescli: Rescli, trainer: Trainer, tmp_path: Path) -> None:
    trainer(**{P56: "fail"})
    rescli("reproduce", "fig1", *SMALL, "--out", tmp_path)
    found = rescli("reproduce", "list", "--out", tmp_path, "--json").document
    states = {one["element"]: one["state"] for one in found["elements"]}
    assert states["fig1"] == "1 finished, 1 missing"
    assert states["fig6-left"] == "1 finished, 3 missing"
    assert states["table6"] == "not begun"
    assert found["not_the_papers"][0] == "64 of the paper's 64,000 iterations"
    rescli("reproduce", "fig1", "--seed", "5", "--seeds", "1", "--depth", "20", "--out", tmp_path)
    more = rescli("reproduce", "list", "--out", tmp_path, "--json").document["elements"][0]
    assert more["state"] == "2 finished, 1 missing"
    assert [run["name"] for run in more["runs"]][2] == "synthetic-plain20-64-seed5"
    assert found["elements"][0]["macs"] == 3 * 128 * 64 * (40_551_040 + 125_485_696)


def test_a_folder_where_a_run_should_be_is_one_run_that_cannot_begin(
    rescli: Rescli, trainer: Trainer, tmp_path: Path
) -> None:
    (tmp_path / f"{P20}.h5").mkdir()
    assert state_of(planned(tmp_path)[0]).word == "unreadable"
    done = rescli("reproduce", "fig1", *SMALL, "--out", tmp_path)
    assert done.code == 1
    assert "is a folder" in done.err
    assert (tmp_path / f"{P56}.h5").is_file(), "the other one was trained"


def test_a_finished_store_that_is_damaged_is_not_finished(rescli: Rescli, trainer: Trainer, tmp_path: Path) -> None:
    one = ("fig1", *SMALL, "--depth", "20", "--out", tmp_path)
    assert rescli("reproduce", *one).code == 0
    store = tmp_path / f"{P20}.h5"
    image = bytearray(store.read_bytes())
    image[len(image) // 2] ^= 0xFF
    store.write_bytes(image)

    done = rescli("reproduce", *one)

    assert state_of(planned(tmp_path)[0]).word == "unreadable"
    assert (done.code, "damaged" in done.err, "runs restore" in done.err) == (1, True, True)


@pytest.mark.parametrize("other", [{"learning_rate": 0.01}, {"bn_images": 64}, {"augment": False}])
def test_a_finished_run_of_another_recipe_is_not_the_studys(other: dict[str, Any], tmp_path: Path) -> None:
    run = planned(tmp_path)[0]
    recipe = CifarRecipe(dataset="synthetic", depth=20, plain=True, iterations=64, precision="fp32").resolved()
    write_run(run.path, a_record(recipe, 64, "finished"))
    assert state_of(run).word == "finished"
    write_run(run.path, a_record(replace(recipe, **other), 64, "finished"))
    state = state_of(run)
    assert (state.word, f"holds another run: {next(iter(other))} " in state.error) == ("other", True)


def test_a_study_that_is_finished_needs_no_images(
    rescli: Rescli, trainer: Trainer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for run in plan([element("fig1")], Settings(), tmp_path / "study"):
        (tmp_path / "study").mkdir(exist_ok=True)
        write_run(run.path, a_record(run.net.recipe(precision="fp32").resolved(), 64_000, "finished"))
    monkeypatch.setenv("RESCLI_DATA", str(tmp_path / "nothing"))
    done = rescli("reproduce", "fig1", "--out", tmp_path / "study")
    assert (done.code, done.err.count("finished already")) == (0, 2)
    (tmp_path / "study" / "plain56-seed0.h5").unlink()
    assert rescli("reproduce", "fig1", "--out", tmp_path / "study").code == 3


def test_what_is_not_the_papers_says_so_before_it_is_run_too(rescli: Rescli, trainer: Trainer, tmp_path: Path) -> None:
    word = "Not the paper's: 4,000 of the paper's 64,000 iterations"
    small = ("reproduce", "fig1", "--scale", "0.0625", "--out", tmp_path / "s")
    assert word in rescli(*small, "--print").err
    assert word in rescli(*small, "--slurm", tmp_path / "x.sh").err
    mixed = rescli("reproduce", "fig1", "table2", "--print", "--out", tmp_path / "s")
    assert "this draws: rescli reproduce fig1 --out" in mixed.err
    listed = rescli("reproduce", "list", "--scale", "0.0625", "--out", tmp_path / "my study", "--json").document
    assert listed["elements"][0]["commands"] == [
        f"rescli reproduce fig1 --out '{tmp_path / 'my study'}' --scale 0.0625"
    ]
