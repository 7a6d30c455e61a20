"""Runs collected, grouped, tabulated and judged."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from rescli.analysis.claims import claims
from rescli.analysis.collect import collect, expand
from rescli.analysis.compare import compare
from rescli.analysis.degradation import degradation, degradation_table
from rescli.analysis.groups import group
from rescli.analysis.run import read
from rescli.analysis.table import Footnotes, mean_std
from rescli.analysis.table6 import table6
from rescli.analysis.verdict import signed, told
from rescli.errors import StoreError
from rescli.store.reader import read_run
from rescli.store.record import RunRecord
from rescli.store.writer import write_run
from tests.analysis.runs import a_run
from tests.data.packs import folder, packed
from tests.store.samples import damage, saved


def test_files_folders_and_patterns(tmp_path: Path) -> None:
    first, second = a_run(tmp_path / "a" / "one.h5"), a_run(tmp_path / "b" / "two.h5", depth=32)
    assert [run.path for run in collect([tmp_path]).runs] == [first, second]
    assert [run.path for run in collect([f"{tmp_path}/*/t*.h5", first]).runs] == [second, first]
    assert [run.path for run in collect([first, tmp_path / "a", first]).runs] == [first]
    assert expand([str(tmp_path), "cifar-resnet20"]) == [str(first), str(second), "cifar-resnet20"]
    packed(folder(tmp_path / "images"), tmp_path / "a" / "images.h5")
    assert [run.path for run in collect([tmp_path / "a"]).runs] == [first]
    with pytest.raises(StoreError, match="no run stores there"):
        collect([f"{tmp_path}/nosuch*.h5"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(StoreError, match="empty: no run stores"):
        collect([tmp_path / "empty"])


def test_what_is_skipped_is_said(tmp_path: Path) -> None:
    a_run(tmp_path / "good.h5")
    damage(a_run(tmp_path / "damaged.h5"))
    (tmp_path / "text.h5").write_text("no run")
    saved(tmp_path / "foreign.h5")  # a store with a recipe that nobody knows

    found = collect([tmp_path, tmp_path / "missing.h5"])

    assert [run.path.name for run in found.runs] == ["good.h5"]
    reasons = {one.path.name: one.why for one in found.skipped}
    assert "do not match their digest" in reasons["damaged.h5"]
    assert "not a run store" in reasons["text.h5"]
    assert "unknown recipe keys" in reasons["foreign.h5"]
    assert set(reasons) == {"damaged.h5", "text.h5", "foreign.h5", "missing.h5"}
    with pytest.raises(StoreError, match=r"damaged\.h5: .*and 1 more"):
        collect([tmp_path, tmp_path / "missing.h5"], strict=True)
    with pytest.raises(StoreError, match=r"text\.h5"):
        collect([tmp_path / "text.h5"])


def test_table6_as_the_paper_prints_it(tmp_path: Path) -> None:
    for seed, error in enumerate((6.43, 6.61, 6.79)):
        a_run(tmp_path / f"r110-{seed}.h5", depth=110, seed=seed, error=error)
    a_run(tmp_path / "r20.h5", depth=20, error=8.75)

    table = table6(collect([tmp_path]).runs)

    assert table.rows[:2] == (
        ("Maxout", "", "", "", "", "9.38", ""),
        ("NIN", "", "", "", "", "8.81", ""),
    )
    assert table.rows[-2:] == (
        ("ResNet", "20", "0.27M", "1", "8.75", "8.75", ""),
        ("ResNet", "110", "1.7M", "3", "6.43 (6.61±0.18)", "6.43 (6.61±0.16)", ""),
    )
    assert table.notes == ("error: best of n seeds by test error (mean±std); in %, of the last evaluation of a run",)
    assert (table.exact[-1]["best"], table.exact[-1]["n"], table.exact[-1]["seeds"]) == (6.43, 3, [0, 1, 2])


def test_what_is_not_the_papers_is_marked_and_never_mixed_in(tmp_path: Path) -> None:
    a_run(tmp_path / "paper.h5", error=8.75)
    a_run(tmp_path / "seed.h5", error=8.85, seed=1)
    a_run(tmp_path / "short.h5", error=16.0, iterations=4000)
    a_run(tmp_path / "stopped.h5", error=30.0, seed=2, done=32_000)
    a_run(tmp_path / "held.h5", error=7.0, seed=3, validation=5000)
    a_run(tmp_path / "bf16.h5", error=8.8, precision="bf16")

    runs = collect([tmp_path]).runs
    rows = {row[4]: row[6] for row in table6(runs).rows if row[0] == "ResNet"}
    notes = "\n".join(table6(runs).notes)

    assert set(rows) == {"8.75 (8.80±0.07)", "8.80", "16.00", "30.00", "7.00"}
    assert rows["8.75 (8.80±0.07)"] == ""
    assert f"{rows['16.00']}: iterations 4,000 (paper: 64,000)" in notes
    assert f"{rows['30.00']}: stopped after 32,000 of 64,000 iterations" in notes
    assert "error on held-out training images" in notes
    assert "validation 5,000 (paper: 0)" in notes
    assert "precision (paper: fp32): bf16" in notes
    assert [len(one.runs) for one in group(runs)].count(2) == 1


def test_how_often_a_run_was_looked_at_makes_no_experiment(tmp_path: Path) -> None:
    a_run(tmp_path / "a.h5", eval_every=1000)
    a_run(tmp_path / "b.h5", eval_every=2000, seed=1)
    assert len(group(collect([tmp_path]).runs)) == 1


def test_the_training_error_is_the_mean_of_the_last_64th(tmp_path: Path) -> None:
    run = read(a_run(tmp_path / "run.h5", train_error=0.0))
    errors = run.metrics["train"]["error"]
    errors[-10:] = range(10)  # 100 iterations a row: the last 1,000
    errors[-11] = 99.0
    assert run.train_error == pytest.approx(4.5)
    assert run.error == 9.0


def test_a_short_last_row_weighs_less(tmp_path: Path) -> None:
    run = read(a_run(tmp_path / "run.h5", train_error=0.0))
    rows = run.metrics["train"]
    rows["error"][-10:] = range(10)
    rows["iteration"][-1] -= 50  # so that it has half the images of the others, and of one more row a half counts whole
    assert run.train_error == pytest.approx((sum(range(9)) + 9 / 2) / 10.5)


def test_runs_side_by_side_show_only_what_differs(tmp_path: Path) -> None:
    a, b = a_run(tmp_path / "a.h5", error=8.75), a_run(tmp_path / "b.h5", error=9.5, weight_decay=5e-4, seed=1)
    table = compare([read(a), read(b)])
    rows = {row[0]: row[1:] for row in table.rows}
    assert rows["weight_decay"] == ("0.0001", "0.0005")
    assert rows["seed"] == ("0", "1")
    assert rows["test error"] == ("8.75 %", "9.50 %")
    assert "learning_rate" not in rows
    assert "device" not in rows
    same = compare([read(a), read(a)])
    assert same.notes == ("the recipes are equal",)


def paper(folder: Path) -> None:
    """Runs with the paper's own errors."""
    for depth, error in {20: 8.75, 32: 7.51, 44: 7.17, 56: 6.97, 110: 6.43, 1202: 7.93}.items():
        ended = 400 if depth >= 110 else None
        a_run(folder / f"r{depth}.h5", depth=depth, error=error, train_error=0.05, warmup_ended=ended)
    for depth, error in {20: 9.5, 56: 13.0, 110: 70.0}.items():
        a_run(folder / f"p{depth}.h5", depth=depth, plain=True, error=error, train_error=error - 5, warmup_ended=None)


