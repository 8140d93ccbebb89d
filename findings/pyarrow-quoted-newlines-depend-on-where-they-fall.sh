#!/usr/bin/env bash
# pyarrow 26.0.1: whether a CSV file with line breaks inside quotes can be read depends on where its bytes fall.
#
# Expected: a file is read, or refused, for what is in it. Seen: with the default options a quoted line break is read while the file
# fits into one block of a megabyte; past that, a block that ends between the quotes raises an error, and the same rows in
# another order are read. `newlines_in_values=True` reads all of them.
# The product always reads with it.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
with_packages pyarrow==26.0.1 numpy==2.4.6
seen <<'PYTHON'
import pyarrow as pa
from pyarrow import csv

row = 'a,"' + "x" * 60 + "\n" + "y" * 60 + '",1\n'


def read(rows, **options):
    data = pa.BufferReader(("k,text,label\n" + row * rows).encode())
    try:
        return csv.read_csv(data, parse_options=csv.ParseOptions(**options)).num_rows
    except pa.ArrowInvalid as error:
        return f"refused: {str(error).splitlines()[0][:60]}"


small, large, told = read(1000), read(40_000), read(40_000, newlines_in_values=True)
print(f"pyarrow {pa.__version__}: 1,000 rows: {small}; 40,000 of the same rows: {large}; with newlines_in_values: {told}")
assert small == 1000
assert told == 40_000
assert large != 40_000, "it is read wherever the bytes fall now"
PYTHON
