"""Exit codes are part of the product: the same in the code, the README and the help."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

from rescli import cli, errors

CODES = {
    errors.RescliError: 1,
    errors.UsageError: 2,
    errors.DataError: 3,
    errors.StoreError: 4,
    errors.BackendError: 5,
    errors.StoppedEarly: 75,
    errors.Interrupted: 130,
}


def test_each_kind_has_its_code() -> None:
    kinds = {kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, Exception)}

    assert kinds == set(CODES)
    assert all(kind("what", "next").exit_code == code for kind, code in CODES.items())


def test_the_readme_and_the_help_list_them_all() -> None:
    readme = (Path(__file__).parents[1] / "README.md").read_text()
    table = {int(code) for code in re.findall(r"^\| (\d+) \|", readme, flags=re.MULTILINE)}

    assert table == {0, *CODES.values()}
    assert {int(code) for code in re.findall(r"(\d+) [a-z]", str(cli.app.info.epilog))} == table


def test_an_error_reads_as_what_and_then_what_next() -> None:
    assert str(errors.DataError("it is not there", "Fetch it.")) == "it is not there\nFetch it."
    assert str(errors.DataError("it is not there")) == "it is not there"


def test_lack_of_memory_is_told_from_bugs() -> None:
    exhausted = RuntimeError(
        "[enforce fail at alloc_cpu.cpp:121] . DefaultCPUAllocator: can't allocate memory: you tried to"
    )

    assert errors.out_of_memory(exhausted)
    assert errors.out_of_memory(MemoryError())
    assert errors.out_of_memory(RuntimeError("CUDA error: out of memory\nCUDA kernel errors might be reported later"))
    assert errors.out_of_memory(
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate(handle)")
    )
    assert not errors.out_of_memory(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))


def test_every_option_in_a_message_is_an_option() -> None:
    """Hints that name an option which is not there send people away."""

    def options(command: Any) -> set[str]:
        own = {flag for param in command.params for flag in (*param.opts, *param.secondary_opts)}
        return own.union(*(options(sub) for sub in getattr(command, "commands", {}).values()))

    others = {"--mem", "--standalone", "--nproc-per-node"}  # of batch queues and of torchrun
    others |= {"--array", "--gpus", "--cpus-per-task", "--time", "--signal", "--requeue", "--open-mode"}  # of sbatch
    known = options(cli.command()) | others | {"--help"}
    for path in Path(cli.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", node.value))
                assert named <= known | {"--porcelain", "--untracked-files"}, path
