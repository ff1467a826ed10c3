"""What is promised of encoded bytes: the same in each run, with what the pages name."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

# The sizes at which libx264's macroblock tree reads what it has not set: MALLOC_PERTURB_ shows it.
PROGRAM = """
import hashlib, io, sys
from fractions import Fraction
import av, numpy as np
name, option = sys.argv[1:]
wall = np.random.default_rng(0).integers(0, 256, (480, 800, 3), np.uint8)
digest = hashlib.sha256()
output = av.open(io.BytesIO(), "w", format="nut")
stream = output.add_stream(name, rate=25)
stream.width, stream.height, stream.pix_fmt = 720, 480, "yuv420p"
stream.codec_context.options = dict(each.split("=") for each in filter(None, option.split(",")))
for number in range(12):
    picture = np.ascontiguousarray(wall[:, 3 * number : 3 * number + 720])
    frame = av.VideoFrame.from_ndarray(picture, "rgb24").reformat(format="yuv420p")
    frame.pts, frame.time_base = number, Fraction(1, 25)
    for packet in stream.encode(frame):
        digest.update(bytes(packet))
for packet in stream.encode(None):
    digest.update(bytes(packet))
print(digest.hexdigest())
"""


@pytest.mark.slow
@pytest.mark.parametrize("codec,options", [("libx264", "mbtree=0,crf=16"), ("ffv1", "g=1,level=3")])
def test_the_same_bytes_in_each_run(codec: str, options: str) -> None:
    found = {
        subprocess.run(
            [sys.executable, "-c", PROGRAM, codec, options],
            env={**os.environ, "MALLOC_PERTURB_": fill},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for fill in ("1", "90", "200")
    }
    assert len(found) == 1
