"""The output and the before-and-after view beside it."""

from __future__ import annotations

import gc
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest

from spikedeblur.errors import OutputError
from spikedeblur.io.video import create_video, open_video
from spikedeblur.io.video_info import VideoInfo
from spikedeblur.output.options import OutputOptions
from spikedeblur.output.slow_motion import SlowMotion
from spikedeblur.output.writers import OutputWriters, compared, comparison_path
from spikedeblur.restoration.pipeline import Deblurrer
from tests.recordings import frame_at


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("width", [1, 2, 7, 12])
def test_both_pictures_are_seen(dtype, width):
    blurry, sharp = np.full((4, width, 3), 10, dtype), np.full((4, width, 3), 20, dtype)
    side = compared("side", blurry, sharp)
    assert side.shape == (4, 2 * width, 3) and side.dtype == dtype
    assert (side[:, :width] == 10).all() and (side[:, width:] == 20).all()
    split = compared("split", blurry, sharp)
    assert split.shape == sharp.shape and split.dtype == dtype
    if width == 12:
        columns = split[0, :, 0].tolist()
        assert columns == [10] * 5 + [np.iinfo(dtype).max] * 2 + [20] * 5
    assert (sharp == 20).all()


@pytest.mark.parametrize("turn", [0, 90, 180, 270])
@pytest.mark.parametrize("kind", ["side", "split"])
def test_blurry_is_left_as_players_show_it(turn, kind, tmp_path):
    info = VideoInfo.synthetic(48, 32, 25)
    with create_video(tmp_path / "in.mkv", info) as writer:
        writer.write(frame_at(0, np.zeros((32, 48, 3), np.uint8)))
    with (
        av.open(str(tmp_path / "in.mkv")) as old,
        av.open(str(tmp_path / "turned.mov"), "w") as new,
    ):
        stream = new.add_stream("png", rate=25)
        stream.width, stream.height, stream.pix_fmt = 48, 32, "rgb24"
        stream.set_display_rotation(turn)
        for frame in old.decode(video=0):
            new.mux(stream.encode(frame.reformat(format="rgb24")))
        new.mux(stream.encode(None))
    with open_video(tmp_path / "turned.mov") as reader:
        blurry = next(iter(reader))
        sharp = replace(blurry, rgb=np.full((32, 48, 3), 200, np.uint8))
        with OutputWriters(tmp_path / "o.mkv", reader.info, OutputOptions(compare=kind)) as writers:
            writers.write(blurry, sharp)
    with av.open(str(tmp_path / "o_compare.mkv")) as container:
        frame = next(container.decode(video=0))
        shown = np.rot90(frame.to_ndarray(format="gray"), frame.rotation // 90)
    height, width = (32, 48) if turn % 180 == 0 else (48, 32)
    assert shown.shape == (height, width * (2 if kind == "side" else 1))
    quarter = shown.shape[1] // 4
    assert (shown[:, :quarter] < 30).all() and (shown[:, -quarter:] > 150).all()


def test_the_comparison_stands_beside_the_output():
    assert comparison_path(Path("a/b.c.mkv")) == Path("a/b.c_compare.mkv")


def test_an_existing_comparison_is_kept_and_nothing_is_written(tmp_path):
    (tmp_path / "o_compare.mkv").write_text("precious")
    with pytest.raises(OutputError):
        OutputWriters(
            tmp_path / "o.mkv", VideoInfo.synthetic(16, 16, 25), OutputOptions(compare="side")
        )
    assert [path.name for path in tmp_path.iterdir()] == ["o_compare.mkv"]


def test_slow_motion_keeps_the_clock(tmp_path):
    info = SlowMotion(2).info(VideoInfo.synthetic(16, 16, 25))
    picture = np.zeros((16, 16, 3), np.uint8)
    with OutputWriters(tmp_path / "o.mkv", info, OutputOptions()) as writers:
        for index in range(6):
            frame = frame_at(index, picture, rate=50)
            writers.write(frame, frame)
    with open_video(tmp_path / "o.mkv") as reader:
        assert reader.info.average_rate == 50
        assert [float(frame.time) for frame in reader] == [0, 0.02, 0.04, 0.06, 0.08, 0.1]


def test_writers_go_when_they_are_done_with(recording, tmp_path):
    """Not only when Python collects garbage: it knows nothing of the memory that encoders hold."""
    gc.collect()
    gc.disable()
    try:
        Deblurrer(method="sdm").run(
            recording.blurry, recording.spikes, tmp_path / "out.mkv", segment=2, compare="side"
        )
        gc.set_debug(gc.DEBUG_SAVEALL)
        gc.collect()
        left = {type(each).__name__ for each in gc.garbage}
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()
    assert not left & {"OutputWriters", "SegmentWriter", "VideoWriter", "OutputContainer"}, left
