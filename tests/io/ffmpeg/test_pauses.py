"""Sound that pauses: where a format gives it no times of its own, silence takes its place."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from tests.io.clips import pass_through

RATE, PACKET = 8000, 400  # packets of 50 ms
PLAYED = [*range(20), *range(40, 50), *range(75, 80)]  # of 80: two pauses, of 1 and 1.25 s


def recording(path: Path, codec: str, layout: str = "mono") -> Path:
    """Four seconds of video, and a tone that is not there all the time."""
    with av.open(str(path), "w") as output:
        video = output.add_stream("mpeg4", rate=5)
        video.width, video.height, video.pix_fmt = 32, 32, "yuv420p"
        sound = output.add_stream(codec, rate=RATE)
        sound.layout = layout
        for number in range(20):
            frame = av.VideoFrame(32, 32, "yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, 5)
            output.mux(video.encode(frame))
        output.mux(video.encode(None))
        resampler = av.AudioResampler(sound.codec_context.format.name, layout, RATE)
        for number in range(80):
            tone = np.full((1, PACKET * sound.codec_context.channels), 8000, np.int16)
            frame = av.AudioFrame.from_ndarray(tone, "s16", layout)
            frame.sample_rate, frame.pts = RATE, number * PACKET
            frame.time_base = Fraction(1, RATE)
            for ready in resampler.resample(frame):
                packets = sound.encode(ready)
                if number in PLAYED:
                    output.mux(packets)
    return path


def heard(path: Path) -> tuple[np.ndarray, float]:
    """Which samples are not silent, and when the sound ends."""
    with av.open(str(path)) as container:
        frames = list(container.decode(audio=0))
    end = float(frames[-1].time + frames[-1].samples / RATE)
    resampler = av.AudioResampler("s16", "mono", RATE)
    parts = [part.to_ndarray()[0] for frame in frames for part in resampler.resample(frame)]
    return np.abs(np.concatenate(parts)) > 2000, end


@pytest.mark.parametrize("codec", ["pcm_s16le", "pcm_s24le", "pcm_mulaw", "pcm_u8"])
@pytest.mark.parametrize("suffix", [".mov", ".avi"])
def test_silence_fills_the_pauses_of_pcm(codec: str, suffix: str, tmp_path: Path) -> None:
    source = recording(tmp_path / ("in.nut" if codec == "pcm_mulaw" else "in.mkv"), codec)
    warnings, _ = pass_through(source, tmp_path / f"out{suffix}")
    [said] = [each for each in warnings if "pauses" in each]
    assert "stream 1 pauses (1.00 s at 1.00 s, and 1 more)" in said
    assert said.endswith(f"{suffix[1:]} cannot hold: silence fills it")
    sounds, end = heard(tmp_path / f"out{suffix}")
    expected = np.repeat(np.isin(np.arange(80), PLAYED), PACKET)
    assert end == pytest.approx(4.0, abs=1e-3) and len(sounds) == len(expected)
    assert np.count_nonzero(sounds != expected) <= 4 * RATE // 1000  # Matroska's milliseconds


def test_the_channels_stay_together(tmp_path: Path) -> None:
    source = recording(tmp_path / "in.mkv", "pcm_s16le", "stereo")
    pass_through(source, tmp_path / "out.mov")
    sounds, end = heard(tmp_path / "out.mov")
    assert end == pytest.approx(4.0, abs=1e-3) and len(sounds) == 4 * RATE


@pytest.mark.parametrize("suffix", [".mkv", ".mp4"])
def test_where_sound_has_times_nothing_is_filled_or_said(suffix: str, tmp_path: Path) -> None:
    codec = "pcm_s16le" if suffix == ".mkv" else "ac3"
    source = tmp_path / "in.mkv"
    recording(source, codec) if codec != "ac3" else compressed(source)
    before = heard_times(source)
    warnings, _ = pass_through(source, tmp_path / f"out{suffix}")
    assert not [each for each in warnings if "pauses" in each]
    np.testing.assert_allclose(heard_times(tmp_path / f"out{suffix}"), before, atol=2e-3)


def test_a_pause_of_compressed_sound_is_said_of_avi(tmp_path: Path) -> None:
    warnings, _ = pass_through(compressed(tmp_path / "in.mkv"), tmp_path / "out.avi")
    [said] = [each for each in warnings if "pauses" in each]
    assert "(0.99 s at 1.02 s)" in said and "what follows comes early; use .mkv" in said


def compressed(path: Path) -> Path:
    """AC-3 of 2.9 seconds, that of one of them left out."""
    with av.open(str(path), "w") as output:
        video = output.add_stream("mpeg4", rate=5)
        video.width, video.height, video.pix_fmt = 32, 32, "yuv420p"
        sound = output.add_stream("ac3", rate=48000)
        sound.layout = "mono"
        for number in range(15):
            frame = av.VideoFrame(32, 32, "yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, 5)
            output.mux(video.encode(frame))
        output.mux(video.encode(None))
        for number in range(90):
            tone = av.AudioFrame.from_ndarray(np.zeros((1, 1536), np.float32), "fltp", "mono")
            tone.sample_rate, tone.pts, tone.time_base = 48000, number * 1536, Fraction(1, 48000)
            for packet in sound.encode(tone):
                if not 1 <= packet.pts * packet.time_base < 2:
                    output.mux(packet)
    return path


def heard_times(path: Path) -> list[float]:
    with av.open(str(path)) as container:
        return [float(frame.time) for frame in container.decode(audio=0)]
