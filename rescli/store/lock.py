"""One writer per run. The lock is the operating system's (through filelock), so a killed process gives it back at once."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType

from filelock import FileLock, Timeout

from rescli.errors import StoreError
from rescli.store.files import LOCK, beside, real
from rescli.store.owner import Holder, announce, holder, last_holder, retract
from rescli.store.problems import way_out, why

__all__ = ["IN_USE", "Holder", "RunLock", "holder"]

IN_USE = "in use by"
"""How the error begins, behind the path, of who comes second."""


class RunLock:
    """Holds `run.h5.lock` while in its `with` block. Raises `StoreError` at once if another process has it.

    The empty lock file stays behind and is harmless: removing it would let two processes lock two files of one name. Who holds
    the lock stands in `run.h5.owner`, because some versions of filelock truncate the lock file.
    """

    def __init__(self, path: Path | str, *, command: str | None = None) -> None:
        self.path = Path(path)
        self._target = real(path)
        self._command = command
        self._lock = FileLock(beside(self._target, LOCK), thread_local=False)

    def acquire(self) -> None:
        """Take the lock. Raises `StoreError` if it is taken or cannot be made."""
        if not self._target.parent.is_dir():  # filelock would make the folder, however mistyped
            raise StoreError(
                f"{self.path}: cannot be locked for writing: its folder does not exist",
                "Make the folder first, or check the path.",
            )
        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            if not beside(self._target, LOCK).exists():  # filelock takes a folder that refuses new files for a race
                raise StoreError(
                    f"{self.path}: no lock can be made beside it", "Name another file with --out."
                ) from None
            raise self._in_use() from None
        except (OSError, NotImplementedError) as error:
            reason = why(error) if isinstance(error, OSError) else "its file system has no locks"
            hint = way_out(error) if isinstance(error, OSError) else "Write to another file system with --out."
            raise StoreError(f"{self.path}: cannot be locked for writing: {reason}", hint) from error
        announce(self._target, self._command)

    def release(self) -> None:
        """Give the lock back."""
        if self._lock.is_locked:
            retract(self._target)
            self._lock.release()

    def __enter__(self) -> RunLock:
        self.acquire()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    def _in_use(self) -> StoreError:
        who = holder(self._target) or last_holder(self._target)
        return StoreError(
            f"{self.path}: {IN_USE} {who or 'another process'}",
            "Wait until it ends, stop it (it writes a checkpoint first), or give another path with --out.",
        )
