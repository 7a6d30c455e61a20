"""A study run by run: skipped, resumed, failed, stopped, shared. Real processes, which do not really train."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from filelock import FileLock

from rescli.analysis.measured import Measured
from rescli.engine.stopping import ECHO, StopSignals
from rescli.recipes.cifar import CifarRecipe
from rescli.reproduce import runner
from rescli.reproduce.children import Child
from rescli.reproduce.conduct import Order, conduct
from rescli.reproduce.element import Element
from rescli.reproduce.elements import element
from rescli.reproduce.places import Place
from rescli.reproduce.plan import plan
from rescli.reproduce.runner import Runner
from rescli.reproduce.settings import Settings
from rescli.reproduce.study import State, state_of
from rescli.store import owner
from rescli.store.writer import write_run
from tests.cli.conftest import Rescli
from tests.cli.processes import PATIENCE
from tests.reproduce.conftest import Trainer
from tests.reproduce.studies import P20, P56, SMALL, planned
from tests.reproduce.trainer import a_record


def until(true: object) -> None:
    end = time.monotonic() + PATIENCE
    while not true():  # type: ignore[operator]
        assert time.monotonic() < end, "it never came"
        time.sleep(0.01)


def test_runs_are_trained_once_and_skipped_then(rescli: Rescli, trainer: Trainer, tmp_path: Path) -> None:
    first = rescli("reproduce", "fig1", *SMALL, "--out", tmp_path)
    assert first.code == 0, first.err
    assert "deeper plain nets have higher test error (Fig. 1, Fig. 6 left): yes" in first.out
    assert "plain-20 11.00 %, plain-56 12.80 % (+1.80 points, n = 1)" in first.out
    assert "64 of the paper's 64,000 iterations" in first.out.splitlines()[0]
    assert {path.name for path in tmp_path.glob("fig1.*")} == {"fig1.svg", "fig1.pdf", "fig1.md", "fig1.json"}
    before = (tmp_path / f"{P20}.h5").read_bytes()
    again = rescli("reproduce", "fig1", "--out", tmp_path, "--json")  # scale and images are the study's
    assert again.code == 0, again.err
    assert again.document["runs"]["finished"] == [P20, P56]
    assert again.document["elements"][0]["verdicts"][1]["answer"] == "yes"
    assert again.err.count("finished already") == 2
    assert (tmp_path / f"{P20}.h5").read_bytes() == before


def test_a_failed_run_is_told_and_the_others_go_on(rescli: Rescli, trainer: Trainer, tmp_path: Path) -> None:
    trainer(**{P20: "fail"})
    done = rescli("reproduce", "fig1", *SMALL, "--out", tmp_path)
    assert done.code == 1
    assert "plain-20, seed 0: failed: it went wrong" in done.err
    assert f"1 of 2 runs are finished, 1 failed: {P20}: it went wrong (exit code 1)" in done.err
    assert state_of(planned(tmp_path)[1]).word == "finished"
    assert "not there: plain-20: no finished run" in done.out
    trainer()
    assert rescli("reproduce", "fig1", "--out", tmp_path).code == 0


def test_a_run_that_cannot_begin_is_told_and_the_others_go_on(rescli: Rescli, trainer: Trainer, tmp_path: Path) -> None:
    (tmp_path / f"{P20}.log").mkdir()
    done = rescli("reproduce", "fig1", *SMALL, "--out", tmp_path)
    assert done.code == 1
    assert f"1 of 2 runs are finished, 1 failed: {P20}: {tmp_path / P20}.log: cannot be written" in done.err
    assert state_of(planned(tmp_path)[1]).word == "finished"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no full device here")
def test_a_log_on_a_full_disk_is_no_bug(rescli: Rescli, trainer: Trainer, tmp_path: Path) -> None:
    (tmp_path / f"{P20}.log").symlink_to("/dev/full")
    done = rescli("reproduce", "fig1", *SMALL, "--out", tmp_path)
    assert (done.code, "No space left on device" in done.err, "bug" in done.err) == (1, True, False)


def test_a_figure_that_cannot_be_written_hides_no_run_and_no_other_element(
    rescli: Rescli, trainer: Trainer, tmp_path: Path
) -> None:
    (tmp_path / "fig1.md").mkdir()
    done = rescli("reproduce", "fig1", "gradients", *SMALL, "--depth", "20", "--out", tmp_path)
    assert done.code == 4
    assert "2 of 2 runs are finished, but fig1 was not drawn" in done.err
    assert (tmp_path / "gradients.md").exists()


def test_after_a_signal_nothing_is_written_over_what_is_there(
    rescli: Rescli, trainer: Trainer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert rescli("reproduce", "fig1", *SMALL, "--out", tmp_path).code == 0
    before = {path: path.read_bytes() for path in tmp_path.glob("fig1.*")}
    assert len(before) == 4
    stop, asked = StopSignals(), list[str]()

    def interrupted(element: Element, *_: object) -> Measured:
        asked.append(element.name)
        stop.received = signal.SIGINT
        return Measured()

    monkeypatch.setattr("rescli.reproduce.measuring.measure", interrupted)
    elements = {element("fig1"): planned(tmp_path), element("gradients"): planned(tmp_path)}
    settings = Settings(dataset="synthetic", scale=0.001)
    ledger, results = conduct(Order(elements=elements, settings=settings, folder=tmp_path), stop, lambda _: None)
    assert (results, asked, len(ledger.finished)) == ([], ["fig1"], 2)
    assert {path: path.read_bytes() for path in tmp_path.glob("fig1.*")} == before


def test_a_copy_of_a_run_is_no_second_seed(rescli: Rescli, trainer: Trainer, tmp_path: Path) -> None:
    assert rescli("reproduce", "fig1", *SMALL, "--out", tmp_path).code == 0
    shutil.copy(tmp_path / f"{P20}.h5", tmp_path / "a copy.h5")
    (tmp_path / "old").mkdir()
    shutil.copy(tmp_path / f"{P20}.h5", tmp_path / "old" / "another.h5")
    done = rescli("reproduce", "fig1", "--out", tmp_path)
    assert "(+1.80 points, n = 1)" in done.out
    assert f"a copy.h5: the same recipe and seed as {tmp_path / P20}.h5" in done.err
    assert "another.h5" not in done.err
    summaries = tmp_path / "summaries"
    assert rescli("reproduce", "summarize", tmp_path, "--out", summaries).code == 0
    assert {path.stem for path in summaries.glob("*.json")} == {P20, P56}
    refused = rescli("reproduce", "summarize", tmp_path, "--out", tmp_path)
    assert (refused.code, (tmp_path / f"{P20}.json").exists()) == (2, False)


def test_runs_in_another_precision_are_said_not_to_be_compared(
    rescli: Rescli, trainer: Trainer, tmp_path: Path
) -> None:
    assert rescli("reproduce", "fig6-left", *SMALL, "--out", tmp_path).code == 0
    recipe = CifarRecipe(depth=32, plain=True, dataset="synthetic", iterations=64, precision="bf16").resolved()
    write_run(tmp_path / "synthetic-plain32-64-seed0.h5", a_record(recipe, 64, "finished"))
    done = rescli("reproduce", "fig6-left", "--out", tmp_path)
    assert "plain-32, seed 0: not compared, computed in bf16 and the others in fp32" in done.out


def test_a_run_that_is_killed_has_failed_with_the_signal_named(
    rescli: Rescli, trainer: Trainer, tmp_path: Path
) -> None:
    trainer(**{P20: "die"})
    done = rescli("reproduce", "fig1", *SMALL, "--out", tmp_path)
    assert done.code == 1
    assert "SIGKILL" in done.err
    assert state_of(planned(tmp_path)[0]).word == "stopped"


@pytest.mark.parametrize(("number", "code"), [("SIGTERM", 75), ("SIGUSR1", 75), ("SIGHUP", 75), ("SIGINT", 130)])
def test_a_signal_reaches_the_runs_and_the_same_command_goes_on(
    number: str, code: int, rescli: Rescli, trainer: Trainer, tmp_path: Path
) -> None:
    trainer(**{P20: "hang", P56: "hang"})
    run = planned(tmp_path)[0]

    def stop() -> None:
        until(lambda: state_of(run).word == "running" and run.path.exists())
        os.kill(os.getpid(), signal.Signals[number])

    thread = threading.Thread(target=stop)
    thread.start()
    done = rescli("reproduce", "fig1", *SMALL, "--out", tmp_path)
    thread.join()
    assert done.code == code
    assert f"{number}: 0 of 2 runs are finished, 1 has a checkpoint, 1 has not begun" in done.err
    assert "Go on: rescli reproduce fig1 --dataset synthetic" in done.err
    assert done.out == ""
    assert state_of(run).word == "stopped"
    trainer()
    again = rescli("reproduce", "fig1", "--out", tmp_path)
    assert again.code == 0, again.err
    assert "plain-20, seed 0: goes on after iteration 32" in again.err


@pytest.mark.parametrize("second", ["SIGTERM", "SIGHUP"])
def test_a_signal_after_ctrl_c_is_no_second_ctrl_c(second: str, trainer: Trainer, tmp_path: Path) -> None:
    """The runs are at their checkpoints when the terminal is closed, or the time of the job is over."""
    trainer(**{P20: "linger"})
    run = planned(tmp_path)[0]

    def stop() -> None:
        until(lambda: state_of(run).word == "running" and run.path.exists())
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(4 * ECHO)
        os.kill(os.getpid(), signal.Signals[second])

    thread = threading.Thread(target=stop)
    with StopSignals() as heard:
        thread.start()
        ledger = Runner([run], [Place()], heard, lambda _: None).carry_out()
        thread.join()
    assert (ledger.stopped, heard.count) == ([run], 2)
    assert state_of(run).word == "stopped", run.log.read_text()


def test_ctrl_c_held_down_leaves_no_run_behind(trainer: Trainer, tmp_path: Path) -> None:
    """The second one leaves at once, and the third comes before the runs have been told."""
    trainer(**{P20: "linger"})
    run = planned(tmp_path)[0]

    def stop() -> None:
        until(lambda: state_of(run).word == "running" and run.path.exists())
        for seconds in (4 * ECHO, ECHO / 2, 0):
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(seconds)

    thread = threading.Thread(target=stop)

    def to_the_last_of_them(one: Runner) -> None:
        thread.start()
        try:
            one.carry_out()
        finally:
            thread.join()

    with StopSignals() as heard:
        interrupted = Runner([run], [Place()], heard, lambda _: None)
        with pytest.raises(KeyboardInterrupt):
            to_the_last_of_them(interrupted)
    (child,) = interrupted._children
    child.process.wait(PATIENCE)
    assert child.process.returncode not in (0, 130), "it left with a checkpoint, for nobody told it not to"


def test_what_another_process_is_at_work_on_is_left_to_it(rescli: Rescli, trainer: Trainer, tmp_path: Path) -> None:
    trainer(**{P20: "hang"})
    run = planned(tmp_path)[0]
    command = [sys.executable, "-m", "tests.reproduce.trainer", *run.arguments()]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as other:
        try:
            until(lambda: state_of(run).word == "running" and run.path.exists())
            done = rescli("reproduce", "fig1", *SMALL, "--out", tmp_path)
            assert done.code == 75, done.err
            assert "1 of 2 runs are finished, others are at work on the rest" in done.err
            assert f"process {other.pid}" in done.err
            waiting = threading.Timer(0.5, lambda: other.send_signal(signal.SIGTERM))
            waiting.start()
            trainer()
            done = rescli(
                "reproduce", "fig1", "--wait", "--out", tmp_path
            )  # takes it up where the other one has left it
            waiting.join()
        finally:
            other.terminate()  # it waits for a signal, also where something else has failed
    assert done.code == 0, done.err
    assert "goes on after iteration 32" in done.err


def test_two_studies_at_once_share_the_work(trainer: Trainer, tmp_path: Path) -> None:
    runs = plan([element("fig6-left")], Settings(dataset="synthetic", scale=0.001), tmp_path, seeds=2)
    studies = [Runner(runs, [Place()], StopSignals(), lambda _: None, wait=True) for _ in range(2)]
    threads = [threading.Thread(target=one.carry_out) for one in studies]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for one in studies:
        assert {run.name for run in one.ledger.finished} == {run.name for run in runs}
        assert not one.ledger.failed
    assert all(state_of(run).word == "finished" for run in runs)


def test_who_comes_second_leaves_a_run_alone(trainer: Trainer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both found the run free: the lock decides, and the one that does not get it does not call that a failure."""
    trainer(**{P20: "hang"})
    run = planned(tmp_path)[0]
    command = [sys.executable, "-m", "tests.reproduce.trainer", *run.arguments()]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as other:
        until(lambda: state_of(run).word == "running" and run.path.exists())
        looks = iter([State(word="missing")])
        monkeypatch.setattr(runner, "state_of", lambda run: next(looks, None) or state_of(run))
        ledger = Runner([run], [Place()], StopSignals(), lambda _: None).carry_out()
        other.kill()
    assert (ledger.failed, list(ledger.elsewhere)) == ({}, [run])


