"""What answers at once: help, lists and completion load none of the heavy packages."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = {"torch", "torchvision", "numpy", "h5py", "PIL", "pydantic"}

DRIVER = """
import atexit, json, sys
atexit.register(lambda: print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})), file=sys.stderr))
from rescli.cli import main
sys.argv = ["rescli", *sys.argv[1:]]
main()
"""

QUICK = {
    "help": (["--help"], {}, "Usage: rescli"),
    "version": (["--version"], {}, "rescli "),
    "help of a group": (["train", "--help"], {}, "cifar"),
    "help of a command": (["train", "cifar", "--help"], {}, "--depth"),
    "help of another": (["runs", "show", "--help"], {}, "RUN.h5"),
    "help of training on photographs": (["train", "imagenet", "--help"], {}, "--patience"),
    "help of packing": (["data", "pack", "--help"], {}, "--shorter"),
    "list": (["runs", "list", "DIR"], {}, "resnet8 A"),
    "list as JSON": (["runs", "list", "DIR", "--json"], {}, '"network": "resnet8"'),
    "flops": (["flops", "resnet152"], {}, "11,282,415,616 multiply-adds"),
    "flops as JSON": (["flops", "resnet34", "--shortcut", "C", "--json"], {}, "3830747136"),
    "profile": (["profile", "resnet34", "--by", "layer"], {}, "layer4.2.conv2"),
    "build": (["build", "resnet152"], {}, "60,192,808"),
    "list of the paper": (["reproduce", "list", "--out", "DIR"], {}, "fig6-left"),
    "lines of a study": (["reproduce", "table6", "--print", "--out", "DIR"], {}, "--depth 1202"),
    "completion of an element": (
        [],
        {"_RESCLI_COMPLETE": "complete_bash", "COMP_WORDS": "rescli reproduce fig6-l", "COMP_CWORD": "2"},
        "fig6-left",
    ),
    "completion of a network": (
        [],
        {"_RESCLI_COMPLETE": "complete_bash", "COMP_WORDS": "rescli flops cifar-resnet11", "COMP_CWORD": "2"},
        "cifar-resnet110",
    ),
    "completion behind profile": (
        [],
        {"_RESCLI_COMPLETE": "complete_bash", "COMP_WORDS": "rescli profile vgg", "COMP_CWORD": "2"},
        "vgg19",
    ),
    "completion": (
        [],
        {"_RESCLI_COMPLETE": "complete_bash", "COMP_WORDS": "rescli train cifar --de", "COMP_CWORD": "3"},
        "--depth",
    ),
}


@pytest.mark.parametrize("case", QUICK)
def test_answers_without_torch_numpy_and_h5py(case: str, finished: Path) -> None:
    arguments, variables, words = QUICK[case]
    arguments = [str(finished.parent) if word == "DIR" else word for word in arguments]
    done = subprocess.run(
        [sys.executable, "-c", DRIVER, *arguments],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert words in done.stdout
    loaded = set(json.loads(done.stderr.splitlines()[-1]))
    assert "rescli" in loaded
    assert not loaded & HEAVY


@pytest.mark.parametrize("arguments", [["eval", "a", "b"], ["eval", "a", "--scales", "x"]])
def test_a_mistyped_line_waits_for_no_torch(arguments: list[str]) -> None:
    done = subprocess.run([sys.executable, "-c", DRIVER, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "torch" not in json.loads(done.stderr.splitlines()[-1])


def test_nets_for_cifar_load_no_torchvision() -> None:
    """It takes seconds, most of them for PyTorch's compiler. Photographs, and CIFAR's own files, need it."""
    modules = ("train", "evaluate", "dry_run", "trial", "score")
    code = "import sys\n" + "".join(f"import rescli.engine.{one}\n" for one in modules)
    code += (
        "import rescli.backends.cpu, rescli.backends.cuda\nprint({'torchvision', 'torch._dynamo'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "set()\n"


def test_the_driver_notices_what_is_loaded() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import numpy\n" + DRIVER, "--version"], capture_output=True, text=True, check=True
    )
    assert "numpy" in json.loads(done.stderr.splitlines()[-1])
