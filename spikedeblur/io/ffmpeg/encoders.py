"""Choosing and checking a video encoder: its name, pixel format and options, before any work."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache

import av
from av.codec.context import CodecContext

from spikedeblur.errors import UsageError
from spikedeblur.io.colour_tags import PixelLayout
from spikedeblur.io.ffmpeg.containers import MOVIE, MPEG
from spikedeblur.io.ffmpeg.hdr import HdrMetadata
from spikedeblur.io.ffmpeg.logs import errors_said
from spikedeblur.io.ffmpeg.pixel_formats import FORMATS, choose_pixel_format, formats_taken, nearest
from spikedeblur.io.ffmpeg.scheduling import ordinary_priority
from spikedeblur.io.guards.encoder_files import refuse_files
from spikedeblur.io.video_info import VideoInfo

# Visually lossless on each encoder's own scale: detail is what the program makes.
_DEFAULT_CRF = {
    "libx264": 16,
    "libx264rgb": 16,
    "libx265": 16,
    "libvpx-vp9": 20,
    "libvpx": 10,
    "libsvtav1": 20,
}
# Codes of 10 bits are four times finer: to keep flat colours within 4 of them takes this.
_DEEP_CRF = {"libx264": 10, "libx265": 8, "libsvtav1": 10}
_DEEP_CHROMA = "cbqpoffs=-4:crqpoffs=-4"
_DEFAULT_PRESET = {
    "libx264": "medium",
    "libx264rgb": "medium",
    "libx265": "medium",
    "libsvtav1": "6",
}
# What every player shows of a movie file: these encoders, 4:2:0, of 8 bits or of 10.
_PLAYED_ENCODERS = (None, "libx264", "libx265")
_PLAYED_FORMATS = ("yuv420p", "yuv420p10le")
# FFV1 can be put into MP4 too, but no player expects it there.
_LOSSLESS_HOMES = frozenset({"matroska", "avi", "nut"})
# Below, libx265 (4.1) writes outside its memory: seen at widths of 33 to 48 pixels.
_X265_MIN_WIDTH = 64
# Encoders without --crf would aim at 200 kbit/s; they get the finest quantiser that they use well.
_LAMBDA = 118  # FF_QP2LAMBDA
_FINE = {"flags": "+qscale", "global_quality": str(2 * _LAMBDA)}
_FINE_ENCODERS = (
    "mpeg4",
    "mpeg2video",
    "mpeg1video",
    "msmpeg4",
    "msmpeg4v2",
    "wmv1",
    "wmv2",
    "flv",
    "h263p",
    "mjpeg",
)
# NVENC has its own quality that it calls cq, for a bitrate of any height.
_NVENC = {"rc": "vbr", "cq": "16", "b": "0"}
# Every FFV1 frame stands alone, so that a damaged one cannot spoil those after it. VP8 takes its
# crf for the best that a bitrate allows; this one allows any.
_FIXED_OPTIONS = {
    "ffv1": {"g": "1", "level": "3", "slicecrc": "1"},
    "libvpx-vp9": {"row-mt": "1", "cpu-used": "2"},
    "libvpx": {"b": "1000000000"},
}
_ONLY_CODECS = {"gif": "gif", "yuv4mpegpipe": "rawvideo"}
# Formats whose muxers do not list the codecs they hold.
_UNLISTED = {**{name: {"mpeg2video"} for name in MPEG}, "mpegts": {"libx264", "libx265"}}


@dataclass(frozen=True)
class EncoderSettings:
    """Settings of a video file; `None` and "auto" leave the choice to the input.

    codec: an encoder of FFmpeg. crf: quality on its own scale, lower is better. preset: its trade
    of speed for size. pix_fmt: a pixel format. encoder_options: further ones, by their names.
    audio, subtitles: whether those of the input are copied.
    """

    codec: str | None = None
    crf: float | None = None
    preset: str | None = None
    pix_fmt: str = "auto"
    encoder_options: Mapping[str, str] | None = None
    audio: bool = True
    subtitles: bool = True


AS_INPUT = EncoderSettings()
"""What fits the input."""


@dataclass(frozen=True)
class EncoderChoice:
    """An encoder that exists, with a pixel format and options that it has."""

    codec: str
    pix_fmt: str
    options: dict[str, str]
    warnings: tuple[str, ...]


def choose_encoder(
    settings: EncoderSettings, info: VideoInfo, container: str, held: set[str]
) -> EncoderChoice:
    """Choose for video like `info`, in a format that can hold `held`.

    Raises `UsageError` for a codec, pixel format or option that does not exist or does not fit.
    """
    warnings: list[str] = []
    source, played = info, _played_format(settings, info, container)
    if played is not None:
        info = replace(info, pix_fmt=played, lossless=False)
    codec = settings.codec or _default_codec(settings.pix_fmt, info, container, held)
    encoder = _encoder(codec)
    if encoder.name == "libx265" and info.width < _X265_MIN_WIDTH:
        raise UsageError(
            f"libx265 fails on frames narrower than {_X265_MIN_WIDTH} pixels (got "
            f"{info.width}) - choose libx264 or ffv1"
        )
    if info.lossless and settings.codec is None and not encoder.lossless:
        warnings.append(
            f"the input is lossless, the output is not ({encoder.name}): .mkv can hold "
            "it without loss"
        )
    pix_fmt = choose_pixel_format(
        settings.pix_fmt, info, encoder.name, formats_taken(encoder, container), warnings
    )
    if played is not None:
        warnings.append(_played_notice(source, PixelLayout.of(pix_fmt)))
    options = _options(settings, encoder, PixelLayout.of(pix_fmt), info.hdr)
    if info.hdr is not None and info.hdr.parameters(encoder.name) is None:
        warnings.append(
            f"the mastering display and light levels are not kept by {encoder.name}: "
            "--codec libx265 keeps them"
        )
    return EncoderChoice(encoder.name, pix_fmt, options, tuple(warnings))


def _played_format(settings: EncoderSettings, info: VideoInfo, container: str) -> str | None:
    """The pixel format that players show, for a movie of what they do not; None for others."""
    rgb = PixelLayout.of(info.pix_fmt).family == "rgb"
    chosen = settings.pix_fmt != "auto" or settings.codec not in _PLAYED_ENCODERS
    if chosen or container not in MOVIE or not (rgb or info.lossless):
        return None
    return _PLAYED_FORMATS[info.bit_depth > 8]


def _played_notice(source: VideoInfo, written: PixelLayout) -> str:
    """Return, in one line, what a movie for players does to RGB and to lossless video."""
    rgb = PixelLayout.of(source.pix_fmt).family == "rgb"
    kind = ", ".join(["RGB"] * rgb + ["lossless"] * source.lossless)
    reduced = ""
    if source.bit_depth > written.depth:
        reduced = f" ({source.bit_depth} bits are reduced to {written.depth})"
    return (
        f"{source.pix_fmt} ({kind}) becomes {written.name}{reduced}, as players show it: .mkv "
        f"can hold {'it without loss' if source.lossless else 'RGB'}"
    )


def _default_codec(wanted: str, info: VideoInfo, container: str, held: set[str]) -> str:
    """Keep lossless, RGB and depth as they are; or give the pixel format `wanted`."""
    if container in _ONLY_CODECS:
        return _ONLY_CODECS[container]
    held = held | _UNLISTED.get(container, set())
    ranked = [
        name
        for name in _ranked_codecs(wanted, info, container)
        if name in av.codecs_available and (name in held or container == "webm")
    ]
    for name in ranked:
        if wanted == "auto" or wanted in formats_taken(_encoder(name)):
            return name
    if ranked:
        return ranked[0]  # which says what it has instead
    raise UsageError(
        f"no encoder is known for the format {container} - name one by --codec, or use .mkv or .mp4"
    )


def _ranked_codecs(wanted: str, info: VideoInfo, container: str) -> tuple[str, ...]:
    """Encoders for a format, the best first; not all of them may be there."""
    known = wanted != "auto" and wanted in FORMATS
    layout = PixelLayout.of(wanted if known else info.pix_fmt)
    if container == "webm":
        ranked = ("libvpx-vp9", "libsvtav1")
        return ranked if layout.depth <= 8 else ranked[::-1]
    plain = "libx264rgb" if layout.family == "rgb" else "libx264"
    deep = layout.depth > 8 and info.codec != "h264" and info.width >= _X265_MIN_WIDTH
    lossless = ("ffv1",) if info.lossless and container in _LOSSLESS_HOMES else ()
    others = ("libx265", "libtheora", "mpeg2video", *(_FINE_ENCODERS if wanted != "auto" else ()))
    return (*lossless, "libx265" if deep else plain, plain, "libx264", *others)


def _encoder(name: str) -> av.Codec:
    try:
        encoder = av.Codec(name, "w")
    except (av.FFmpegError, ValueError):
        known = sorted(each for each in av.codecs_available if _is_video_encoder(each))
        raise UsageError(f"there is no video encoder '{name}'{nearest(name, known)}") from None
    if encoder.type != "video":
        raise UsageError(
            f"'{name}' encodes {encoder.type}, not video - choose libx264, libx265, ffv1, ..."
        )
    return encoder


def _is_video_encoder(name: str) -> bool:
    try:
        return av.Codec(name, "w").type == "video"
    except (av.FFmpegError, ValueError):
        return False


def _options(
    settings: EncoderSettings, encoder: av.Codec, layout: PixelLayout, hdr: HdrMetadata | None
) -> dict[str, str]:
    """The options to give the encoder: the caller's, checked, over our own defaults."""
    known = _known_options(encoder.name)
    deep = layout.depth > 8
    default_crf = _DEFAULT_CRF | _DEEP_CRF if deep else _DEFAULT_CRF
    given = dict(settings.encoder_options or {})
    options = dict(_FIXED_OPTIONS.get(encoder.name, {}))
    if encoder.name in _FINE_ENCODERS and "b" not in given:
        options.update(_FINE)
    if encoder.name.endswith("_nvenc") and not {"b", "cq", "qp", "rc"} & set(given):
        options.update(_NVENC)
    for name, value, table in (
        ("crf", settings.crf, default_crf),
        ("preset", settings.preset, _DEFAULT_PRESET),
    ):
        if value is not None and name not in known:
            raise UsageError(
                f"{encoder.name} has no {name} - leave --{name} out, or choose libx264 or libx265"
            )
        if value is not None:
            options[name] = f"{value:g}" if isinstance(value, float) else str(value)
        elif name in known and encoder.name in table and not {"qp", "b", "lossless"} & set(given):
            options[name] = str(table[encoder.name])
    for name, option in given.items():
        if name not in known:
            raise UsageError(f"{encoder.name} has no option '{name}'{nearest(name, known)}")
        refuse_files(name, str(option))
        options[name] = str(option)
    if encoder.name == "libx265":
        own = ["log-level=error", *([_DEEP_CHROMA] if deep and layout.family != "rgb" else [])]
        _put_before(options, "x265-params", ":".join(own))
    if hdr is not None and (parameters := hdr.parameters(encoder.name)) is not None:
        _put_before(options, *parameters)
    return options


def _put_before(options: dict[str, str], name: str, text: str) -> None:
    """Add parameters to an option that takes many; the caller's come last, and so win."""
    options[name] = ":".join([text, *filter(None, [options.get(name)])])


@cache
def _known_options(codec: str) -> frozenset[str]:
    found = CodecContext.create(codec, "w").supported_options
    return frozenset(option.name for option in (*found.generic, *found.private))


def open_encoder(context: CodecContext, choice: EncoderChoice) -> None:
    """Open the encoder now, so that values it refuses are errors before the first frame."""
    os.environ.setdefault("SVT_LOG", "1")  # SVT-AV1 has no other way to keep quiet
    context.options = choice.options
    try:
        with errors_said() as errors, ordinary_priority():
            context.open()
    except (av.FFmpegError, ValueError) as error:
        reason = "; ".join(" ".join(text.split()) for _, _, text in errors) or str(error)
        raise UsageError(
            f"the encoder {choice.codec} refuses these settings ({reason}) - check "
            "--crf, --preset, --pix-fmt and -e"
        ) from error
