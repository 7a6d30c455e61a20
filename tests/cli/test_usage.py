"""Command lines, variables and configuration files that make no sense, and those that do."""

from __future__ import annotations

import os
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

import rescli as package
from rescli.recipes.cifar import CifarRecipe
from rescli.store.writer import write_run
from tests.analysis.runs import a_run
from tests.cli.conftest import Rescli, Result
from tests.cli.processes import run
from tests.store.samples import sample

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

CIFAR = ("train", "cifar")
SYNTHETIC = (*CIFAR, "--dataset", "synthetic")

WRONG: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "option": ((*CIFAR, "--depht", "20"), ("--depht", "--depth")),
    "command": (("trian",), ("trian", "'train'")),
    "subcommand": (("runs", "shwo"), ("shwo", "'show'")),
    "data set": ((*CIFAR, "--dataset", "cifar-1O"), ("cifar-1O", "Did you mean cifar10", "synthetic")),
    "choice": ((*CIFAR, "--shortcut", "D"), ("--shortcut", "'A', 'B', 'C'")),
    "number": ((*CIFAR, "--depth", "twenty"), ("--depth", "twenty")),
    "range": ((*CIFAR, "--threads", "0"), ("--threads", "1<=x<=1024")),
    "too many threads": ((*CIFAR, "--threads", "100000"), ("--threads", "1<=x<=1024")),
    "no run": (("runs", "show"), ("RUN.h5",)),
    "two runs": (("runs", "show", "a.h5", "b.h5"), ("b.h5",)),
    "depth": ((*CIFAR, "--depth", "21"), ("21 is not 6n+2", "20 and 26")),
    "no iterations": ((*CIFAR, "--iterations", "0"), ("at least 1",)),
    "batch of one": ((*CIFAR, "--batch-size", "1"), ("at least 2",)),
    "falling milestones": ((*CIFAR, "--milestone", "0.7", "--milestone", "0.2"), ("rising",)),
    "bn images": ((*CIFAR, "--bn-images", "60"), ("divide the batch of 128",)),
    "plain with a shortcut": ((*CIFAR, "--plain", "--shortcut", "A"), ("no effect",)),
    "warm-up rate without warm-up": ((*CIFAR, "--warmup-lr", "0.1"), ("no effect", "--warmup")),
    "warm-up error without warm-up": (
        (*CIFAR, "--depth", "110", "--no-warmup", "--warmup-error", "70"),
        ("no effect", "warm-up"),
    ),
    "form without momentum": ((*CIFAR, "--momentum", "0", "--momentum-form", "caffe"), ("no effect",)),
    "decay without decay": ((*CIFAR, "--weight-decay", "0", "--decay", "conv"), ("no effect",)),
    "data of a built-in set": ((*SYNTHETIC, "--data", "."), ("--data", "no effect")),
    "download of a built-in set": ((*SYNTHETIC, "--download"), ("--download", "no effect")),
    "download in a dry run": ((*CIFAR, "--download", "--dry-run"), ("--download has no effect",)),
    "download of a recipe": ((*CIFAR, "--download", "--print-config"), ("--download has no effect",)),
    "no number of seconds": ((*SYNTHETIC, "--checkpoint-every", "nan"), ("--checkpoint-every", "nan is not a number")),
    "no interval": (("runs", "watch", "run.h5", "--interval", "nan"), ("--interval", "nan is not a number")),
    "endless interval": (("runs", "watch", "run.h5", "--interval", "inf"), ("--interval", "0.1<=x<=86400")),
    "no card": (("profile", "resnet34", "--memory", "--card", "inf"), ("--card", "inf is not a number")),
    "no end of an axis": (("analyze", "curves", ".", "--top", "nan"), ("--top", "nan is not a number")),
    "no size of letters": (("analyze", "curves", ".", "--font-size", "nan"), ("--font-size", "nan is not a number")),
    "seconds of a study": (
        ("reproduce", "fig1", "--print", "--checkpoint-every", "nan"),
        ("--checkpoint-every", "nan is not a number"),
    ),
    "data set to verify": (("data", "verify", "imagnet"), ("imagnet", "Did you mean imagenet?", "cifar10")),
    "capitals": (("data", "verify", "CIFAR10"), ("CIFAR10", "Did you mean cifar10?")),
    "capitals of others": (("data", "verify", "IMAGENET"), ("IMAGENET", "Did you mean imagenet?")),
    "data to fetch": (("data", "fetch", "cifar"), ("There are: cifar10, cifar100.",)),
    "data that nobody may fetch": (("data", "fetch", "imagenet"), ("cannot be fetched", "rescli data verify imagenet")),
    "data that is built in": (("data", "fetch", "synthetic"), ("built in",)),
    "place of built-in data": (("data", "verify", "synthetic", "--data", "."), ("--data has no effect",)),
    "no module": (("profile", ":"), ("not the name of a module", "package.module:callable")),
    "no package": (("profile", ":foo"), ("not the name of a module",)),
    "relative module": (("profile", ".:x"), ("not the name of a module",)),
    "csv in json": (("runs", "export", "run.h5", "--to", "csv", "--out", "x.json"), ("x.json", "--to says csv")),
    "recipe of several processes": ((*CIFAR, "--print-config", "--devices", "2"), ("--devices",)),
    "blocks of a net without": (
        ("train", "imagenet", "--model", "vgg16", "--checkpoint-activations"),
        ("VGG nets have none",),
    ),
    "figure of no size": (("analyze", "gradients", "run.h5", "--plot", "f.pdf", "--size", "7in"), ("--size 7in",)),
    "figure in no folder": (("analyze", "responses", "run.h5", "--plot", "no/f.pdf"), ("there is no folder no",)),
    "page in no folder": (("analyze", "report", "run.h5", "--out", "no/page.html"), ("there is no folder no",)),
    "photographs of a data set": (
        ("bench", "data", "--data", ".", "--dataset", "cifar10"),
        ("--dataset and --backend",),
    ),
    "waiting in a dry run": (("reproduce", "fig1", "--dry-run", "--wait"), ("--wait is for runs",)),
    "length of what no study runs": (
        ("reproduce", "table2", "--print", "--scale", "0.1", "--depth", "34"),
        ("--scale and --depth: no effect",),
    ),
    "place of what no study runs": (("reproduce", "table2", "--print", "--out", "s"), ("--out: no effect",)),
    "size of no figure": (("analyze", "curves", ".", "--size", "page"), ("--size and --font-size", "--plot")),
    "two ways not to train": ((*CIFAR, "--print-config", "--dry-run"), ("exclude one another",)),
}


