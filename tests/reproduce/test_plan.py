"""The runs of elements, as lines of a shell and as a script."""

from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path

import pytest

from rescli.errors import UsageError
from rescli.reproduce.element import Element, Net
from rescli.reproduce.elements import element
from rescli.reproduce.places import places
from rescli.reproduce.plan import named, plan, script
from rescli.reproduce.settings import Settings
from tests.cli.conftest import Rescli

FOLDER = Path("study")


def lines(name: str, settings: Settings | None = None, **rest: int | tuple[int, ...]) -> list[str]:
    return [one.line for one in plan([element(name)], settings or Settings(), FOLDER, **rest)]  # type: ignore[arg-type]


@pytest.mark.parametrize("seconds", [float("nan"), -1.0])
def test_seconds_that_are_no_number(seconds: float) -> None:
    with pytest.raises(UsageError, match="--checkpoint-every"):
        Settings(checkpoint_every=seconds)


def test_the_lines_of_fig1() -> None:
    assert lines("fig1") == [
        "rescli train cifar --depth 20 --plain --seed 0 --iterations 64000 --out study/plain20-seed0.h5 --resume",
        "rescli train cifar --depth 56 --plain --seed 0 --iterations 64000 --out study/plain56-seed0.h5 --resume",
    ]


def test_the_lines_of_a_small_study() -> None:
    settings = Settings(
        dataset="synthetic", scale=0.0625, precision="bf16", backend="cpu", threads=2, checkpoint_every=0.5
    )
    assert lines("warmup", settings) == [
        "rescli train cifar --depth 110 --dataset synthetic --seed 0 --iterations 4000 --precision bf16 --backend cpu "
        "--threads 2 --checkpoint-every 0.5 --out study/synthetic-resnet110-4000-seed0.h5 --resume",
        "rescli train cifar --depth 110 --no-warmup --dataset synthetic --seed 0 --iterations 4000 --precision bf16 "
        "--backend cpu --threads 2 --checkpoint-every 0.5 --out study/synthetic-resnet110-nowarmup-4000-seed0.h5 --resume",
    ]


def test_words_with_spaces_are_quoted() -> None:
    settings = Settings(data=Path("my data"))
    line = plan([element("fig1")], settings, Path("my study"))[0].line
    words = shlex.split(line)
    assert words[words.index("--data") + 1] == "my data"
    assert words[words.index("--out") + 1] == "my study/plain20-seed0.h5"


def test_seeds_come_round_by_round_and_as_often_as_in_the_paper() -> None:
    names = [one.name for one in plan([element("table6")], Settings(), FOLDER)]
    assert names[:6] == [f"resnet{depth}-seed0" for depth in (20, 32, 44, 56, 110, 1202)]
    assert names[6:] == [f"resnet110-seed{seed}" for seed in (1, 2, 3, 4)]
    names = [one.name for one in plan([element("table6")], Settings(), FOLDER, seeds=2, first_seed=7, depths=(20, 32))]
    assert names == ["resnet20-seed7", "resnet32-seed7", "resnet20-seed8", "resnet32-seed8"]


def test_elements_share_runs() -> None:
    both = plan([element("fig6-middle"), element("table6"), element("fig1")], Settings(), FOLDER)
    assert len({one.name for one in both}) == len(both) == 12
    assert {one.path for one in plan([element("fig1")], Settings(), FOLDER)} <= {one.path for one in both}


def test_a_depth_that_is_not_there() -> None:
    with pytest.raises(UsageError, match="fig1 has no net with 110 layers"):
        plan([element("fig1")], Settings(), FOLDER, depths=(110,))


def test_a_depth_that_no_element_has_is_not_dropped(rescli: Rescli) -> None:
    refused = rescli("reproduce", "table6", "--depth", "20", "--depth", "65", "--print")
    assert (refused.code, refused.out, "--depth 65: none of these elements" in refused.err) == (2, "", True)
    elsewhere = rescli("reproduce", "table4", "--depth", "34")
    assert (elsewhere.code, "table4 is not run by a study" in elsewhere.err) == (2, True)
    both = rescli("reproduce", "fig1", "table6", "--depth", "20", "--depth", "110", "--print")
    assert len(both.out.splitlines()) == 7, "110 layers are of one of them only"


@pytest.mark.parametrize(("scale", "iterations"), [(1.0, 64_000), (0.0625, 4_000), (1e-6, 1)])
def test_scale(scale: float, iterations: int) -> None:
    assert Settings(scale=scale).iterations == iterations
    assert bool(Settings(scale=scale).marks) == (scale != 1)


@pytest.mark.parametrize("scale", [0.0, -1.0, 1.5, float("nan")])
def test_scales_that_make_no_sense(scale: float) -> None:
    with pytest.raises(UsageError, match="--scale"):
        Settings(scale=scale)


