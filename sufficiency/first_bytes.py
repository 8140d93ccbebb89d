"""What the first bytes of a file tell: its encoding, and what it is where it is none of what it should be."""

import codecs
from pathlib import Path

# The longer first: that of UTF-32 begins as that of UTF-16 does.
ENCODING_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)

# What every table as text has among its first characters.
_IN_TABLES = "\n,;\t|"

ZIP, NPY, PARQUET = b"PK\x03\x04", b"\x93NUMPY", b"PAR1"
_LOOK = 512
_PAGE = (b"<!doctype", b"<html", b"<?xml")
_KNOWN = (
    (b"version https://git-lfs", "it is Git LFS's pointer to the file; run git lfs pull"),
    (PARQUET, "it is a Parquet file; call it .parquet"),
    (b"\x1f\x8b", "it is packed by gzip; unpack it"),
    (
        b"\x89HDF\r\n\x1a\n",
        "it is an HDF5 file (of MATLAB 7.3 too); read it with h5py and save its arrays with np.savez",
    ),
    (b"MATLAB 5.0", "it is a MATLAB file; read it with scipy.io.loadmat and save its arrays with np.savez"),
    (b"SQLite format 3", "it is an SQLite database; export the table as CSV"),
    (b"ORC", "it is an ORC file; write it as Parquet"),
    (b"Obj\x01", "it is an Avro file; write it as Parquet"),
    (b"\xd0\xcf\x11\xe0", "it is an Excel workbook (.xls); export it as CSV"),
    (b"ARROW1", "it is an Arrow or Feather file; write it as Parquet"),
    (NPY, "it is a single NumPy array (.npy)"),
    (b"BZh", "it is packed by bzip2; unpack it"),
    (b"\xfd7zXZ", "it is packed by xz; unpack it"),
    (b"\x28\xb5\x2f\xfd", "it is packed by zstd; unpack it"),
    ((b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05"), "it is a pickle, and reading one runs what is in it"),
)


def unmarked_utf16(start: bytes) -> str | None:
    """Return the encoding of a table in UTF-16 that does not begin with its mark; None of anything else.

    Every other byte of it is zero. Cells of 8 bits a character may hold a zero too, and are no such text then.
    """
    if b"\0" not in start:
        return None
    even, odd = start[0::2].count(0), start[1::2].count(0)
    name = "utf-16-le" if odd > even else "utf-16-be"
    text = codecs.getincrementaldecoder(name)("replace").decode(start)
    return name if any(mark in text for mark in _IN_TABLES) else None


def mistaken(start: bytes, own: bytes = b"") -> str:
    """Return what a file is by its first bytes, and what to do about it; nothing where they say nothing.

    Parameters
    ----------
    start : bytes
        A few dozen of them.
    own : bytes
        With what a file begins that is what it should be: one that does is another matter.
    """
    if own and start.startswith(own):
        return ""
    begin = start[:_LOOK].removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if not start:
        return "it is empty"
    if begin.startswith(_PAGE):
        return "it is a web page, as a server sends in place of a file it does not have; fetch it again"
    if start.startswith(ZIP):
        if b"[Content_Types].xml" in start or b"xl/" in start:
            return "it is an Excel workbook (.xlsx); export it as CSV"
        return "it is a zip archive; unpack it"
    return next((what for mark, what in _KNOWN if start.startswith(mark)), "")


def mistaken_file(file: Path, own: bytes = b"") -> str:
    """Return what a file is by its first bytes; nothing where they say nothing; `own` as `mistaken` has it."""
    if not file.is_file():
        return ""
    with file.open("rb") as opened:
        return mistaken(opened.read(_LOOK), own)


def begins_as(file: Path, own: bytes) -> bool:
    """Return whether a file begins with these bytes."""
    with file.open("rb") as opened:
        return opened.read(len(own)) == own
