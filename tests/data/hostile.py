"""Files as somebody would make them who wants to see a loader fall: cut off, lying, packed air, or something else.

None of them harms the libraries that read them; each is small, whatever it says of itself.
"""

import gzip
import io
import random
import struct
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
from PIL import Image
from pyarrow import parquet

from sufficiency.plugins.datasets import load_npy, load_npz
from sufficiency.plugins.huggingface import load_huggingface
from sufficiency.plugins.idx import load_idx
from sufficiency.plugins.image_folder import load_image_folder
from sufficiency.plugins.tabular import load_tabular

WEB_PAGE = b"<!doctype html><html><body>404 not found</body></html>"
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 12345\n"


def rows(count: int = 24) -> tuple[Any, Any]:
    """Return a set that every loader takes."""
    y = np.arange(count) % 3
    return (np.arange(count * 16).reshape(count, 4, 4) * 7 % 256).astype(np.uint8), y.astype(np.int64)


def npy(array: Any) -> bytes:
    """Return an array as NumPy writes it."""
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def npy_saying(header: str, content: bytes = b"\0" * 64) -> bytes:
    """Return an NPY file that says of itself what it is told to."""
    text = header.encode() + b" " * (-(len(header) + 11) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + content


def npz(**members: bytes) -> bytes:
    """Return an archive of such files."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)
    return file.getvalue()


def idx(array: Any, *, saying: tuple[int, ...] | None = None) -> bytes:
    """Return an array of bytes as an IDX file, which may say another shape."""
    shape = saying or array.shape
    return bytes([0, 0, 8, len(shape)]) + struct.pack(f">{len(shape)}I", *shape) + array.tobytes()


def picture(form: str = "PNG", size: tuple[int, int] = (8, 8), mode: str = "RGB") -> bytes:
    """Return an image."""
    file = io.BytesIO()
    Image.new(mode, size).save(file, form)
    return file.getvalue()


def table(**columns: Any) -> bytes:
    """Return a Parquet file."""
    file = io.BytesIO()
    parquet.write_table(pyarrow.table(columns), file)
    return file.getvalue()


@dataclass(frozen=True)
class Form:
    """A form of file, a whole one, how it is laid into a folder, and what reads it there."""

    whole: bytes
    lay: Callable[[Path, bytes], None]
    read: Callable[[], Any]


def _npz(folder: Path, content: bytes) -> None:
    (folder / "set.npz").write_bytes(content)


def _npy(folder: Path, content: bytes) -> None:
    (folder / "x.npy").write_bytes(content)
    (folder / "y.npy").write_bytes(npy(rows()[1]))


def _idx(folder: Path, content: bytes) -> None:
    (folder / "train-images-idx3-ubyte").write_bytes(content)
    (folder / "train-labels-idx1-ubyte").write_bytes(idx(rows()[1].astype(np.uint8)))


def _images(folder: Path, content: bytes) -> None:
    for name in ("cat", "dog"):
        (folder / name).mkdir()
        for number in range(3):
            (folder / name / f"{number}.png").write_bytes(picture())
    (folder / "dog" / "last.png").write_bytes(content)


def _arrow(folder: Path, content: bytes) -> None:
    (folder / "data-00000-of-00001.arrow").write_bytes(content)
    (folder / "dataset_info.json").write_text(
        '{"features": {"x": {"dtype": "float32", "_type": "Value"}, "y": {"dtype": "int64", "_type": "Value"}}}'
    )
    (folder / "state.json").write_text(
        '{"_data_files": [{"filename": "data-00000-of-00001.arrow"}], "_fingerprint": "0", "_format_columns": null,'
        ' "_format_kwargs": {}, "_format_type": null, "_output_all_columns": false, "_split": "train"}'
    )


def _stream() -> bytes:
    file = io.BytesIO()
    data = pyarrow.table({"x": np.arange(24, dtype=np.float32), "y": rows()[1]})
    with pyarrow.ipc.new_stream(file, data.schema) as writer:
        writer.write_table(data)
    return file.getvalue()


X, Y = rows()
CSV = b"a,b,y\n" + b"".join(b"%d,%d.5,%s\n" % (k, k % 5, b"abc"[k % 3 : k % 3 + 1]) for k in range(24))
FORMS = {
    "npz": Form(npz(x=npy(X), y=npy(Y)), _npz, lambda: load_npz("set.npz")),
    "npy": Form(npy(X), _npy, lambda: load_npy(".")),
    "idx": Form(idx(X), _idx, lambda: load_idx(".")),
    "idx-packed": Form(gzip.compress(idx(X)), _idx, lambda: load_idx(".")),
    "csv": Form(CSV, lambda f, c: (f / "set.csv").write_bytes(c) and None, lambda: load_tabular("set.csv", "y")),
    "parquet": Form(
        table(a=np.arange(24) % 5 / 2, y=Y),
        lambda f, c: (f / "set.parquet").write_bytes(c) and None,
        lambda: load_tabular("set.parquet", "y"),
    ),
    "image": Form(picture(), _images, lambda: load_image_folder(".", 8)),
    "jpeg": Form(picture("JPEG"), _images, lambda: load_image_folder(".", 8)),
    "arrow": Form(_stream(), _arrow, lambda: load_huggingface(".", "x", "y")),
}


# What is in a file, or how it is made where that takes long: only whoever reads it makes it.
Content = bytes | Callable[[], bytes]


def _damaged() -> Iterator[tuple[str, str, Content]]:
    """Yield what can be done to any file."""
    for name, form in FORMS.items():
        whole = form.whole
        for what, content in {
            "empty": b"",
            "one byte": whole[:1],
            "cut off in its head": whole[:9],
            "cut off in the middle": whole[: len(whole) // 2],
            "cut off at its end": whole[:-3],
            "a web page": WEB_PAGE,
            "a pointer to a file": POINTER,
            "zeros": bytes(len(whole)),
            "packed": gzip.compress(whole),
        }.items():
            yield name, what, content


HUGE = 10**12
TRILLION = f"{{'descr': '<f8', 'fortran_order': False, 'shape': ({HUGE}, 4)}}"
# What each form can say of itself that is not so.
LIES: tuple[tuple[str, str, Content], ...] = (
    ("npy", "a trillion items", npy_saying(TRILLION)),
    ("npy", "less than no items", npy_saying("{'descr': '<f8', 'fortran_order': False, 'shape': (-4, 4)}")),
    ("npy", "objects", npy_saying("{'descr': '|O', 'fortran_order': False, 'shape': (24,)}")),
    ("npy", "texts", npy(np.array(["a"] * 24))),
    ("npy", "no shape", npy_saying("{'descr': '<f8', 'fortran_order': False}")),
    ("npy", "a head that is no dictionary", npy_saying("__import__('os')")),
    ("npy", "one number", npy(np.float64(1))),
    ("npz", "a trillion items", npz(x=npy_saying(TRILLION), y=npy(Y))),
    ("npz", "objects", npz(x=npy_saying("{'descr': '|O', 'fortran_order': False, 'shape': (24,)}"), y=npy(Y))),
    ("npz", "other names", npz(a=npy(X), b=npy(Y))),
    ("npz", "fewer labels", npz(x=npy(X), y=npy(Y[:5]))),
    ("npz", "a member that is a web page", npz(x=WEB_PAGE, y=npy(Y))),
    ("npz", "labels below none", npz(x=npy(X), y=npy(Y - 7))),
    ("npz", "a label of a million millions", npz(x=npy(X), y=npy(Y + HUGE * (Y == 2)))),
    ("npz", "numbers that are none", npz(x=npy(np.full((24, 4), np.nan)), y=npy(Y))),
    ("idx", "more items than there are", idx(X, saying=(2**32 - 1, 2**32 - 1, 2**32 - 1))),
    ("idx", "fewer items than there are", idx(X, saying=(3, 4, 4))),
    ("idx", "two hundred dimensions", bytes([0, 0, 8, 200]) + bytes(16)),
    ("idx", "an unknown type", bytes([0, 0, 99, 1]) + bytes(16)),
    ("idx-packed", "air, a thousand times its size", lambda: gzip.compress(idx(X) + bytes(300_000_000), 9)),
    ("csv", "no rows", b"a,b,y\n"),
    ("csv", "another number of cells in each row", b"a,b,y\n1,2\n1,2,3,4\n"),
    ("csv", "one endless text", b'a,b,y\n"' + b"x" * 100_000),
    ("csv", "ten thousand columns", b",".join(b"c%d" % k for k in range(10_000)) + b"\n"),
    ("csv", "bytes of no encoding", b"a,b,y\n" + bytes(range(128, 256)) * 9),
    ("csv", "zeros in texts", b"a,b,y\n" + b"1,\x00,a\n" * 9),
    ("csv", "another target", b"a,b,z\n1,2,3\n"),
    ("csv", "the same name twice", b"a,a,y\n1,2,3\n"),
    ("parquet", "no rows", table(a=np.zeros(0), y=np.zeros(0, np.int64))),
    ("parquet", "lists in cells", table(a=[[1.0]] * 24, y=Y)),
    ("parquet", "another target", table(a=np.arange(24.0), z=Y)),
    ("parquet", "a foot that points outside", FORMS["parquet"].whole[:-8] + struct.pack("<I", 2**31 - 1) + b"PAR1"),
    ("image", "a million by a million", picture()[:16] + struct.pack(">II", 10**6, 10**6) + picture()[24:]),
    ("image", "twenty thousand by twenty thousand, of one colour", lambda: picture(size=(20_000, 20_000), mode="1")),
    ("image", "no size", picture()[:16] + bytes(8) + picture()[24:]),
)
CASES = [*_damaged(), *LIES]


def mutations(seed: int) -> Iterator[tuple[str, str, bytes]]:
    """Yield each form with some bytes changed, taken out or doubled."""
    draw = random.Random(seed)
    for name, form in FORMS.items():
        content = bytearray(form.whole)
        done = []
        for _ in range(draw.choice((1, 1, 2, 8))):
            at = draw.randrange(len(content))
            match draw.choice(("change", "change", "take", "double")):
                case "change":
                    content[at] = draw.randrange(256)
                case "take":
                    del content[at : at + draw.randrange(1, 20)]
                case "double":
                    content[at:at] = content[at : at + draw.randrange(1, 20)]
            done.append(at)
            if not content:
                break
        yield name, f"seed {seed}, at {done}", bytes(content)