def test_print_says_the_same(rescli: Rescli) -> None:
    shown = rescli("reproduce", "fig1", "--print")
    assert shown.out.splitlines() == lines("fig1")
    assert rescli("reproduce", "fig1", "--print", "--json").document["commands"] == lines("fig1")
    assert not Path("study").exists()
    imagenet = rescli("reproduce", "table2", "--print")
    assert "rescli train imagenet --model resnet34 --shortcut A --out imagenet/resnet34-A.h5 --resume" in imagenet.out
    assert "ILSVRC" in imagenet.err
    both = rescli("reproduce", "table2", "fig1", "--print")
    assert both.out.splitlines() == [*lines("fig1"), *imagenet.out.splitlines()]
    assert "this draws: rescli" in shown.err
    vgg = rescli("reproduce", "table7", "--print").out
    assert "--model vgg16 --lr 0.01 " in vgg
    for words in (("--jobs", "2"), ("--wait",)):
        refused = rescli("reproduce", "fig1", "--print", *words)
        assert (refused.code, f"{words[0]} is for runs" in refused.err) == (2, True)


SRUN = """#!/bin/sh
echo "$@" >> said
echo "$SRUN_CPUS_PER_TASK" > processors
exit "$CODE"
"""


@pytest.mark.parametrize(("code", "requeued"), [(0, ""), (75, "requeue 12_1\n"), (1, "")])
def test_the_array_script_runs_its_line_and_requeues(code: int, requeued: str, tmp_path: Path) -> None:
    for name, text in (("srun", SRUN), ("scontrol", '#!/bin/sh\necho "$@" > requeued\n')):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    runs = plan([element("fig1")], Settings(), Path("my study"))
    (tmp_path / "job.sh").write_text(script(runs))
    done = subprocess.run(
        ["/bin/sh", "job.sh"],
        cwd=tmp_path,
        env={
            **os.environ,
            "PATH": f"{tmp_path}:{os.environ['PATH']}",
            "CODE": str(code),
            "SLURM_ARRAY_TASK_ID": "1",
            "SLURM_ARRAY_JOB_ID": "12",
            "SLURM_CPUS_PER_TASK": "4",
        },
        check=False,
    )
    assert done.returncode == code
    assert (tmp_path / "said").read_text() == " ".join(["rescli", *runs[1].arguments()]) + "\n"
    assert (tmp_path / "processors").read_text() == "4\n", "which srun does not take from the job"
    assert ((tmp_path / "requeued").read_text() if (tmp_path / "requeued").exists() else "") == requeued
    assert "#SBATCH --array=0-1 --gpus=1 --cpus-per-task=4\n" in script(runs)
    on_processors = plan([element("fig1")], Settings(backend="cpu", threads=16), Path("study"))
    assert "#SBATCH --array=0-1 --cpus-per-task=16\n" in script(on_processors)


def test_places() -> None:
    assert [one.variables for one in places(3, "auto", gpus=("2", "5"))] == [
        {"CUDA_VISIBLE_DEVICES": gpu} for gpu in ("2", "5", "2")
    ]
    assert [(one.threads, one.variables) for one in places(2, "cpu", gpus=("0",), processors=5)] == [(2, {}), (2, {})]
    assert places(1, "auto", gpus=("0", "1"))[0].variables == {}
    assert places(2, "mine")[0].threads is None


def test_the_same_net_of_two_elements_is_one_run() -> None:
    often = Element(name="a", title="", where="", nets=(Net(depth=8, runs=2),))
    once = Element(name="b", title="", where="", nets=(Net(depth=8),))
    assert [one.seed for one in plan([once, often], Settings(), FOLDER)] == [0, 1]


def test_a_folder_called_like_an_element_stays_in_the_command(rescli: Rescli) -> None:
    for words in (("--out", "table2"), ("--out=table2",)):
        shown = rescli("reproduce", "fig1", "table2", "--print", *words)
        assert f"this draws: rescli reproduce fig1 {' '.join(words)}" in shown.err


def test_seeds_that_no_run_takes(rescli: Rescli) -> None:
    refused = rescli("reproduce", "fig1", "--seed", str(2**63 - 1), "--seeds", "2", "--print")
    assert (refused.code, "seeds up to 9223372036854775808" in refused.err) == (2, True)


def test_names_with_seeds_that_no_run_takes_are_no_runs(tmp_path: Path) -> None:
    names = [f"plain20-seed{seed}" for seed in ("1", "9" * 20, "9" * 5000, str(2**63), "x")]
    assert [run.name for run in named(element("fig1"), Settings(), tmp_path, names)] == ["plain20-seed1"]


def test_lines_are_not_printed_where_the_environment_would_change_them(
    rescli: Rescli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RESCLI_TRAIN_CIFAR_LEARNING_RATE", "0.01")
    refused = rescli("reproduce", "fig1", "--print")
    assert (refused.code, "would change every run of the study" in refused.err) == (2, True)
