"""Opening files as video safely, and what each container can hold."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from functools import lru_cache
from pathlib import Path

import av
from av.container import InputContainer, OutputContainer
from av.stream import DataStream, Stream

from spikedeblur.errors import InputError, SpikedeblurError, UsageError
from spikedeblur.io.atomic import cannot_write
from spikedeblur.io.ffmpeg.refusals import refusal
from spikedeblur.io.guards.limits import decoder_options
from spikedeblur.io.pipes import destination

# Formats that hold the video themselves. Playlists and scripts, which make FFmpeg read other
# files, are not among them, whatever a file's name.
_DEMUXERS = ",".join(
    (
        "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,mpegts,mpegtsraw,mpeg,mpegvideo,avi,h261,h263,h264",
        "hevc,vvc,vc1,obu,av1,avs2,avs3,cavsvideo,dirac,dnxhd,mjpeg,mjpeg_2000,ivf,nut,ogg,flv",
        "live_flv,kux,asf,mxf,mxg,dv,m4v,yuv4mpegpipe,gif,apng,webp_pipe,rm,ivr,wtv,gxf,lxf,swf,roq",
        "cine,fits,r3d,nsv,nuv,pva,pmp,dhav,ifv,kvag,film_cpk,flic,smk,bink,4xm,idcin,ipmovie,ea",
        "wc3movie,vmd,vivo,thp,xmv,mods,moflex,avr,avs,anm,c93,bfi,bethsoftvid,cdxl,dfa,dxa,hnm,iv8",
        "jv,lmlm4,lvf,mgsts,mm,mtv,mv,mvi,nc,psxstr,rl2,rpl,sdr2,ser,siff,tiertexseq,tmv,ty,txd",
        "vividas,wsvqa,yop,gdv,filmstrip,frm,jpegxl_anim,wav,mp3,flac,aac",
    )
)
MATROSKA = frozenset({"matroska", "webm"})
_PROGRAM = frozenset({"mpeg", "vob", "dvd", "svcd", "vcd"})
MPEG = _PROGRAM | {"mpegts"}
MOVIE = frozenset({"mp4", "mov", "ipod", "3gp", "3g2", "psp", "f4v"})
# Container formats with their own grid of times.
TIME_GRIDS = {
    "matroska": Fraction(1, 1000),
    "webm": Fraction(1, 1000),
    "flv": Fraction(1, 1000),
    **dict.fromkeys(MPEG, Fraction(1, 90_000)),
    "gif": Fraction(1, 100),
}
_CANDIDATES = (("matroska", ".mkv"), ("mp4", ".mp4"), ("mov", ".mov"), ("avi", ".avi"))
# These muxers write headers for any codec, but what is beside the ones they know is lost.
_TAKE_ANYTHING = {
    "mpegts": frozenset(
        {
            "h264",
            "hevc",
            "mpeg2video",
            "aac",
            "ac3",
            "eac3",
            "mp2",
            "mp3",
            "dts",
            "truehd",
            "opus",
            "dvb_subtitle",
            "dvb_teletext",
            "hdmv_pgs_subtitle",
        }
    ),
    **dict.fromkeys(
        _PROGRAM,
        frozenset({"mpeg1video", "mpeg2video", "ac3", "mp2", "mp3", "dts", "dvd_subtitle"}),
    ),
}
# Formats that are written in one go, with no way back.
_PIPED = MATROSKA | {"yuv4mpegpipe", "nut", "mpegts", "h264", "hevc"}
# Formats without times: frames follow each other at one rate.
CONSTANT_RATE = frozenset({"avi", "mxf", "yuv4mpegpipe", "rawvideo", "h264", "hevc"})
# Formats whose streams all begin together, against their times.
BEGIN_TOGETHER = frozenset({"avi", "mxf"})


def error_text(error: BaseException) -> str:
    """Return the message of FFmpeg or the system, without the file's name, on one line."""
    text = getattr(error, "strerror", None) or str(error)
    return " ".join(text.split())


def codec_name(stream: Stream) -> str:
    """The codec of a stream; PyAV has no name for streams that nothing here can decode."""
    if stream.codec_context is not None:
        return stream.codec_context.name
    return (stream.name if isinstance(stream, DataStream) else None) or "unknown"


