"""What can go wrong, each kind with its exit code and a next step for the user.

Everything a user can meet is a `RescliError`; `rescli.cli` turns it into one or two lines and an exit code. Any other
exception is a bug in rescli.
"""

from __future__ import annotations

from typing import ClassVar


class RescliError(Exception):
    """Something failed. `message` says what and where, `hint` what to do next (may be empty). Exit code 1."""

    exit_code: ClassVar[int] = 1
    label: ClassVar[str] = "Error"

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.told = False
        """Whether another process of the same job has told the user already."""

    def __str__(self) -> str:
        return f"{self.message}\n{self.hint}" if self.hint else self.message


class UsageError(RescliError):
    """The command line, the environment or a configuration file asks for something that makes no sense. Exit code 2."""

    exit_code = 2


class DataError(RescliError):
    """A data set is missing or damaged. Exit code 3."""

    exit_code = 3


class StoreError(RescliError):
    """A run store cannot be read or written, or another process holds it. Exit code 4."""

    exit_code = 4


class BackendError(RescliError):
    """A backend or device is not available here, or cannot do what was asked of it. Exit code 5."""

    exit_code = 5


class StoppedEarly(RescliError):
    """A signal asked the run to stop; a checkpoint was written and the run can go on. Exit code 75 (EX_TEMPFAIL)."""

    exit_code = 75
    label = "Stopped"


class Interrupted(RescliError):
    """Ctrl-C. Exit code 130."""

    exit_code = 130
    label = "Stopped"


REASONS = "RESCLI_REASONS"
"""The variable in which `--devices` names its processes a folder: each leaves there what was wrong, for the one JSON document.

The files are called after the processes' ranks."""

NO_MEMORY = (
    "can't allocate memory",
    "CUDA error: out of memory",
    "'out of memory'",
    "_ALLOC_FAILED",
    "ALLOCATION_FAILED",
)
"""How PyTorch's allocator for processors, CUDA itself, NCCL, and cuBLAS and cuDNN say it."""


def out_of_memory(error: BaseException) -> bool:
    """Whether memory ran out, on the processor or on a device, whichever way Python or PyTorch say it."""
    named = isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError"
    return named or (isinstance(error, RuntimeError) and any(words in str(error) for words in NO_MEMORY))


def failure(error: Exception) -> RescliError | None:
    """What a user can meet: the error itself, or that memory ran out. None for a bug."""
    if isinstance(error, RescliError):
        return error
    return (
        RescliError("out of memory", "Try a smaller --batch-size, or another --precision.")
        if out_of_memory(error)
        else None
    )