def test_the_papers_own_numbers_agree_with_the_paper(tmp_path: Path) -> None:
    paper(tmp_path)
    verdicts = claims(collect([tmp_path]).runs)
    answers = {one.claim: one.answer for one in verdicts}
    assert [one for one in answers.values() if one != "cannot tell"] == ["yes"] * 9
    assert all(not one.caveats for one in verdicts)
    first = verdicts[0]
    assert first.numbers[0] == "plain-20 4.50 %, plain-56 8.00 % (+3.50 points, n = 1)"


def test_the_opposite_is_no_and_a_part_of_it_mixed(tmp_path: Path) -> None:
    a_run(tmp_path / "p20.h5", plain=True, train_error=5.0, error=9.0)
    a_run(tmp_path / "p32.h5", depth=32, plain=True, train_error=4.0, error=10.0)
    a_run(tmp_path / "p44.h5", depth=44, plain=True, train_error=6.0, error=11.0)
    a_run(tmp_path / "r20.h5", error=9.5)
    a_run(tmp_path / "r32.h5", depth=32, error=9.6)
    found = degradation(collect([tmp_path]).runs)
    assert [one.answer for one in found] == ["mixed", "yes", "no", "mixed"]


def test_only_what_can_be_compared_is_compared(tmp_path: Path) -> None:
    a_run(tmp_path / "p20.h5", plain=True)
    a_run(tmp_path / "p56.h5", depth=56, plain=True, iterations=4000)
    a_run(tmp_path / "r20.h5", done=60_000)
    a_run(tmp_path / "r56.h5", depth=56)
    found = degradation(collect([tmp_path]).runs)
    assert {one.answer for one in found} == {"cannot tell"}
    assert len(degradation_table(collect([tmp_path]).runs).rows) == 4


