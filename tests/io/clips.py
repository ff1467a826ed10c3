"""Small clips made on the spot: known colours at known times, with everything beside the video."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.codec.context import Flags
from av.stream import Disposition

from spikedeblur.io.ffmpeg.encoders import EncoderSettings
from spikedeblur.io.video import create_video, open_video
from spikedeblur.io.video_info import VideoFrame, VideoInfo

# Six patches, not too saturated for any matrix in any range; RGB in [0, 1].
PATCHES = np.array(
    [
        [0.0, 0.0, 0.0],
        [1.0, 1.0, 1.0],
        [0.75, 0.25, 0.25],
        [0.25, 0.7, 0.3],
        [0.2, 0.3, 0.8],
        [0.5, 0.5, 0.5],
    ]
)
LUMA = {1: (0.2126, 0.0722), 5: (0.299, 0.114), 6: (0.299, 0.114), 9: (0.2627, 0.0593)}


@dataclass(frozen=True)
class Clip:
    """A recipe. `matrix` is what the pixels are made with, `tags` what the file says."""

    suffix: str = ".mp4"
    codec: str = "libx264"
    pix_fmt: str = "yuv420p"
    size: tuple[int, int] = (96, 64)
    times: tuple[int, ...] = tuple(range(0, 7 * 512, 512))
    time_base: Fraction = Fraction(1, 12800)
    rate: Fraction = Fraction(25)
    matrix: int = 6
    full: bool = False
    tags: tuple[int, int, int, int] = (2, 0, 2, 2)  # matrix, range, primaries, transfer
    rotation: int = 0
    aspect: Fraction | None = None
    audio: bool = False
    language: str = "eng"  # of the audio
    subtitles: int = 0
    chapters: bool = False
    attachment: bool = False
    options: dict[str, str] = field(default_factory=dict)


def patch_image(index: int, size: tuple[int, int]) -> np.ndarray:
    """(H, W, 3) in [0, 1]: the patches in two rows of three, shifted on by one in every frame."""
    width, height = size
    rows = (np.arange(height) * 2 // height)[:, None]
    columns = (np.arange(width) * 3 // width)[None, :]
    return PATCHES[(rows * 3 + columns + index) % len(PATCHES)]


def patch_centres(size: tuple[int, int]) -> list[tuple[int, int]]:
    """(row, column) of the middle of every patch."""
    return [
        (size[1] * (2 * row + 1) // 4, size[0] * (2 * column + 1) // 6)
        for row in range(2)
        for column in range(3)
    ]


def yuv_planes(rgb: np.ndarray, matrix: int, full: bool, depth: int) -> list[np.ndarray]:
    """Codes by the definition of ITU-R BT.601/709/2020, in double precision."""
    kr, kb = LUMA[matrix]
    luma = kr * rgb[..., 0] + (1 - kr - kb) * rgb[..., 1] + kb * rgb[..., 2]
    blue = (rgb[..., 2] - luma) / (2 - 2 * kb)
    red = (rgb[..., 0] - luma) / (2 - 2 * kr)
    top, unit = 2**depth - 1, 2 ** (depth - 8)
    if full:
        codes = [luma * top, blue * top + 128 * unit, red * top + 128 * unit]
    else:
        codes = [(219 * luma + 16) * unit, (224 * blue + 128) * unit, (224 * red + 128) * unit]
    return [np.clip(np.round(each), 0, top) for each in codes]


def picture(clip: Clip, index: int) -> av.VideoFrame:
    """One frame of a clip, its planes filled without swscale; chroma is every nth pixel's."""
    frame = av.VideoFrame(*clip.size, clip.pix_fmt)
    depth = frame.format.components[0].bits
    rgb = patch_image(index, clip.size)
    if frame.format.is_rgb:
        return av.VideoFrame.from_ndarray(np.round(rgb * 255).astype(np.uint8)).reformat(
            format=clip.pix_fmt
        )
    for plane, codes in zip(
        frame.planes, yuv_planes(rgb, clip.matrix, clip.full, depth), strict=True
    ):
        down, across = -(-clip.size[1] // plane.height), -(-clip.size[0] // plane.width)
        dtype = np.uint8 if depth == 8 else np.uint16
        rows = np.frombuffer(memoryview(plane), dtype).reshape(plane.height, -1)
        rows[:, : plane.width] = codes[::down, ::across]
    return frame


def make_clip(folder: Path, clip: Clip, name: str = "clip") -> Path:
    """Encode a clip with PyAV alone, at the highest quality the codec has by `options`."""
    path = folder / (name + clip.suffix)
    movie = clip.suffix in {".mp4", ".mov"}
    options = {"movie_timescale": "90000"} if movie else {}
    with av.open(str(path), "w", container_options=options) as output:
        output.metadata["title"] = "A clip"
        video = output.add_stream(clip.codec, rate=clip.rate)
        context = video.codec_context
        context.width, context.height = clip.size
        context.pix_fmt, context.time_base = clip.pix_fmt, clip.time_base
        context.colorspace, context.color_range = clip.tags[:2]
        context.color_primaries, context.color_trc = clip.tags[2:]
        context.flags |= Flags.frame_duration
        context.options = _options(clip)
        if clip.aspect:
            context.sample_aspect_ratio = clip.aspect
        if clip.rotation:
            video.set_display_rotation(clip.rotation)
        sound = _add_sound(output, clip.language) if clip.audio else None
        texts = [
            _add_text(output, movie, language) for language in ("eng", "deu")[: clip.subtitles]
        ]
        if clip.chapters:
            output.set_chapters(
                [
                    {
                        "id": number,
                        "start": number * 100,
                        "end": number * 100 + 100,
                        "time_base": Fraction(1, 1000),
                        "metadata": {"title": f"part {number}"},
                    }
                    for number in range(2)
                ]
            )
        if clip.attachment:
            output.add_attachment("note.txt", "text/plain", b"attached bytes")
        _encode(output, video, clip)
        if sound is not None:
            _encode_sound(output, sound)
        for stream in texts:
            _write_text(output, stream, movie)
    return path


def pass_through(source: Path, target: Path, **options: object) -> tuple[list[str], VideoInfo]:
    """Write every frame of `source` unchanged to `target`; return warnings and the input's info."""
    settings = EncoderSettings(**options)
    with open_video(source) as reader, create_video(target, reader.info, settings) as writer:
        for frame in reader:
            writer.write(frame)
    return reader.warnings + writer.warnings, reader.info


def frames_of(path: Path, **options: object) -> list[VideoFrame]:
    """All frames of a video."""
    with open_video(path, **options) as reader:
        return list(reader)


def packets_of(path: Path) -> dict[int, list[tuple[bytes, Fraction, Fraction]]]:
    """(bytes, begin, duration) of every packet of the streams that are not video, by stream."""
    found: dict[int, list[tuple[bytes, Fraction, Fraction]]] = {}
    with av.open(str(path)) as container:
        others = [each for each in container.streams if each.type in {"audio", "subtitle"}]
        for packet in container.demux(*others) if others else ():
            if packet.size:
                base = packet.time_base
                found.setdefault(packet.stream.index, []).append(
                    (bytes(packet), packet.pts * base, packet.duration * base)
                )
    return found


def _options(clip: Clip) -> dict[str, str]:
    lossless = {
        "libx264": {"qp": "0"},
        "libx264rgb": {"qp": "0"},
        "ffv1": {"g": "1"},
        "libx265": {"x265-params": "log-level=error:lossless=1"},
    }
    return {**lossless.get(clip.codec, {}), **clip.options}


def _encode(output: av.container.OutputContainer, video: av.VideoStream, clip: Clip) -> None:
    durations = dict(
        zip(
            clip.times,
            np.diff((*clip.times, 2 * clip.times[-1] - clip.times[-2]))
            if len(clip.times) > 1
            else [512],
            strict=True,
        )
    )
    packets = []
    for index, pts in enumerate(clip.times):
        frame = picture(clip, index)
        frame.pts, frame.time_base = pts, clip.time_base
        frame.duration = int(durations[pts])
        packets += video.encode(frame)
    for packet in video.encode(None):
        if len(clip.times) < 3:
            packet.dts = packet.pts  # libx265 leaves it uninitialised
        packets.append(packet)
    if clip.suffix in {".mp4", ".mov"}:  # whose muxer adds up durations in decoding order
        shown = clip.times[-1] + int(durations[clip.times[-1]]) - clip.times[0]
        packets[-1].duration = max(shown - (packets[-1].dts - packets[0].dts), 1)
    output.mux(packets)


def _add_sound(output: av.container.OutputContainer, language: str) -> av.AudioStream:
    stream = output.add_stream("aac", rate=48000)
    stream.codec_context.layout = "mono"
    stream.metadata["language"] = language
    return stream


def _encode_sound(output: av.container.OutputContainer, stream: av.AudioStream) -> None:
    for block in range(14):
        phase = np.arange(block * 1024, block * 1024 + 1024) / 48000
        tone = np.sin(2 * np.pi * 440 * phase).astype(np.float32)[None]
        frame = av.AudioFrame.from_ndarray(tone, format="fltp", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = 48000, block * 1024, Fraction(1, 48000)
        output.mux(stream.encode(frame))
    output.mux(stream.encode(None))


def _add_text(output: av.container.OutputContainer, movie: bool, language: str) -> av.stream.Stream:
    stream = output.add_mux_stream("mov_text" if movie else "subrip")
    stream.time_base = Fraction(1, 1000)
    stream.metadata["language"] = language
    if language == "deu":
        stream.disposition = Disposition.forced
    return stream


def _write_text(
    output: av.container.OutputContainer, stream: av.stream.Stream, movie: bool
) -> None:
    for number in range(2):
        text = f"line {number} of {stream.metadata['language']}".encode()
        packet = av.Packet(len(text).to_bytes(2, "big") + text if movie else text)
        packet.stream, packet.time_base = stream, Fraction(1, 1000)
        packet.pts = packet.dts = 20 + number * 100
        packet.duration = 80
        output.mux(packet)
