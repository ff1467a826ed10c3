"""Animated WebP, of which FFmpeg decodes the parts but not the whole.

Each part is given to FFmpeg as a picture of its own, and put over the canvas, or in its place. Only
the canvas and one part are held.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import suppress
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from spikedeblur.errors import InputError
from spikedeblur.io.closing import Closing
from spikedeblur.io.colour import ColourConverter
from spikedeblur.io.colour_tags import FULL, RGB_MATRIX, ColourTags, matrix_of
from spikedeblur.io.guards import limits
from spikedeblur.io.guards.cut_files import missing_bytes
from spikedeblur.io.guards.limits import BYTES_PER_PIXEL, check_pixels, decoder_options
from spikedeblur.io.image_notes import MOST_NOTE_BYTES, NO_NOTES, ImageNotes, with_profile
from spikedeblur.io.video_info import StreamSummary, VideoFrame, VideoInfo
from spikedeblur.io.webp_parts import (
    LEAST_MS,
    AnimationPart,
    animation_parts,
    bytes_at,
    canvas,
    loops_in,
    riff_chunks,
    still,
)

_MOST_DAMAGED_IN_A_ROW = 8
_TICK = Fraction(1, 1000)
_BT601 = 5  # the matrix of WebP's lossy pictures, whose range is limited
_SLACK_BYTES = 1 << 16


class AnimatedWebPReader(Closing):
    """Reads an animated WebP once, as `VideoReader` does a video: the canvas after each part.

    start, end: seconds. strict: any damage is an error. Raises `InputError` for what is too large,
    too damaged, or holds no picture.
    """

    def __init__(
        self,
        path: Path,
        *,
        start: Fraction | None = None,
        end: Fraction | None = None,
        strict: bool = False,
        max_pixels: int | None = None,
    ) -> None:
        self.path = path
        self.damaged = 0
        self.warnings: list[str] = []
        self._strict, self._most = strict, max_pixels or limits.max_pixels()
        self._start, self._end = start, end
        self._converter = ColourConverter(_BT601, full_range=False)
        self._file = path.open("rb")
        try:
            self._describe()
            self._check_whole()
        except BaseException:
            self._file.close()
            raise
        self._frames = self._read()

    def __iter__(self) -> Iterator[VideoFrame]:
        return self._frames

    def close(self) -> None:
        """Let go of the file."""
        self._frames.close()
        self._file.close()

    def _describe(self) -> None:
        width, height, self._transparent = canvas(self._file)
        self._size = width, height
        check_pixels("the animation", self.path, (width, height), self._most)
        count, chosen, ms, lossless, covered = 0, 0, 0, True, False
        for part in animation_parts(self._file):
            if count == 0:
                covered = self._transparent and self._covers_all(part)
            covered = covered and not part.disposed and (count == 0 or not part.replaces)
            count, chosen = count + 1, chosen + self._wants(ms * _TICK)
            ms += part.shown_ms
            lossless = lossless and part.lossless
        if count == 0:
            raise InputError(f"the animation has no picture ({self.path}) - make it again")
        self._transparent = self._transparent and not covered
        notes, loops = self._beside_parts()
        self.info = VideoInfo(
            width=width,
            height=height,
            time_base=_TICK,
            average_rate=Fraction(1000 * count, ms).limit_denominator(1001),
            pix_fmt="bgr0",
            container="webp",
            codec="webp",
            lossless=lossless,
            frame_count_estimate=chosen,
            duration=ms * _TICK,
            start=self._start,
            end=self._end,
            colour=ColourTags(matrix=RGB_MATRIX, range=FULL),
            matrix=matrix_of(ColourTags(), height),
            full_range=True,
            notes=notes,
            loops=loops,
            streams=(StreamSummary(0, "video", "webp"),),
        )

    def _covers_all(self, part: AnimationPart) -> bool:
        """Whether nothing shows through the first part, as where only changes are stored later."""
        if (part.width, part.height) != self._size:
            return False
        with suppress(av.FFmpegError, ValueError):
            return bool(self._decode(part)[..., 3].min() == 255)
        return False

    def _wants(self, time: Fraction) -> bool:
        after = self._start is None or time >= self._start
        return after and (self._end is None or time < self._end)

    def _beside_parts(self) -> tuple[ImageNotes, int]:
        """What the file says beside its pictures, and how often it is played."""
        words = ("transparency",) if self._transparent else ()
        notes, loops = replace(NO_NOTES, transparent=self._transparent, words=words), 0
        lost = []
        for kind, at, size in riff_chunks(self._file):
            if kind == b"ANIM":
                loops = loops_in(bytes_at(self._file, at, 6))
            elif kind == b"ICCP" and size <= MOST_NOTE_BYTES:
                notes = with_profile(notes, bytes_at(self._file, at, size))
            elif kind in (b"EXIF", b"XMP "):
                lost.append({b"EXIF": "Exif", b"XMP ": "XMP"}[kind])
        if lost:
            self.warnings.append(f"not kept of the animation: {', '.join(dict.fromkeys(lost))}")
        return notes, loops

    def _check_whole(self) -> None:
        if lacking := missing_bytes(self.path):
            problem = f"the file ends {lacking:,} bytes before the end that its header states"
            if self._end is None:
                self._count_damage(problem)
            self.warnings.append(f"{problem}: it may be truncated")

    def _count_damage(self, what: str, in_a_row: int = 1) -> None:
        self.damaged += 1
        if self._strict:
            raise InputError(
                f"the video is damaged ({self.path}: {what}) - repair or copy it again, or leave "
                "out --strict"
            )
        if in_a_row > _MOST_DAMAGED_IN_A_ROW:
            raise InputError(
                f"{in_a_row} damaged pictures in a row ({self.path}: {what}) - the file is too "
                "damaged to go on"
            )

    def _read(self) -> Generator[VideoFrame, None, None]:
        seen = np.zeros((*self._size[::-1], 4), np.uint8)
        ms, in_a_row, index, untimed = 0, 0, 0, 0
        for part in animation_parts(self._file):
            time, untimed = ms * _TICK, untimed + (part.ms == 0)
            if self._end is not None and time >= self._end:
                break
            try:
                put(seen[part.covers], self._decode(part), replaces=part.replaces)
                in_a_row = 0
            except (av.FFmpegError, ValueError) as error:  # and the canvas stays as it was
                in_a_row += 1
                self._count_damage(f"{error} at {float(time):.3f} s", in_a_row)
            if self._wants(time):
                yield self._frame(index, ms, part, seen)
                index += 1
            if part.disposed:
                seen[part.covers] = 0
            ms += part.shown_ms
        if index == 0:
            raise InputError(
                f"no frame lies between --start and --end ({self.path}) - the video ends at "
                f"{ms / 1000:.3f} s"
            )
        if untimed:
            self.warnings.append(
                f"pictures that are shown for no time get {LEAST_MS} ms, as in browsers ({untimed})"
            )

    def _frame(self, index: int, ms: int, part: AnimationPart, seen: np.ndarray) -> VideoFrame:
        return VideoFrame(
            index,
            ms,
            _TICK,
            part.shown_ms,
            part.shown_ms * _TICK,
            np.ascontiguousarray(seen[..., :3]),
            alpha=seen[..., 3].copy() if self._transparent else None,
            notes=self.info.notes,
        )

    def _decode(self, part: AnimationPart) -> np.ndarray:
        """(H, W, 4) uint8 of a part. Raises FFmpeg's errors, or `ValueError`, for damage."""
        if part.x + part.width > self._size[0] or part.y + part.height > self._size[1]:
            raise ValueError("a picture beyond the canvas")
        if part.size > BYTES_PER_PIXEL * part.width * part.height + _SLACK_BYTES:
            raise ValueError("more bytes than such a picture has")
        context = av.CodecContext.create("webp", "r")
        context.options, context.thread_count = decoder_options(self._most), 1
        frames = context.decode(av.Packet(still(part, self._file)))
        if not frames or (frames[0].width, frames[0].height) != (part.width, part.height):
            raise ValueError("a picture that is none, or of another size,")
        return self._rgba(frames[0])

    def _rgba(self, frame: av.VideoFrame) -> np.ndarray:
        if frame.format.name == "argb":
            return frame.to_ndarray()[..., [1, 2, 3, 0]]
        opacity = np.full((frame.height, frame.width), 255, np.uint8)
        if len(frame.planes) == 4:
            rows = np.frombuffer(memoryview(frame.planes[3]), np.uint8)
            opacity = rows.reshape(frame.height, -1)[:, : frame.width]
        return np.dstack([self._converter.to_rgb(frame), opacity])


def put(under: np.ndarray, over: np.ndarray, *, replaces: bool) -> None:
    """Put pixels (H, W, 4) uint8 over those of the canvas, in place, or instead of them.

    Colours are not multiplied by their alpha. The pixel counts by its alpha a, what is beneath by
    its own times 1 - a; the sum of both is the new alpha.
    """
    whole = replaces | (over[..., 3] == 255)
    under[whole] = over[whole]
    mixed = ~whole & (over[..., 3] > 0)
    if not mixed.any():
        return
    above, below = over[mixed].astype(np.float32), under[mixed].astype(np.float32)
    rest = below[:, 3:] * (1 - above[:, 3:] / 255)
    alpha = above[:, 3:] + rest
    under[mixed, :3] = np.rint((above[:, :3] * above[:, 3:] + below[:, :3] * rest) / alpha)
    under[mixed, 3] = np.rint(alpha[:, 0])
