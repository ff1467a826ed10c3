"""Names as people have them: as long as a file system takes, and links."""

from __future__ import annotations

import gc
import os
import warnings
from pathlib import Path

import numpy as np
import pytest

from spikedeblur.errors import OutputError
from spikedeblur.io.atomic import atomic_path, remove_leftovers, short_name
from spikedeblur.io.spikes.sidecar import find_sidecar
from spikedeblur.io.spikes.stream import SpikeStream
from spikedeblur.io.video import create_video, open_video
from spikedeblur.output.parts import Parts
from spikedeblur.restoration.pipeline import Deblurrer
from tests.io.clips import Clip, make_clip, pass_through
from tests.io.spikes.files import SMALL, plain
from tests.recordings import Recording

LONG = [240, 247, 255]


@pytest.mark.parametrize("letter", ["n", "\N{LATIN SMALL LETTER E WITH ACUTE}"])
@pytest.mark.parametrize("size", LONG)
def test_names_as_long_as_the_system_takes(size: int, letter: str, tmp_path: Path) -> None:
    width = len(letter.encode())
    stem = letter * ((size - 4) // width)
    target = tmp_path / f"{stem}.mkv"
    pass_through(make_clip(tmp_path, Clip(suffix=".mkv")), target)
    assert target.exists() and len(list(tmp_path.iterdir())) == 2
    images = tmp_path / f"{stem[: -3 // width]}%d.png"
    pass_through(make_clip(tmp_path, Clip(suffix=".mkv"), "again"), images)
    assert len(list(tmp_path.glob("*.png"))) == 7
    assert len(os.fsencode(Parts(target).folder.name)) < 250


def test_a_whole_run_with_a_long_name(recording: Recording, tmp_path: Path) -> None:
    target = tmp_path / f"{'o' * 251}.mkv"
    Deblurrer(method="sdm").run(recording.blurry, recording.spikes, target)
    assert [each.name for each in tmp_path.iterdir()] == [target.name]


def test_names_that_are_shortened_stay_apart() -> None:
    one, other = ("x" * 230 + end for end in "ab")
    assert short_name(one) != short_name(other)
    assert short_name("short") == "short" and len(short_name(one)) < 200


def test_leftovers_of_a_long_name_are_found(tmp_path: Path) -> None:
    stem = "x" * 230
    left = tmp_path / f".{short_name(stem)}.123.part.mkv"
    left.touch()
    remove_leftovers(tmp_path, stem)
    assert not left.exists()


def test_a_link_is_followed_and_it_is_said(tmp_path: Path) -> None:
    store = tmp_path / "store"
    store.mkdir()
    (store / "real.mkv").write_text("old")
    link = tmp_path / "link.mkv"
    link.symlink_to("store/real.mkv")
    with pytest.raises(OutputError, match="exists"), atomic_path(link):
        raise AssertionError("must not begin")
    with (
        open_video(make_clip(tmp_path, Clip(suffix=".mkv"))) as reader,
        create_video(link, reader.info, overwrite=True) as writer,
    ):
        for frame in reader:
            writer.write(frame)
    assert link.is_symlink() and (store / "real.mkv").stat().st_size > 100
    assert any("is a link" in each and "real.mkv" in each for each in writer.warnings)
    assert [each.name for each in store.iterdir()] == ["real.mkv"]


@pytest.mark.parametrize("suffix", [".dat", ".npy"])
def test_spike_files_are_closed(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"s{suffix}"
    if suffix == ".npy":
        np.save(path, SMALL)
    else:
        path.write_bytes(plain(SMALL))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        stream = SpikeStream.open(path, width=12, height=9, rate_hz=1000)
        stream[:3]
        before = len(os.listdir("/proc/self/fd"))
        del stream
        gc.collect()
        assert len(os.listdir("/proc/self/fd")) == before - 1


def test_links_that_lead_in_circles_are_no_trouble(tmp_path: Path) -> None:
    link = tmp_path / "loop.mkv"
    link.symlink_to(link)
    assert find_sidecar(link) is None
    with pytest.raises(OutputError, match="exists"), atomic_path(link):
        raise AssertionError("must not begin")
    with atomic_path(link, overwrite=True) as path:
        path.write_text("x")
    assert link.read_text() == "x"
