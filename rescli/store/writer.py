"""Writing run records: at once, or behind the training loop."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from types import TracebackType

from rescli.errors import StoreError
from rescli.store.encode import encode
from rescli.store.record import RunRecord
from rescli.store.replace import replace

__all__ = ["BackgroundWriter", "encode", "replace", "write_run"]


def write_run(path: Path | str, record: RunRecord) -> None:
    """Make `record` the store at `path`. Raises `StoreError` as `encode` and `replace` do."""
    try:
        data = encode(record)
    except StoreError as error:
        raise StoreError(f"{path}: {error.message}", error.hint) from error
    replace(path, data)


class BackgroundWriter:
    """Writes one store at a time in a thread of its own; a context manager that waits for the last write.

    `seconds` is what the last write took. Every write has its own short-lived thread, so there is no queue to drain and
    nothing that could hang when the interpreter ends.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self.seconds = 0.0
        self._thread: threading.Thread | None = None
        self._error: BaseException | None = None

    def submit(self, record: RunRecord, *, copy: bool = True) -> None:
        """Start writing `record`. Waits for the write before, and raises its `StoreError` if it failed.

        The arrays are copied first, so training may go on in the memory behind them; `copy=False` saves that for a caller
        who never touches them again.
        """
        self.flush()
        try:
            record = record.snapshot() if copy else record
        except MemoryError as error:
            raise StoreError(f"{self.path}: could not be written: not enough memory for a copy") from error
        thread = threading.Thread(target=self._write, args=(record,), name="rescli-store-writer")
        thread.start()
        self._thread = thread

    def failed(self) -> bool:
        """Whether a finished write failed and its error waits for the next `submit` or `flush`."""
        return self._error is not None

    def flush(self) -> None:
        """Wait until everything submitted is on the disk. Raises the `StoreError` of a write that failed."""
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        error, self._error = self._error, None
        if error is not None:
            raise error

    def __enter__(self) -> BackgroundWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.flush()
        except StoreError:
            if error is None:  # otherwise the error that ended the run is the one to report
                raise

    def _write(self, record: RunRecord) -> None:
        started = time.perf_counter()
        try:
            write_run(self.path, record)
        except BaseException as error:  # handed to the caller, who alone can act on it
            self._error = error
        finally:
            self.seconds = time.perf_counter() - started


class NoWriter(BackgroundWriter):
    """Writes nothing: of the processes that share a run, only the first one writes its store."""

    def __init__(self) -> None:
        super().__init__(Path())

    def submit(self, record: RunRecord, *, copy: bool = True) -> None:
        """Nothing."""
