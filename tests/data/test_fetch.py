"""Downloads: from a server on this machine, and everything that can go wrong on the way."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import torchvision.datasets.utils as downloads
from torchvision.datasets import CIFAR10

from rescli.data.fetch import fetch
from rescli.data.locate import cache
from rescli.data.read import load, verify
from rescli.errors import DataError, UsageError
from tests.cli.conftest import Rescli
from tests.data.conftest import FOLDER, Tiny


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        pass


@pytest.fixture
def server(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    handler = functools.partial(_Quiet, directory=str(tiny.archive.parent))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as http:
        http.daemon_threads = False  # closing waits for its sockets
        thread = threading.Thread(target=http.serve_forever, daemon=True)
        thread.start()
        url = f"http://127.0.0.1:{http.server_port}/{CIFAR10.filename}"
        monkeypatch.setattr(CIFAR10, "url", url)
        yield url
        http.shutdown()
        thread.join()


@pytest.fixture
def offline(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CIFAR10, "url", "http://127.0.0.1:9/cifar.tar.gz")


def contents(root: Path) -> list[str]:
    return sorted(path.name for path in root.iterdir()) if root.exists() else []


@pytest.mark.usefixtures("server")
def test_fetch(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    notes: list[str] = []
    root = fetch("cifar10", tmp_path / "new" / "folder", note=notes.append)
    assert root == tmp_path / "new" / "folder"
    assert contents(root) == [FOLDER], "neither the archive nor a scratch folder stays"
    assert verify("cifar10", root).ok
    assert notes == [f"fetching CIFAR-10 into {root}"]
    assert capfd.readouterr().out == "", "stdout is for data"


@pytest.mark.usefixtures("server")
def test_where_it_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert fetch("cifar10") == cache()
    monkeypatch.setenv("RESCLI_DATA", str(tmp_path / "variable"))
    assert fetch("cifar10") == tmp_path / "variable"
    assert len(load("cifar10").train) == 100


@pytest.mark.usefixtures("offline")
def test_a_complete_copy_needs_no_network(tiny: Tiny) -> None:
    for data in (tiny.root, tiny.folder):
        notes: list[str] = []
        assert fetch("cifar10", data, note=notes.append) == tiny.root
        assert notes == [f"CIFAR-10 is already complete in {tiny.root}"]


@pytest.mark.usefixtures("server")
def test_a_damaged_copy_is_replaced(tiny: Tiny) -> None:
    (tiny.folder / "data_batch_2").write_bytes(b"half")
    (tiny.folder / "test_batch").unlink()
    assert fetch("cifar10", tiny.root) == tiny.root
    assert verify("cifar10", tiny.root).ok
    assert contents(tiny.root) == [FOLDER]


@pytest.mark.usefixtures("offline")
def test_an_archive_placed_by_hand(tiny: Tiny, tmp_path: Path) -> None:
    root = tmp_path / "by hand"
    root.mkdir()
    tiny.archive.rename(root / CIFAR10.filename)
    assert verify("cifar10", fetch("cifar10", root)).ok
    assert contents(root) == [FOLDER, CIFAR10.filename], "the user's own archive stays"


@pytest.mark.usefixtures("offline")
def test_no_network(tiny: Tiny, tmp_path: Path) -> None:
    with pytest.raises(DataError) as error:
        fetch("cifar10", tmp_path / "new")
    assert "http://127.0.0.1:9/cifar.tar.gz could not be fetched" in error.value.message
    assert "refused" in error.value.message
    assert f"put {CIFAR10.filename} into {tmp_path / 'new'}" in error.value.hint
    assert contents(tmp_path / "new") == []


@pytest.mark.parametrize("harm", ["truncated", "flipped", "gone"])
def test_a_bad_archive(server: str, tiny: Tiny, tmp_path: Path, harm: str) -> None:
    content = bytearray(tiny.archive.read_bytes())
    content[len(content) // 2] ^= 1
    tiny.archive.unlink()
    if harm != "gone":
        tiny.archive.write_bytes(content[: len(content) // 2] if harm == "truncated" else content)
    with pytest.raises(DataError) as error:
        fetch("cifar10", tmp_path / "new")
    assert ("File not found" if harm == "gone" else "not the published archive") in error.value.message
    assert contents(tmp_path / "new") == []


@pytest.mark.parametrize(
    ("raised", "told"),
    [
        (KeyboardInterrupt(), None),
        (TimeoutError("timed out"), "timed out"),
        (OSError(28, "No space left on device"), "No space"),
    ],
)
def test_interrupted(
    tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, raised: BaseException, told: str | None
) -> None:
    def half(url: str, filename: str, *args: Any) -> None:
        Path(filename).write_bytes(tiny.archive.read_bytes()[:1000])
        raise raised

    monkeypatch.setattr(downloads, "_get_redirect_url", lambda url, max_hops: url)
    monkeypatch.setattr(downloads, "_urlretrieve", half)
    with pytest.raises(DataError if told else KeyboardInterrupt, match=told):
        fetch("cifar10", tmp_path / "new")
    assert contents(tmp_path / "new") == []


@pytest.mark.usefixtures("server")
def test_a_kill_leaves_nothing_that_is_mistaken_for_data(tiny: Tiny, tmp_path: Path) -> None:
    half = tmp_path / "new" / ".rescli-fetch-killed" / FOLDER
    half.mkdir(parents=True)
    (half / "data_batch_1").write_bytes(b"half")
    with pytest.raises(DataError, match="was not found"):
        load("cifar10", data=tmp_path / "new")
    assert verify("cifar10", fetch("cifar10", tmp_path / "new")).ok


@pytest.mark.parametrize("where", [lambda file: file, lambda file: file / "below"])
def test_a_folder_that_cannot_be_made(tiny: Tiny, tmp_path: Path, where: Callable[[Path], Path]) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="cannot be written"):
        fetch("cifar10", where(tmp_path / "file"))


@pytest.mark.parametrize("name", ["synthetic", "cifar"])
def test_names_without_files(name: str) -> None:
    with pytest.raises(UsageError):
        fetch(name)


@pytest.mark.usefixtures("server")
def test_as_one_types_it(rescli: Rescli, tmp_path: Path) -> None:
    """The first thing that a new user needs, and `--download`, which needs nothing before."""
    found = rescli("data", "fetch", "cifar10", "--data", tmp_path / "data", "--json")
    assert (found.code, found.document) == (0, {"name": "cifar10", "root": str(tmp_path / "data")})
    assert "fetching CIFAR-10" in found.err
    assert rescli("data", "verify", "cifar10", "--data", tmp_path / "data").code == 0
    few = ("--depth", "8", "--batch-size", "10", "--iterations", "1", "--precision", "fp32", "--threads", "1")
    train = ("train", "cifar", *few, "--data", tmp_path / "new", "--out", tmp_path / "run.h5")
    assert rescli(*train).code == 3, "no other command downloads unasked"
    done = rescli(*train, "--download")
    assert (done.code, "fetching CIFAR-10" in done.err) == (0, True), done.err
    assert rescli("eval", tmp_path / "run.h5", "--data", tmp_path / "new", "--json").document["images"] == 20
