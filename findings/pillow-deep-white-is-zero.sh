#!/usr/bin/env bash
# Pillow 13.0.0: a TIFF whose zero is white is turned round where it has 8 bits, and not where it has 16.
#
# Expected: two files of one picture, both with PhotometricInterpretation 0 (WhiteIsZero, as scanners and X-ray cameras
# write), are read alike. Seen: the 8-bit one is inverted as it is read, the 16-bit one comes as its negative, silently.
# The product inverts the deep one itself (sufficiency/data/images.py).
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
with_packages pillow==13.0.0 numpy
seen <<'PYTHON'
import io
import struct

import numpy as np
import PIL
from PIL import Image

BLACK_IS_ZERO, WHITE_IS_ZERO = (struct.pack("<HHIHH", 262, 3, 1, value, 0) for value in (1, 0))


def read(pixels):
    """A file with these numbers in it that says that zero is white."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "TIFF")
    raw = file.getvalue()
    assert raw.count(BLACK_IS_ZERO) == 1
    return int(np.asarray(Image.open(io.BytesIO(raw.replace(BLACK_IS_ZERO, WHITE_IS_ZERO))))[0, 0])


stored = np.full((2, 2), 55, np.uint8)
eight, deep = read(stored), read(stored.astype(np.uint16) * 257)
print(f"pillow {PIL.__version__}: the same shade is {eight / 255:.3f} with 8 bits, {deep / 65535:.3f} with 16 bits")
assert (eight, deep) == (200, 55 * 257), "both are read alike now"
PYTHON