def test_caveats_travel_with_the_verdict(tmp_path: Path) -> None:
    for depth in (20, 56):
        a_run(tmp_path / f"p{depth}.h5", depth=depth, plain=True, iterations=4000, train_error=float(depth))
    first = degradation(collect([tmp_path]).runs)[0]
    assert (first.answer, first.caveats) == ("yes", ("iterations 4,000 (paper: 64,000)",))


def test_best_mean_and_deviation() -> None:
    assert mean_std([]) == ""
    assert mean_std([8.75]) == "8.75"
    assert mean_std([1.0, 2.0, 3.0]) == "1.00 (2.00±1.00)"  # by n - 1


def test_footnotes_have_letters() -> None:
    notes = Footnotes()
    assert notes.mark(["x", "y"]) == "a,b"
    assert notes.mark([str(number) for number in range(25)]).endswith("aa")
    assert notes.mark(["y", "x"]) == "a,b"


def test_the_1202_layer_net_is_compared_with_one_of_its_own_shortcuts(tmp_path: Path) -> None:
    a_run(tmp_path / "r110b.h5", depth=110, shortcut="B", error=6.0)
    a_run(tmp_path / "r1202.h5", depth=1202, error=7.9)
    found = {one.claim: one.answer for one in claims(collect([tmp_path]).runs)}
    assert found["the 1202-layer net has higher test error than the one with 110 layers"] == "cannot tell"


def test_a_warm_up_of_another_kind_is_another_training(tmp_path: Path) -> None:
    """The paper's warm-up goes with the depth; others do not, and no depth is compared with itself."""
    a_run(tmp_path / "r56.h5", depth=56, error=7.0)
    a_run(tmp_path / "r110.h5", depth=110, error=6.6)
    a_run(tmp_path / "fast.h5", depth=110, error=6.9, warmup_lr=0.05)
    a_run(tmp_path / "early.h5", depth=110, error=6.9, warmup_error=90.0)
    (verdict,) = [one for one in claims(collect([tmp_path]).runs) if one.claim.startswith("deeper residual")]
    assert (verdict.answer, verdict.numbers) == (
        "yes",
        ("ResNet-56 7.00 %, ResNet-110 6.60 % (-0.40 points, n = 1)",),
    )


def test_a_training_error_over_more_than_the_last_64th_is_none(tmp_path: Path) -> None:
    fine, coarse = a_run(tmp_path / "a.h5"), a_run(tmp_path / "b.h5", log_every=64_000, seed=1)
    one, other = read(fine), read(coarse)
    assert other.experiment() == one.experiment()
    assert one.train_error is not None
    assert other.train_error is None
    assert other.marks() == (), "nothing else of it is different"
    assert read(a_run(tmp_path / "c.h5", log_every=1000)).train_error is not None
    assert read(a_run(tmp_path / "d.h5", iterations=100)).train_error is not None, "10 iterations a row, 1/64 is one"


