"""Files that are not what they should be say what they are, and tables with a bad row say which."""

import gzip
import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from sufficiency.data.errors import DatasetError
from sufficiency.plugins.datasets import load_npy, load_npz
from sufficiency.plugins.tabular import load_tabular

ROWS = [f"fine {k},{('good', 'bad')[k % 2]}" for k in range(400)]


def workbook() -> bytes:
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w") as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
    return raw.getvalue()


@pytest.mark.parametrize(
    "load",
    [
        pytest.param(lambda: load_tabular("t.csv", "y"), id="csv"),
        pytest.param(lambda: load_tabular("t.parquet", "y"), id="parquet"),
        pytest.param(lambda: load_npz("t.npz"), id="npz"),
        pytest.param(lambda: load_npy(".", x="t.npy", y="t.npy"), id="npy"),
    ],
)
@pytest.mark.parametrize(
    ("raw", "said"),
    [
        pytest.param(b"\n<!DOCTYPE html><html>Not found</html>", "it is a web page", id="page"),
        pytest.param(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "git lfs pull", id="lfs"),
        pytest.param(gzip.compress(b"x,y\n1,a\n"), "packed by gzip; unpack it", id="gzip"),
        pytest.param(b"\xd0\xcf\x11\xe0" + bytes(600), "Excel workbook", id="xls"),
        pytest.param(b"\x80\x04\x95" + bytes(600), "it is a pickle", id="pickle"),
    ],
)
def test_a_file_of_another_kind_says_what_it_is(root: Path, load: Callable[[], Any], raw: bytes, said: str) -> None:
    for suffix in ("csv", "parquet", "npz", "npy"):
        (root / f"t.{suffix}").write_bytes(raw)
    with pytest.raises(DatasetError, match=said):
        load()


@pytest.mark.parametrize("load", [load_npz, lambda path: load_npy(".", x=path, y=path)], ids=["npz", "npy"])
@pytest.mark.parametrize(
    ("raw", "said"),
    [
        pytest.param(b"\x89HDF\r\n\x1a\n" + bytes(600), "HDF5 file.*np.savez", id="hdf5"),
        pytest.param(b"MATLAB 5.0 MAT-file" + bytes(600), "MATLAB file.*np.savez", id="matlab"),
        pytest.param(b"SQLite format 3" + bytes(600), "SQLite", id="sqlite"),
        pytest.param(b'{"x": [1]}', "begins as none that NumPy writes", id="json"),
    ],
)
def test_what_numpy_does_not_know_is_not_said_to_be_a_pickle(
    root: Path, load: Callable[[str], Any], raw: bytes, said: str
) -> None:
    (root / "t.npz").write_bytes(raw)
    with pytest.raises(DatasetError, match=said) as refused:
        load("t.npz")
    assert "pickle" not in str(refused.value)


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        pytest.param(workbook(), r"Excel workbook \(.xlsx\); export it as CSV", id="xlsx"),
        pytest.param(b"PAR1" + bytes(600), "call it .parquet", id="parquet"),
    ],
)
def test_a_table_under_another_name_says_what_it_is(root: Path, raw: bytes, said: str) -> None:
    (root / "t.csv").write_bytes(raw)
    with pytest.raises(DatasetError, match=said):
        load_tabular("t.csv", "y")


def test_a_damaged_file_of_the_right_kind_is_not_called_another(root: Path) -> None:
    np.savez(root / "t.npz", x=np.zeros((9, 2)), y=np.arange(9) % 2)
    (root / "t.npz").write_bytes((root / "t.npz").read_bytes()[:200])
    (root / "t.parquet").write_bytes(b"PAR1" + bytes(600))
    for load in (lambda: load_npz("t.npz"), lambda: load_tabular("t.parquet", "y")):
        with pytest.raises(DatasetError) as raised:
            load()
        assert "it is a" not in str(raised.value)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        pytest.param("fine", r"row 300 \(line 302\) has 1 cell, and the header 2: 'fine'; fill it up", id="short"),
        pytest.param("fine, that,good", r"row 300 \(line 302\) has 3 cells, and the header 2.*quotes", id="long"),
        pytest.param('"never closed,bad', r"opened in row 300 \(line 302\) is never closed", id="open-quote"),
    ],
)
def test_a_bad_row_is_named_with_the_way_out(root: Path, row: str, said: str) -> None:
    (root / "t.csv").write_text("\n".join(["review,opinion", *ROWS[:300], row, *ROWS[301:]]) + "\n")
    with pytest.raises(DatasetError, match=said):
        load_tabular("t.csv", "opinion", text=["review"], text_features=4)


def test_a_bad_row_is_named_below_quoted_line_breaks_and_a_hint(root: Path) -> None:
    (root / "t.csv").write_text('sep=;\nreview;opinion\n"one\n\ntwo";good\n\nbad;\nthree\n')
    with pytest.raises(DatasetError, match=r"row 2 \(line 8\) has 1 cell, and the header 2: 'three'"):
        load_tabular("t.csv", "opinion")


def test_a_zero_in_a_cell_is_text_and_no_sign_of_an_encoding(root: Path) -> None:
    (root / "t.csv").write_text("\n".join(["review,opinion", *(row.replace(" ", "\0 ") for row in ROWS)]))
    dataset = load_tabular("t.csv", "opinion", text=["review"], text_features=4)
    assert len(dataset) == 400
    assert dataset.class_names == ("bad", "good")


@pytest.mark.parametrize(
    ("header", "row", "features"),
    [
        pytest.param('"a","b","label"', '"{k}",{a},{b},"{c}"', ("a", "b"), id="row-names-of-R"),
        pytest.param("a,b,label", "{a},{b},{c},", ("a", "b"), id="delimiter-at-the-end"),
        pytest.param("sep=;\na;b;label", "{k};{a};{b};{c}", ("a", "b"), id="below-a-hint"),
    ],
)
def test_a_header_that_is_one_name_short_is_matched(root: Path, header: str, row: str, features: tuple[str]) -> None:
    rows = [row.format(k=k + 1, a=k * 7 % 11 / 2, b=k % 5 / 4, c="cd"[k % 2]) for k in range(60)]
    (root / "t.csv").write_text("\n".join([header, *rows]) + "\n")
    dataset = load_tabular("t.csv", "label")
    assert dataset.feature_names == features
    assert dataset.class_names == ("c", "d")
    assert dataset.x[:3].tolist() == [[0.0, 0.0], [3.5, 0.25], [1.5, 0.5]]


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_columns_of_one_name_are_named(root: Path, suffix: str) -> None:
    if suffix == "csv":
        (root / "t.csv").write_text("x,x,y\n1,2,a\n3,4,b\n")
    else:
        twins = pa.Table.from_arrays([pa.array([1, 3]), pa.array([2, 4]), pa.array(["a", "b"])], names=["x", "x", "y"])
        parquet.write_table(twins, root / "t.parquet")
    with pytest.raises(DatasetError, match="has two columns 'x'; give them different names"):
        load_tabular(f"t.{suffix}", "y")