@pytest.mark.parametrize("gives_back", [True, False])
def test_a_lock_whose_holder_has_not_said_who_it_is(trainer: Trainer, tmp_path: Path, gives_back: bool) -> None:
    """Between taking the lock and saying so a process is nobody; one that never says so is a failure, not for ever a race."""
    run = planned(tmp_path)[0]
    other = FileLock(tmp_path / f"{P20}.h5.lock", thread_local=False)
    other.acquire()
    lines: list[str] = []

    def tell(line: str) -> None:
        lines.append(line)
        if gives_back and line.endswith("another process is at work on it"):
            other.release()

    ledger = Runner([run], [Place()], StopSignals(), tell).carry_out()
    other.release()
    if gives_back:
        assert (ledger.finished, ledger.failed) == ([run], {})
    else:
        assert ledger.failed == {run: f"{run.path}: in use by another process (exit code 4)"}
        assert sum(line.endswith("is at work on it") for line in lines) == runner.TRIES


def test_a_process_of_another_machine_may_be_dead(
    trainer: Trainer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who waits tries again now and then: the lock goes with the process, what it wrote beside the lock does not."""
    monkeypatch.setattr(runner, "AGAIN", 0.2)
    run = planned(tmp_path)[0]
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr("socket.gethostname", lambda: "another machine")
        owner.announce(run.path, "rescli train cifar")
    other = FileLock(tmp_path / f"{P20}.h5.lock", thread_local=False)
    other.acquire()
    tries: list[str] = []

    def tell(line: str) -> None:
        tries.append(line)
        if sum("is at work on it" in one for one in tries) == 2:
            other.release()  # its machine has died

    ledger = Runner([run], [Place()], StopSignals(), tell, wait=True).carry_out()
    assert (ledger.finished, ledger.failed) == ([run], {})


def test_an_error_before_the_lock_is_told_whoever_is_believed_to_have_it(
    trainer: Trainer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A container that has died leaves its word beside the lock, and the next one has another host's name."""
    trainer(**{P20: "refuse"})
    run = planned(tmp_path)[0]
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr("socket.gethostname", lambda: "another machine")
        owner.announce(run.path, "rescli train cifar")
    ledger = Runner([run], [Place()], StopSignals(), lambda _: None).carry_out()
    assert (ledger.failed, ledger.elsewhere) == ({run: "backend 'cuda' failed (exit code 5)"}, {})


def test_a_run_of_another_recipe_is_not_trained_to_its_end(rescli: Rescli, trainer: Trainer, tmp_path: Path) -> None:
    recipe = CifarRecipe(
        depth=20, plain=True, dataset="synthetic", iterations=64, precision="fp32", learning_rate=0.01
    ).resolved()
    write_run(tmp_path / f"{P20}.h5", a_record(recipe, 32, "stopped"))
    before = (tmp_path / f"{P20}.h5").read_bytes()
    done = rescli("reproduce", "fig1", *SMALL, "--out", tmp_path)
    assert done.code == 1
    assert "plain-20, seed 0: cannot be trained" in done.err
    assert f"{tmp_path / P20}.h5 holds another run: learning_rate 0.01" in done.err
    assert ((tmp_path / f"{P20}.h5").read_bytes(), (tmp_path / f"{P20}.log").exists()) == (before, False)
    assert state_of(planned(tmp_path)[1]).word == "finished"
    estimated = rescli("reproduce", "fig1", "--dry-run", "--out", tmp_path)
    assert (estimated.code, "holds another run: learning_rate 0.01" in estimated.err) == (4, True)


def test_a_run_in_another_precision_is_not_the_one_that_was_asked_for(
    rescli: Rescli, trainer: Trainer, tmp_path: Path
) -> None:
    recipe = CifarRecipe(depth=20, plain=True, dataset="synthetic", iterations=64, precision="bf16").resolved()
    write_run(tmp_path / f"{P20}.h5", a_record(recipe, 64, "finished"))
    done = rescli("reproduce", "fig1", *SMALL, "--precision", "fp32", "--out", tmp_path)
    assert (done.code, "holds another run: precision bf16" in done.err) == (1, True)


def test_side_by_side_each_has_its_part_of_the_processor(rescli: Rescli, trainer: Trainer, tmp_path: Path) -> None:
    done = rescli("reproduce", "fig1", *SMALL, "--out", tmp_path, "--jobs", "2", "--backend", "cpu")
    assert done.code == 0, done.err
    share = max(1, len(os.sched_getaffinity(0)) // 2)
    for run in planned(tmp_path):
        assert f"trained with {share} threads on None" in run.log.read_text()


def test_a_log_that_was_taken_away_says_nothing(tmp_path: Path) -> None:
    run = planned(tmp_path)[0]
    with subprocess.Popen(["true"]) as process:
        child = Child(run=run, place=Place(), process=process, began=0.0, start=0)
    assert child.last_words() == ""