def open_input(path: Path, max_pixels: int | None = None) -> InputContainer:
    """Open a video file for reading; only this file is read, not what it refers to.

    max_pixels: of a frame, by default `limits.max_pixels`. Already to find out what the streams
    are, cover pictures among them, FFmpeg decodes a frame of each; larger ones have no size then.
    Raises `InputError` when it is missing, a folder, a pipe, or in no video format that is known.
    """
    if path.is_dir():
        raise InputError(
            f"{path} is a folder, not a video - name a file, or an image sequence "
            "such as folder/%05d.png"
        )
    if not path.exists() and "%" in path.name:
        raise InputError(
            f"there is no file {path}, and only PNG and TIFF are read as image "
            "sequences - convert the images, or make a video of them"
        )
    if not path.exists():
        raise InputError(f"there is no file {path} - check the name")
    if not path.is_file():
        raise InputError(f"{path} is a pipe or a device - give - to read standard input")
    try:
        return av.open(
            f"file:{path.resolve()}",
            "r",
            metadata_errors="surrogateescape",
            options={
                "protocol_whitelist": "file",
                "format_whitelist": _DEMUXERS,
                **decoder_options(max_pixels),
            },
        )
    except av.FFmpegError as error:
        raise InputError(
            f"cannot read {path} as a video ({error_text(error)}) - {refusal(path)}"
        ) from error
    except OSError as error:
        raise InputError(
            f"cannot read {path} ({error_text(error)}) - check its permissions"
        ) from error


@contextmanager
def open_output(
    path: Path, container: str, overwrite: bool, after: Callable[[Path], None] | None = None
) -> Iterator[OutputContainer]:
    """Open a file for writing, which appears at `path`, whole, when the block ends well.

    after: called with the finished file, under its temporary name; not for standard output.
    Raises `OutputError` for what the file system refuses.
    """
    with output_errors(path), destination(path, overwrite) as target:
        output = av.open(target, "w", format=container, metadata_errors="surrogateescape")
        try:
            yield output
            output.close()
            if after is not None and target.startswith("file:"):
                after(Path(target.removeprefix("file:")))
        except BaseException:
            with suppress(av.FFmpegError, OSError):  # a full disk makes it raise a second time
                output.close()
            raise


@contextmanager
def output_errors(path: Path) -> Iterator[None]:
    """Turn FFmpeg's errors, which are no plain OSErrors, into `OutputError`."""
    try:
        yield
    except (SpikedeblurError, BrokenPipeError):
        raise  # already reported, or nobody is left to read the output
    except (av.FFmpegError, OSError) as error:
        raise cannot_write(path, error) from error


@lru_cache
def codecs_held(container: str) -> set[str]:
    """Names of the codecs that a container format can hold."""
    with av.open(io.BytesIO(), "w", format=container) as trial:
        return set(trial.supported_codecs)


def container_of(path: Path) -> str:
    """The name of the container format that the suffix of `path` stands for."""
    suffix = path.suffix.lower()
    # FFmpeg's m4v is a raw stream; what is so called is iTunes' MP4.
    known = {
        ".mkv": "matroska",
        ".m4v": "ipod",
        ".ts": "mpegts",
        ".m2ts": "mpegts",
        ".mts": "mpegts",
        ".ogv": "ogg",
        ".mpg": "mpeg",
        ".y4m": "yuv4mpegpipe",
        ".264": "h264",
        ".265": "hevc",
    }
    if suffix in known:
        return known[suffix]
    with suppress(ValueError):
        return av.format.ContainerFormat(suffix.lstrip("."), "w").name
    raise UsageError(
        f"no video format is known by the suffix '{path.suffix}' ({path}) - use .mkv, "
        ".mp4, .mov or .webm"
    )


def pipe_container(path: Path) -> str:
    """The format of standard output: Matroska, or that of the suffix behind the dash."""
    container = container_of(path) if path.suffix else "matroska"
    if container not in _PIPED:
        raise UsageError(
            f"{path.suffix} cannot be written to a pipe ({path}) - use - for Matroska, or -.y4m, "
            "-.nut, -.ts, or write a file"
        )
    return container


# Their packets are, in MP4 and Matroska, a length and what it counts, and no start codes.
_LENGTH_FIRST = frozenset({"h264", "hevc", "vvc"})


def can_hold(stream: Stream, container: str) -> bool:
    """Return whether a header with a copy of `stream` can be written; it is tried in memory."""
    if stream.codec_context is None:
        return False
    named = _TAKE_ANYTHING.get(container)
    codec = stream.codec_context.codec.canonical_name
    if named is not None and codec not in named:
        return False
    header = stream.codec_context.extradata or b""
    if container == "avi" and codec in _LENGTH_FIRST and header[:1] == b"\1":
        return False  # the muxer finds no start codes in the packets, and gives up at the first
    try:
        with av.open(io.BytesIO(), "w", format=container) as trial:
            trial.add_stream_from_template(stream, opaque=True)
            trial.start_encoding()
    except (av.FFmpegError, ValueError):
        return False
    return True


def container_advice(stream: Stream) -> str:
    """Name the kind of file that holds a stream as it is."""
    better = next(
        (suffix for container, suffix in _CANDIDATES if can_hold(stream, container)), None
    )
    return f"use {better}" if better else "no format that is written here can hold it"