def test_links_and_other_ways_to_a_run_are_no_second_seed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = a_run(tmp_path / "runs" / "a.h5")
    (tmp_path / "runs" / "best.h5").symlink_to("a.h5")
    monkeypatch.chdir(tmp_path)
    assert [run.path for run in collect(["runs"]).runs] == [Path("runs/a.h5")]
    assert [run.path for run in collect(["runs/a.h5", path, "runs/../runs/best.h5"]).runs] == [Path("runs/a.h5")]


def test_claims_about_a_training_error_need_one(tmp_path: Path) -> None:
    a_run(tmp_path / "p110.h5", depth=110, plain=True, train_error=70.0, log_every=64_000)
    a_run(tmp_path / "r1202.h5", depth=1202, train_error=0.05, log_every=64_000)
    answers = {one.claim: one.answer for one in claims(collect([tmp_path]).runs)}
    about = [answer for claim, answer in answers.items() if "above 60 %" in claim or "fits the training" in claim]
    assert about == ["cannot tell", "cannot tell"]


def test_n_is_how_many_errors_were_averaged(tmp_path: Path) -> None:
    for seed, log_every in ((0, 100), (1, 64_000)):
        for depth, error in ((20, 9.0), (56, 12.0)):
            a_run(
                tmp_path / f"{depth}-{seed}.h5",
                depth=depth,
                plain=True,
                seed=seed,
                error=error,
                train_error=error,
                log_every=log_every,
            )
    training, test = degradation(collect([tmp_path]).runs)[:2]
    assert training.numbers == ("plain-20 9.00 %, plain-56 12.00 % (+3.00 points, n = 1)",)
    assert test.numbers == ("plain-20 9.00 %, plain-56 12.00 % (+3.00 points, n = 2)",)


def test_a_link_that_comes_first_is_not_the_name_of_the_run(tmp_path: Path) -> None:
    path = a_run(tmp_path / "resnet20-seed0.h5")
    (tmp_path / "best.h5").symlink_to(path.name)
    assert [run.path for run in collect([tmp_path]).runs] == [path]


def test_equal_means_are_a_tie_whatever_their_sums_were_rounded_to(tmp_path: Path) -> None:
    for depth, errors in ((20, (8.70, 8.96)), (56, (8.79, 8.87))):
        for seed, error in enumerate(errors):
            a_run(tmp_path / f"r{depth}-{seed}.h5", depth=depth, seed=seed, error=error)
    deeper = degradation(collect([tmp_path]).runs)[2]
    assert deeper.answer == "no", "no lower"
    assert deeper.numbers == ("ResNet-20 8.83 %, ResNet-56 8.83 % (+0.00 points, n = 2)",)


def test_what_is_half_a_point_apart_is_within_half_a_point(tmp_path: Path) -> None:
    for seed, (warm, cold) in enumerate([(7.11, 7.61)] * 3):
        a_run(tmp_path / f"warm{seed}.h5", depth=110, seed=seed, error=warm)
        a_run(tmp_path / f"cold{seed}.h5", depth=110, seed=seed, error=cold, warmup=False)
    found = {one.claim: one for one in claims(collect([tmp_path]).runs)}
    verdict = found["without the warm-up ResNet-110 reaches similar test error (within 0.5 points)"]
    assert (verdict.answer, verdict.numbers) == ("yes", ("with 7.11 %, without 7.61 % (+0.50 points, n = 3)",))


def test_table_6_is_reproduced_within_half_a_point_or_it_is_not(tmp_path: Path) -> None:
    """By runs of the paper's own recipe and length; of 110 layers the paper's mean of five runs counts."""

    def close() -> tuple[str, tuple[str, ...]]:
        verdict = next(one for one in claims(collect([tmp_path]).runs) if one.where == "Table 6")
        return verdict.answer, verdict.numbers

    a_run(tmp_path / "short.h5", depth=20, error=8.75, iterations=4000)
    assert close() == ("cannot tell", ())
    a_run(tmp_path / "r20.h5", depth=20, error=9.25)
    a_run(tmp_path / "r110.h5", depth=110, error=6.20)
    a_run(tmp_path / "r1202.h5", depth=1202, error=9.9)
    assert close() == (
        "yes",
        (
            "ResNet-20 9.25 %, the paper's 8.75 % (+0.50 points, n = 1)",
            "ResNet-110 6.20 %, the paper's 6.61 % (-0.41 points, n = 1)",
        ),
    )
    a_run(tmp_path / "r56.h5", depth=56, error=7.48)
    assert close()[0] == "mixed"


