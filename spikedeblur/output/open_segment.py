"""A segment while its frames are being written."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType

from spikedeblur.io.ffmpeg.encoders import EncoderSettings
from spikedeblur.io.ffmpeg.segments import SegmentWriter
from spikedeblur.io.image_names import is_image_sequence
from spikedeblur.io.images import ImageSequenceWriter
from spikedeblur.io.video import Writer
from spikedeblur.io.video_info import VideoFrame, VideoInfo
from spikedeblur.output.frame_counts import FrameCounts
from spikedeblur.output.options import OutputOptions
from spikedeblur.output.parts import Parts, Segment, SegmentFile, checksum
from spikedeblur.output.restored import Restored
from spikedeblur.output.writers import OutputWriters


class OpenSegment:
    """Takes the frames of segment `number`; what is written counts when it is closed.

    first: number, from 0, of the first sharp frame in the whole output. source, options: as of
    `OutputWriters`.
    """

    def __init__(
        self, parts: Parts, number: int, first: int, source: VideoInfo, options: OutputOptions
    ) -> None:
        self.number = number
        self._parts = parts
        self._first = first
        self._tally = FrameCounts()
        self._index = -1
        self._writers = OutputWriters(parts.output, source, options, create=self._create)

    def write(self, restored: Restored, sharp: VideoFrame) -> None:
        """Take the next sharp frame, of the frame that was restored."""
        frame = restored.exposed.frame
        if frame.index != self._index:
            self._index = frame.index
            self._tally.count(restored)
        self._tally.written += 1
        self._writers.write(frame, sharp)

    def close(self) -> None:
        """Finish the files, and note that the segment is done."""
        self._writers.__exit__(None, None, None)
        files = [self._noted(writer) for writer in self._writers.writers]
        self._parts.add(
            self.number, Segment(tally=self._tally, files=files, warnings=self._writers.warnings)
        )

    def abandon(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Remove what was written."""
        self._writers.__exit__(kind, error, trace)

    def _create(
        self, path: Path, source: VideoInfo, settings: EncoderSettings, *, overwrite: bool
    ) -> Writer | SegmentWriter:
        """Open the writer of this segment of the output at `path`; replace what is there."""
        file = self._parts.file(self.number, path)
        if not is_image_sequence(path):
            return SegmentWriter(file, path, source, settings)
        file.mkdir(exist_ok=True)
        name = file / path.name
        return ImageSequenceWriter(name, source, overwrite=True, done=self._first)

    def _noted(self, writer: Writer | SegmentWriter) -> SegmentFile:
        if isinstance(writer, SegmentWriter):
            return SegmentFile(
                checksum=checksum(writer.path),
                times=writer.times,
                end=writer.end,
                header=writer.header.hex(),
            )
        return SegmentFile(checksum=checksum(writer.path.parent))
