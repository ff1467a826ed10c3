"""Clips of every kind through the engine with a model that changes nothing: nothing is changed.

A few of them by default; all, and what ffprobe says of each, among the slow tests.
"""

from __future__ import annotations

import itertools
import logging
import shutil
from pathlib import Path

import pytest

from spikedeblur.restoration.pipeline import Deblurrer
from tests.io.clips import Clip, make_clip
from tests.io.comparison import check, probe
from tests.networks import without_spikes

TIMES = {
    "constant": tuple(range(0, 7 * 512, 512)),
    "variable": (0, 400, 1200, 1600, 3000, 3500, 5000),
}
MATRIX = list(
    itertools.product(
        (".mp4", ".mov", ".mkv"),
        TIMES,
        (0, 19211),
        (0, 90, 180),
        (8, 10),
        ("601", "709", "untagged"),
        ("limited", "full"),
        ("even", "odd"),
        range(1, 8),
    )
)
A_FEW = MATRIX[::347]


@without_spikes
def identity(rgb, voxels, target_time):
    return rgb


def clip_of(case: tuple) -> Clip:
    suffix, rate, offset, rotation, depth, matrix, span, parity, count = case
    full = span == "full"
    code = {"601": 6, "709": 1, "untagged": 2}[matrix]
    return Clip(
        suffix=suffix,
        times=tuple(offset + time for time in TIMES[rate][:count]),
        rotation=rotation,
        codec="libx264" if depth == 8 or parity == "odd" else "libx265",
        pix_fmt=("yuv444p" if parity == "odd" else "yuv420p") + ("10le" if depth == 10 else ""),
        size=(99, 67) if parity == "odd" else (96, 64),
        full=full,
        matrix=1 if code == 1 else 6,
        tags=(code, 2 if full else (0 if code == 2 else 1), code, code),
        audio=True,
        subtitles=2,
        chapters=True,
    )


def deblurred(case: tuple, folder: Path, caplog: pytest.LogCaptureFixture) -> tuple[Path, Path]:
    """(clip, what became of it): equal in everything, and without a word said."""
    clip = clip_of(case)
    source, target = make_clip(folder, clip), folder / f"out{clip.suffix}"
    with caplog.at_level(logging.WARNING, "spikedeblur"):
        Deblurrer(identity).run(source, None, target)
    assert not caplog.records
    check(source, target, clip)
    return source, target


@pytest.mark.parametrize("case", A_FEW, ids=str)
def test_clips_of_every_kind_are_kept(case, tmp_path, caplog):
    deblurred(case, tmp_path, caplog)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("ffprobe") is None, reason="ffprobe is not installed")
@pytest.mark.parametrize("case", MATRIX[::5], ids=str)
def test_ffprobe_finds_the_same_in_both(case, tmp_path, caplog):
    source, target = deblurred(case, tmp_path, caplog)
    assert probe(target) == probe(source)
