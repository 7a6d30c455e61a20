"""Where something other than a run is written: runs and packed images are left alone, pipes and links stay what they are."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from rescli.errors import StoreError, UsageError
from rescli.store.header import HEADER_BYTES, IMAGES_MAGIC, pack_block
from rescli.store.target import check_target, put


def test_packed_images_are_not_written_over(tmp_path: Path) -> None:
    path = tmp_path / "images.h5"
    path.write_bytes(pack_block(IMAGES_MAGIC, 1, {}).ljust(HEADER_BYTES, b"\0"))
    with pytest.raises(UsageError, match="one of rescli's own files") as caught:
        check_target(path, "--data")
    assert caught.value.hint == "Name another file: --data."


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is a folder"):
        check_target(tmp_path)
    with pytest.raises(UsageError, match="there is no folder"):
        check_target(tmp_path / "no" / "x.csv")


def test_a_pipe_takes_the_text_and_stays_a_pipe(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    check_target(path)
    found: list[bytes] = []
    reader = threading.Thread(target=lambda: found.append(path.read_bytes()))
    reader.start()
    put(path, b"text")
    reader.join()
    assert found == [b"text"]
    assert path.is_fifo()


def test_a_link_leads_where_it_led(tmp_path: Path) -> None:
    path, link = tmp_path / "a.csv", tmp_path / "link.csv"
    link.symlink_to(path)
    for text in (b"old", b"new"):  # the first finds no file there
        put(link, text)
        assert path.read_bytes() == text
    assert link.is_symlink()


def test_a_device_that_takes_nothing_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "open", full)
    with pytest.raises(StoreError, match="could not be written: No space left on device"):
        put(path, b"text")


@pytest.mark.parametrize("name", ["/dev/stdout", "/dev/fd/{}", "link"])
@pytest.mark.parametrize("how", [">", ">>"])
def test_what_a_shell_has_redirected_to_a_file_is_not_replaced(tmp_path: Path, name: str, how: str) -> None:
    path = tmp_path / "log.txt"
    path.write_bytes(b"precious\n")
    (tmp_path / "link").symlink_to("/dev/stdout")
    said = "from pathlib import Path; from rescli.store.target import put; print('before', flush=True); "
    said += f"put(Path({(str(tmp_path / name) if name == 'link' else name.format(1))!r}), b'new\\n'); print('after')"
    subprocess.run(["/bin/sh", "-c", f'"$0" -c "$1" {how} "$2"', sys.executable, said, path], check=True)
    assert path.read_bytes() == (b"precious\n" if how == ">>" else b"") + b"before\nnew\nafter\n"


def test_a_pipe_that_would_not_wait_is_waited_for(tmp_path: Path) -> None:
    """Whoever started this process may have made it so."""
    read, write = os.pipe2(os.O_NONBLOCK)
    os.set_blocking(read, True)
    found: list[bytes] = []

    def slowly() -> None:
        time.sleep(0.3)
        with os.fdopen(read, "rb") as file:
            found.append(file.read())

    reader = threading.Thread(target=slowly)
    reader.start()
    put(Path(f"/dev/fd/{write}"), b"x" * 1_000_000)
    os.close(write)
    reader.join()
    assert found == [b"x" * 1_000_000]


@pytest.mark.parametrize("number", [999, 1 << 32])
def test_what_is_not_open_cannot_be_written_to(number: int) -> None:
    with pytest.raises(StoreError, match="could not be written"):
        put(Path(f"/dev/fd/{number}"), b"text")


def test_a_reader_who_has_left_is_not_waited_for(tmp_path: Path) -> None:
    """`rescli ... --out /dev/stdout > fifo`, which opened anew would wait for the next one."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    read = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    write = os.open(fifo, os.O_WRONLY)
    os.close(read)
    with pytest.raises(StoreError, match="Broken pipe"):
        put(Path(f"/dev/fd/{write}"), b"text")
    os.close(write)


@pytest.mark.parametrize("name", ["run.h5.lock", "run.h5.prev", "run.h5.damaged", "run.h5.owner"])
def test_what_stands_beside_a_store_is_not_written_over(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match=rf"{name} is a name for what belongs to .*run\.h5"):
        check_target(tmp_path / name)