def test_another_generation_of_a_run_is_no_second_seed(tmp_path: Path) -> None:
    """Nor is it in what a shell makes of `runs/*`; by itself it may be looked at."""
    run = a_run(tmp_path / "r.h5")
    previous, lock = tmp_path / "r.h5.prev", tmp_path / "r.h5.lock"
    previous.write_bytes(run.read_bytes())
    lock.touch()
    assert [one.path for one in collect([f"{tmp_path}/r*"], strict=True).runs] == [run]
    found = collect([run, lock, previous])
    assert [one.path for one in found.runs] == [run]
    assert {one.path: one.why for one in found.skipped} == dict.fromkeys(
        (lock, previous), f"belongs to {run} and is no other run"
    )
    assert [one.path for one in collect([previous]).runs] == [previous]


def test_a_run_that_ends_while_it_is_read_has_its_last_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = a_run(tmp_path / "r.h5", error=50.0, done=32_000)
    write_run(path, replace(read_run(path), status="running"))
    reads: list[str] = []

    def slow(path: Path, *, tensors: bool = True) -> RunRecord:
        record = read_run(path, tensors=tensors)
        if not reads:
            a_run(path, error=9.0)
        reads.append(record.status)
        return record

    monkeypatch.setattr("rescli.store.reader.read_run", slow)
    run = read(path)
    assert (run.status, run.iteration, run.error) == ("finished", 64_000, 9.0)
    assert reads == ["running", "finished"]


def test_a_folder_may_be_called_like_a_companion(tmp_path: Path) -> None:
    runs = [a_run(tmp_path / "study" / "a.h5"), a_run(tmp_path / "study.prev" / "b.h5", seed=1)]
    assert [run.path for run in collect([f"{tmp_path}/*"]).runs] == runs
    assert expand([str(run.parent) for run in runs]) == [str(run) for run in runs]


def test_what_a_shell_makes_of_a_star_is_one_net(tmp_path: Path) -> None:
    run = a_run(tmp_path / "r.h5")
    names = [str(run), f"{run}.lock", f"{run}.prev"]
    assert expand(names) == [str(run)]
    assert expand(names[2:]) == names[2:]


@pytest.mark.parametrize(
    ("difference", "edge", "words"),
    [
        (3.1, 0.0, "+3.10 points"),
        (0.0, 0.0, "+0.00 points"),
        (-0.003333, 0.0, "-0.003333 points"),
        (0.504, 0.5, "+0.504 points"),
        (0.5, 0.5, "+0.50 points"),
        (-0.504, 0.0, "-0.50 points"),
    ],
)
def test_rounding_hides_no_difference(difference: float, edge: float, words: str) -> None:
    assert signed(difference, edge) == words


@pytest.mark.parametrize(
    ("value", "edge", "words"),
    [
        (0.0996, 0.1, "0.0996"),
        (0.1, 0.1, "0.10"),
        (59.998, 60.0, "59.998"),
        (60.004, 60.0, "60.004"),
        (75.0, 60.0, "75.00"),
    ],
)
def test_rounding_hides_no_side_of_an_edge(value: float, edge: float, words: str) -> None:
    assert told(value, edge) == words


def test_two_files_of_one_seed_are_asked_about(tmp_path: Path) -> None:
    shutil.copy(a_run(tmp_path / "a.h5", error=8.7), tmp_path / "b.h5")
    runs = collect([tmp_path]).runs
    for table in (table6(runs), degradation_table(runs)):
        assert any(line.endswith("2 runs of seed 0: is one a copy?") for line in table.notes)
