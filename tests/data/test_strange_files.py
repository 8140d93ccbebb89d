"""Only files are read: to open a named pipe is to wait for ever."""

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from sufficiency.data.errors import DatasetError
from sufficiency.data.paths import only_files, resolve_inside
from sufficiency.plugins.datasets import load_npz
from sufficiency.plugins.image_folder import load_image_folder
from sufficiency.plugins.tabular import load_tabular


def pipe(path: Path) -> None:
    os.mkfifo(path)


def listening(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(str(path))


def device(path: Path) -> None:
    path.symlink_to("/dev/zero")


@pytest.mark.parametrize(
    ("make", "kind"),
    [(pipe, "a named pipe"), (listening, "a socket"), (device, "a device")],
    ids=["pipe", "socket", "device"],
)
def test_what_is_no_file_is_refused(
    make: Callable[[Path], None], kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    make(Path("x.npz"))
    with pytest.raises(DatasetError, match=f"is {kind}, where a dataset is read from files"):
        resolve_inside("x.npz", [tmp_path, Path("/dev")])


@pytest.mark.parametrize(
    "read",
    [lambda: load_npz("set/x.png"), lambda: load_tabular("set/x.png", "y"), lambda: load_image_folder("set", 8)],
    ids=["npz", "tabular", "image-folder"],
)
def test_loaders_refuse_a_pipe(root: Path, read: Callable[[], object]) -> None:
    for name in ("cat", "dog"):
        (root / "set" / name).mkdir(parents=True)
        pipe(root / "set" / name / "x.png")
    pipe(root / "set" / "x.png")
    with pytest.raises(DatasetError, match="is a named pipe"):
        read()


def test_a_folder_that_others_read_holds_files_only(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "data").write_text("x")
    (tmp_path / "dangling").symlink_to("nowhere")
    only_files(tmp_path, "set")
    pipe(tmp_path / "deep" / "raw")
    with pytest.raises(DatasetError, match="set: deep/raw' is a named pipe"):
        only_files(tmp_path, "set")
