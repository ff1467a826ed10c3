"""Encoders of every kind: nearly lossless without being told, and in the formats named after them.

That files come out with the encoder chosen, and what is refused, is in test_writer.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from spikedeblur.errors import UsageError
from spikedeblur.io.colour_tags import PixelLayout
from spikedeblur.io.ffmpeg.containers import codecs_held
from spikedeblur.io.ffmpeg.encoders import EncoderSettings, choose_encoder
from spikedeblur.io.video import create_video
from spikedeblur.io.video_info import VideoFrame, VideoInfo
from tests.io.clips import frames_of

SIZE = (64, 96)  # rows, columns


def picture(number: int) -> np.ndarray:
    """Grey noise over stripes, (H, W, 3) uint8: costly to encode, and none of it in the chroma."""
    rng = np.random.default_rng(number)
    light = rng.normal(100, 25, SIZE) + 40 * (np.arange(SIZE[1]) // 8 % 2)
    return np.repeat(np.clip(light, 20, 230)[..., None], 3, axis=2).astype(np.uint8)


def psnr_of(path: Path, codec: str | None, **options: object) -> tuple[float, list[str]]:
    """(dB of the luma after one generation, warnings)."""
    pictures = [picture(number) for number in range(6)]
    info = VideoInfo.synthetic(SIZE[1], SIZE[0], 25, "yuv420p")
    with create_video(path, info, EncoderSettings(codec, **options)) as writer:
        for number, rgb in enumerate(pictures):
            writer.write(VideoFrame(number, number, Fraction(1, 25), 1, Fraction(1, 25), rgb))
    seen = [frame.rgb.astype(float).mean(2) for frame in frames_of(path)]
    error = np.mean([(new - old[..., 0]) ** 2 for new, old in zip(seen, pictures, strict=True)])
    return 10 * np.log10(255**2 / error), writer.warnings


@pytest.mark.parametrize(
    "codec,suffix",
    [
        ("mpeg4", ".avi"),
        ("mpeg2video", ".mkv"),
        ("mpeg1video", ".mkv"),
        ("mjpeg", ".avi"),
        ("msmpeg4", ".avi"),
        ("wmv2", ".avi"),
        ("flv", ".flv"),
        ("libvpx", ".webm"),
        ("libx264", ".mkv"),
        (None, ".mpg"),
        (None, ".mxf"),
    ],
)
def test_no_encoder_starves(codec: str | None, suffix: str, tmp_path: Path) -> None:
    """Left to themselves, those without --crf aim at 200 kbit/s: 22 dB here."""
    psnr, _ = psnr_of(tmp_path / f"x{suffix}", codec)
    assert psnr > 36


def test_the_callers_bitrate_is_obeyed(tmp_path: Path) -> None:
    psnr, _ = psnr_of(tmp_path / "x.avi", "mpeg4", encoder_options={"b": "1000"})
    assert psnr < 35


def test_an_animated_gif_says_what_it_does_to_colours(tmp_path: Path) -> None:
    psnr, warnings = psnr_of(tmp_path / "x.gif", None)
    assert psnr > 18 and warnings == ["8 bits are reduced to 3 (rgb8)"]
    assert [frame.time for frame in frames_of(tmp_path / "x.gif")] == [
        Fraction(number, 25) for number in range(6)
    ]


@pytest.mark.parametrize("codec", ["h264_nvenc", "hevc_nvenc", "hevc_qsv", "h264_amf"])
@pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuv420p10le"])
def test_encoders_of_hardware_take_frames_from_memory(codec: str, pix_fmt: str) -> None:
    """Chosen and checked without the hardware; whether it is there shows when they are opened."""
    if codec not in av.codecs_available:
        pytest.skip("this build of PyAV has no such encoder")
    info = VideoInfo.synthetic(640, 360, 25, pix_fmt)
    choice = choose_encoder(EncoderSettings(codec), info, "mp4", {codec})
    assert av.VideoFormat(choice.pix_fmt).components
    deep = PixelLayout.of(choice.pix_fmt).depth > 8
    assert deep == (pix_fmt == "yuv420p10le") or any("reduced" in each for each in choice.warnings)
    assert choice.options.get("b") == ("0" if "nvenc" in codec else None)
    given = choose_encoder(
        EncoderSettings(codec, encoder_options={"b": "5000000"}), info, "mp4", {codec}
    )
    assert given.options == {"b": "5000000"}


FORMATS = ("matroska", "mp4", "mov", "avi", "webm", "mpegts", "mxf", "gif", "nut")
PIXELS = ("yuv420p", "yuv422p10le", "yuv444p12le", "gbrp", "gbrp10le", "gray", "gray16le", "rgb24")


@pytest.mark.parametrize("container", FORMATS)
@pytest.mark.parametrize("pix_fmt", PIXELS)
@pytest.mark.parametrize("lossless", [False, True])
def test_the_choice_fits_the_encoder_and_the_format_by_ffmpegs_own_lists(
    container: str, pix_fmt: str, lossless: bool
) -> None:
    info = replace(VideoInfo.synthetic(64, 48, 25, pix_fmt), lossless=lossless)
    choice = choose_encoder(EncoderSettings(), info, container, codecs_held(container))
    encoder = av.Codec(choice.codec, "w")
    assert choice.pix_fmt in {pixel.name for pixel in encoder.video_formats}
    assert choice.options.keys() <= {
        option.name
        for table in (av.codec.context.CodecContext.create(choice.codec, "w").supported_options,)
        for option in (*table.generic, *table.private)
    }
    reduced = PixelLayout.of(choice.pix_fmt).depth < PixelLayout.of(pix_fmt).depth
    assert reduced == any("bits are reduced" in each for each in choice.warnings)
    kept = lossless and container in ("matroska", "avi", "nut")
    assert (choice.codec == "ffv1") == kept
    if lossless and not kept:
        assert encoder.lossless or any("without loss" in each for each in choice.warnings)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, {"crf": "16", "preset": "medium"}),
        ({"crf": 3.5, "preset": "slow"}, {"crf": "3.5", "preset": "slow"}),
        ({"encoder_options": {"crf": "9"}}, {"crf": "9", "preset": "medium"}),
        ({"encoder_options": {"b": "5000000"}}, {"b": "5000000"}),
        ({"encoder_options": {"qp": "0"}, "preset": "fast"}, {"qp": "0", "preset": "fast"}),
    ],
)
def test_options_of_the_caller_come_before_our_own(settings: dict, expected: dict) -> None:
    info = VideoInfo.synthetic(64, 48, 25, "yuv420p")
    chosen = choose_encoder(EncoderSettings("libx264", **settings), info, "mp4", {"libx264"})
    assert chosen.options == expected


def test_the_callers_parameters_of_x265_come_last_and_win() -> None:
    info = VideoInfo.synthetic(64, 48, 25, "yuv420p10le")
    settings = EncoderSettings("libx265", encoder_options={"x265-params": "log-level=info"})
    text = choose_encoder(settings, info, "mp4", {"libx265"}).options["x265-params"]
    assert text.startswith("log-level=error:") and text.endswith(":log-level=info")


@pytest.mark.parametrize(
    ("pix_fmt", "lossless", "codec", "expected"),
    [
        ("bgr0", False, None, ("libx264", "yuv420p")),
        ("rgb24", True, None, ("libx264", "yuv420p")),
        ("yuv444p", True, None, ("libx264", "yuv420p")),
        ("gbrp10le", True, None, ("libx265", "yuv420p10le")),
        ("rgb48le", True, "libx264", ("libx264", "yuv420p10le")),
        ("rgb24", True, "libx264rgb", ("libx264rgb", "rgb24")),  # who names it wants it
        ("yuv444p", False, None, ("libx264", "yuv444p")),  # as it was, lossy already
    ],
)
def test_rgb_and_lossless_video_becomes_a_movie_for_every_player(
    pix_fmt: str, lossless: bool, codec: str | None, expected: tuple[str, str], tmp_path: Path
) -> None:
    info = replace(VideoInfo.synthetic(96, 64, 25, pix_fmt), lossless=lossless)
    for suffix in (".mp4", ".mov", ".m4v"):
        with create_video(tmp_path / f"x{suffix}", info, EncoderSettings(codec)) as writer:
            rgb = np.full((64, 96, 3), 90, np.uint8)
            writer.write(VideoFrame(0, 0, Fraction(1, 25), 1, Fraction(1, 25), rgb))
        with av.open(str(tmp_path / f"x{suffix}")) as file:
            written = file.streams.video[0].codec_context.pix_fmt
        named = {"libx264": "h264", "libx264rgb": "h264", "libx265": "hevc"}[expected[0]]
        assert (writer.header and named, written.replace("gbrp", "rgb24")) == (named, expected[1])
    said = [each for each in writer.warnings if f"becomes {expected[1]}" in each]
    assert len(said) == (expected[1] not in ("rgb24", "yuv444p"))


@pytest.mark.parametrize(
    ("source", "wanted", "container", "codec"),
    [
        ("bgr0", "yuv420p", "mp4", "libx264"),
        ("yuv420p10le", "yuv420p", "mp4", "libx264"),
        ("yuv420p", "yuv420p10le", "mp4", "libx265"),
        ("yuv420p", "rgb24", "matroska", "libx264rgb"),
        ("yuv420p10le", "yuv444p", "webm", "libvpx-vp9"),
        ("yuv420p", "yuv420p10le", "webm", "libsvtav1"),
        ("yuv420p", "yuvj420p", "avi", "libx264"),
        ("rgb24", "yuv420p", "matroska", "ffv1"),
        ("rgb24", "yuvj420p", "matroska", "libx264"),  # which FFV1 has not
    ],
)
def test_a_pixel_format_alone_chooses_an_encoder_that_has_it(
    source: str, wanted: str, container: str, codec: str
) -> None:
    info = replace(VideoInfo.synthetic(96, 64, 25, source), lossless=source == "rgb24")
    settings = EncoderSettings(pix_fmt=wanted)
    choice = choose_encoder(settings, info, container, codecs_held(container))
    assert (choice.codec, choice.pix_fmt) == (codec, wanted)
    with pytest.raises(UsageError, match="nearest"):
        choose_encoder(
            EncoderSettings(pix_fmt=f"{wanted}x"), info, container, codecs_held(container)
        )