def refused(result: Result, code: int = 2) -> str:
    """What a refused command said: one line, and at most one hint."""
    assert result.code == code, result
    assert result.out == ""
    lines = result.err.splitlines()
    assert 1 <= len(lines) <= 2
    assert lines[0].startswith("Error: ")
    assert not lines[-1].startswith("Error: ") or len(lines) == 1
    return result.err


@pytest.mark.parametrize("case", WRONG)
def test_a_command_line_that_makes_no_sense(
    case: str, rescli: Rescli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    arguments, words = WRONG[case]
    said = refused(rescli(*arguments))
    for word in words:
        assert word in said
    assert list(tmp_path.iterdir()) == []

    as_json = rescli(*arguments, "--json")
    assert (as_json.code, as_json.err) == (2, said)
    document = as_json.document
    assert set(document) == {"error", "hint", "exit_code"}
    assert document["exit_code"] == 2
    assert said == f"Error: {document['error']}\n" + (f"{document['hint']}\n" if document["hint"] else "")


@pytest.mark.parametrize("arguments", [(), ("train",), ("runs",), ("data",)])
def test_a_command_without_its_second_half_gets_the_help(arguments: tuple[str, ...], rescli: Rescli) -> None:
    result = rescli(*arguments)
    assert result.code == 2
    assert result.err.startswith(" ".join(("Usage: rescli", *arguments)))
    assert "Error" not in result.err


def test_a_bug_says_so_and_debug_shows_where(rescli: Rescli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr("rescli.store.listing.list_runs", broken)
    said = refused(rescli("runs", "list", tmp_path), 1)
    assert "unexpected ZeroDivisionError" in said
    assert "--debug" in said
    assert "Traceback" in rescli("runs", "list", tmp_path, "--debug").err


def test_debug_shows_the_traceback_of_an_error_too(rescli: Rescli) -> None:
    result = rescli(*CIFAR, "--depth", "21", "--debug")
    assert result.code == 2
    assert result.err.startswith("Traceback")
    assert "Error: depth 21 is not 6n+2" in result.err.splitlines()[-2]
    assert "Traceback" in rescli(*CIFAR, "--depht", "21", "--debug").err


def test_absent_data(rescli: Rescli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for more in ((), ("--dry-run",)):
        said = refused(rescli(*CIFAR, *more), 3)
        assert "CIFAR-10 was not found" in said
        assert "`rescli data fetch cifar10`" in said
    said = refused(rescli(*CIFAR, "--data", "here"), 3)
    assert "--data: no such folder" in said
    assert list(tmp_path.rglob("*.h5")) == []


def test_an_absent_or_unknown_backend(rescli: Rescli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rescli.backends.cuda.CudaBackend.unavailable", lambda self: "there is no driver")
    said = refused(rescli(*SYNTHETIC, "--backend", "cuda"), 5)
    assert "cuda" in said
    assert "there is no driver" in said
    said = refused(rescli(*SYNTHETIC, "--backend", "cud"), 5)
    assert "did you mean 'cuda'?" in said
    assert "cpu" in said


def test_an_interrupt_is_told(rescli: Rescli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(10)

    monkeypatch.setattr("rescli.store.listing.list_runs", interrupted)
    result = rescli("runs", "list", tmp_path, "--json")
    assert (result.code, result.err) == (130, "Stopped: interrupted\n")
    assert result.document == {"error": "interrupted", "hint": "", "exit_code": 130}


def test_an_interrupt_that_is_lost_is_not_the_last(
    rescli: Rescli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        with suppress(KeyboardInterrupt):  # as Python does around a `__del__`
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(10)
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(10)

    monkeypatch.setattr("rescli.store.listing.list_runs", interrupted)
    result = rescli("runs", "list", tmp_path)
    assert (result.code, result.err) == (130, "Stopped: interrupted\n")


def test_a_run_is_never_written_over_by_something_else(rescli: Rescli, tmp_path: Path) -> None:
    for name in ("a.h5", "b.h5"):
        write_run(tmp_path / name, sample(1))
    before = (tmp_path / "b.h5").read_bytes()
    for words in (("runs", "export", tmp_path / "a.h5", "--out"), ("reproduce", "fig1", "--slurm")):
        assert "one of rescli's own files" in refused(rescli(*words, tmp_path / "b.h5"))
        assert "is a folder" in refused(rescli(*words, tmp_path))
    assert (tmp_path / "b.h5").read_bytes() == before
    plot = ("analyze", "curves", tmp_path / "a.h5", "--plot", tmp_path / "b.svg")
    (tmp_path / "b.h5").rename(tmp_path / "b.svg")
    assert "one of rescli's own files" in refused(rescli(*plot))
    assert rescli("runs", "export", tmp_path / "a.h5", "--out", tmp_path / "a.json").code == 0
    assert (tmp_path / "a.json").read_text().startswith("{")
    for _ in range(2):  # what it has written itself it writes anew
        assert rescli("runs", "export", tmp_path / "a.h5", "--out", tmp_path / "a.csv").code == 0


@pytest.mark.parametrize(("rank", "size"), [("1", "2"), ("1", "1"), ("x", "2")])
def test_a_command_that_shares_nothing_talks_in_every_process(
    rank: str, size: str, rescli: Rescli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RANK", rank)
    monkeypatch.setenv("WORLD_SIZE", size)
    assert "1,794,805,760" in rescli("flops", "resnet18").out


def test_version(rescli: Rescli, monkeypatch: pytest.MonkeyPatch) -> None:
    assert rescli("--version").out == f"rescli {package.__version__}\n"
    monkeypatch.setenv("RESCLI_VERSION", "somebody's own variable")
    assert rescli("runs", "--help").code == 0


# Where options come from


def config(rescli: Rescli, *arguments: str | Path) -> dict[str, object]:
    printed = rescli(*CIFAR, "--print-config", *arguments)
    assert (printed.code, printed.err) == (0, "")
    found: dict[str, object] = tomllib.loads(printed.out)
    return found


def test_flags_win_over_the_environment_and_that_over_the_file(
    rescli: Rescli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "run.toml"
    file.write_text('depth = 32\nseed = 1\niterations = 100\nlearning_rate = 1\nmilestones = [0.25]\nshortcut = "B"\n')
    monkeypatch.setenv("RESCLI_TRAIN_CIFAR_DEPTH", "44")
    monkeypatch.setenv("RESCLI_TRAIN_CIFAR_SEED", "2")
    found = config(rescli, "--config", file, "--depth", "56")
    assert (found["depth"], found["seed"], found["iterations"]) == (56, 2, 100)
    assert (found["learning_rate"], found["milestones"], found["shortcut"]) == (1.0, [0.25], "B")
    monkeypatch.setenv("RESCLI_TRAIN_CIFAR_MILESTONES", "0.2 0.4")
    monkeypatch.setenv("RESCLI_TRAIN_CIFAR_CONFIG", str(file))
    assert config(rescli)["milestones"] == [0.2, 0.4]


ROUND_TRIPS = [
    (),
    ("--depth", "110", "--seed", "3"),
    ("--depth", "56", "--plain", "--dataset", "cifar100", "--validation", "5000"),
    ("--depth", "8", "--warmup", "--warmup-lr", "1e-8", "--milestone", "0.5", "--no-augment", "--lr", "1e-7"),
    ("--shortcut", "C", "--bn-images", "64", "--momentum-form", "caffe", "--decay", "conv", "--precision", "fp32"),
]


@pytest.mark.parametrize("arguments", ROUND_TRIPS)
def test_the_printed_recipe_gives_the_same_recipe(arguments: tuple[str, ...], rescli: Rescli, tmp_path: Path) -> None:
    printed = rescli(*CIFAR, *arguments, "--print-config")
    (tmp_path / "printed.toml").write_text(printed.out)
    again = rescli(*CIFAR, "--config", tmp_path / "printed.toml", "--print-config")
    assert (again.code, again.err) == (0, "")
    assert again.out == printed.out
    as_json = rescli(*CIFAR, *arguments, "--print-config", "--json").document
    assert {name: value for name, value in as_json.items() if value is not None} == tomllib.loads(printed.out)


FILES = {
    "depht = 20": ("unknown key 'depht'", "Did you mean depth?"),
    "lr = 0.2": ("unknown key 'lr'", "Did you mean learning_rate?"),
    "batch-size = 64": ("unknown key 'batch-size'", "Did you mean batch_size?"),
    "xyzzy = 1": ("unknown key 'xyzzy'", "Known: augment, backend,"),
    "resume = true": ("unknown key 'resume'",),
    'depth = "20"': ("depth = '20' must be a whole number",),
    "depth = 20.0": ("depth = 20.0 must be a whole number",),
    "depth = true": ("depth = True must be a whole number",),
    "learning_rate = '0.1'": ("learning_rate = '0.1' must be a number",),
    "plain = 1": ("plain = 1 must be true or false",),
    "dataset = 10": ("dataset = 10 must be text",),
    "milestones = 0.5": ("milestones = 0.5 must be a list",),
    "threads = 0": ("--threads", "1<=x<=1024", "from the configuration file"),
    'shortcut = "D"': ("--shortcut", "'A', 'B', 'C'", "from the configuration file"),
    "depth 20": ("not TOML",),
    "[train]\ndepth = 20": ("unknown key 'train'",),
    "\xff": ("cannot be read",),
}


@pytest.mark.parametrize("text", FILES)
def test_a_file_that_makes_no_sense(text: str, rescli: Rescli, tmp_path: Path) -> None:
    file = tmp_path / "run.toml"
    file.write_text(text, encoding="latin-1")
    said = refused(rescli(*CIFAR, "--config", file, "--print-config"))
    for words in FILES[text]:
        assert words in said
    assert str(file) in said or "configuration file" in said


def test_a_file_that_is_not_there(rescli: Rescli, tmp_path: Path) -> None:
    said = refused(rescli(*CIFAR, "--config", tmp_path / "no.toml"))
    assert f"{tmp_path / 'no.toml'}: cannot be read: No such file" in said


VARIABLES = {
    "RESCLI_TRAIN_CIFAR_DEPHT": ("8", "Did you mean RESCLI_TRAIN_CIFAR_DEPTH?"),
    "RESCLI_TRAIN_CIFAR_LR": ("1", "Did you mean RESCLI_TRAIN_CIFAR_LEARNING_RATE?"),
    "RESCLI_TRAIN_CIFAR_XYZZY": ("1", "Unset it."),
    "RESCLI_TRAIN_CIFAR_DEPTH": ("x", "(from the environment variable RESCLI_TRAIN_CIFAR_DEPTH)"),
}


@pytest.mark.parametrize("name", VARIABLES)
def test_a_variable_that_makes_no_sense(name: str, rescli: Rescli, monkeypatch: pytest.MonkeyPatch) -> None:
    value, words = VARIABLES[name]
    monkeypatch.setenv(name, value)
    said = refused(rescli(*CIFAR, "--print-config"))
    assert name in said
    assert words in said
    assert rescli("runs", "--help").code == 0, "it concerns no other command"


# --dry-run


def test_a_dry_run_writes_nothing(tmp_path: Path) -> None:
    arguments = (*SYNTHETIC, "--depth", "8", "--batch-size", "16", "--threads", "1", "--dry-run", "--out", "new/run.h5")
    done = run(*arguments, folder=tmp_path)
    assert (done.code, done.err) == (0, "")
    assert [path.suffix for path in sorted(tmp_path.iterdir())] == [".err", ".out"], "what the test itself keeps"
    assert "resnet8 (option A) on synthetic: 75,290 parameters" in done.out
    figures = dict(line.split("  ", 1) for line in done.out.splitlines()[-4:])
    assert figures["run store"].strip() == "new/run.h5 (not written)"
    assert "GB free" in figures["memory"]
    assert "images/s" in figures["step"]
    assert "about " in figures["time"]


def test_a_dry_run_refuses_what_the_run_would_refuse(stopped: Path, tmp_path: Path, rescli: Rescli) -> None:
    listing = sorted(stopped.parent.iterdir())
    said = refused(rescli(*SYNTHETIC, "--depth", "8", "--dry-run", "--out", stopped))
    assert "exists already" in said
    said = refused(rescli(*SYNTHETIC, "--depth", "8", "--dry-run", "--resume", "--seed", "9", "--out", stopped))
    assert "seed was 0, now 9" in said
    assert sorted(stopped.parent.iterdir()) == listing


def test_a_dry_run_of_a_finished_run_needs_nothing(rescli: Rescli, tmp_path: Path) -> None:
    path = a_run(tmp_path / "run.h5")  # of images that are not here
    line = (*CIFAR, "--depth", "20", "--resume", "--out", path)
    done, dry = rescli(*line), rescli(*line, "--dry-run")
    assert (done.code, "is finished already" in done.out) == (0, True)
    assert (dry.code, dry.out) == (0, done.out)
    assert rescli(*line, "--dry-run", "--lr", "0.5").code == 2


def test_devices_that_are_not_the_jobs(rescli: Rescli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", "4")
    said = refused(rescli(*SYNTHETIC, "--depth", "8", "--devices", "2"))
    assert "this job has 4 processes: --devices 2 has no effect" in said


def test_a_net_that_does_not_fit_in_memory(rescli: Rescli) -> None:
    said = refused(rescli(*SYNTHETIC, "--depth", "1202", "--batch-size", "10000", "--dry-run"), 1)
    assert "GB free" in said
    assert "--batch-size" in said


def test_a_resume_compares_each_option_with_the_stored_one(rescli: Rescli, tmp_path: Path) -> None:
    """Not with what the defaults would make of it."""
    recipe = CifarRecipe(dataset="synthetic", depth=8, warmup=True, warmup_lr=0.02, iterations=2).resolved()
    path = tmp_path / "run.h5"
    write_run(path, sample(status="stopped", recipe=recipe.to_dict(), sessions=[{"backend": "cpu"}]))

    changed = rescli("train", "cifar", "--out", path, "--resume", "--warmup-lr", "0.03")
    without_effect = rescli("train", "cifar", "--out", path, "--resume", "--data", tmp_path)

    assert changed.code == 2
    assert "warmup_lr was 0.02, now 0.03" in changed.err
    assert without_effect.code == 2
    assert "synthetic is built in" in without_effect.err


def test_a_run_that_no_list_shows_says_so(tmp_path: Path, rescli: Rescli) -> None:
    words = (*SYNTHETIC, "--depth", "8", "--batch-size", "16", "--threads", "1", "--dry-run", "--out")
    said = "does not end in .h5: lists and tables"
    assert rescli(*words, tmp_path / "run").err.count(said) == 1
    assert said not in rescli(*words, tmp_path / "run.h5").err
