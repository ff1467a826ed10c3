"""The times of decoded frames: exact where the file has them, counted where it has none."""

from __future__ import annotations

from collections import deque
from fractions import Fraction

import av
from av.container import InputContainer

from spikedeblur.io.ffmpeg.continuity import Continuity
from spikedeblur.io.ffmpeg.rate_grid import RateGrid
from spikedeblur.io.video_info import FALLBACK_RATE

_RAW = frozenset({"h264", "hevc", "vvc", "m4v", "obu", "mpegvideo"})
# A shorter gap at the end than this many intervals, or seconds, is ordinary rounding of headers.
_TOLERATED_INTERVALS = Fraction(3, 2)
_TOLERATED_S = Fraction(1, 100)


def rate_of(stream: av.VideoStream) -> Fraction:
    """Frames per second: on average if that can be, for DV claims 60,000."""
    average, highest = stream.average_rate, stream.guessed_rate
    if average and highest and average > 2 * highest:
        return Fraction(highest)
    return Fraction(average or highest or FALLBACK_RATE)


class FrameClock:
    """Gives every frame of one stream its pts, strictly increasing, in units of `time_base`.

    Raw streams have no times, and AVI with reordered frames has wrong ones: there, frame `n` is
    given pts `n` in units of 1 / rate, which `counting` says. Where AVI leaves frames out, the
    packets say so by when they are decoded. Encoders that move frames by at most `m` places decode
    packet `n + m` when frame `n` was to be shown without that, so the time of frame `n` is that
    packet's, less what lies between the packets 0 and `m`.
    """

    def __init__(self, stream: av.VideoStream, container: InputContainer, *, cut: bool) -> None:
        """Look at the header. cut: the file has fewer bytes than it states."""
        self.warnings: list[str] = []
        self._stream = stream
        self._container = container
        self._cut = cut
        name = container.format.name
        self._rate = rate_of(stream)
        reordered = bool(stream.codec_context.has_b_frames)
        raw = stream.time_base is None or name in _RAW
        self.counting = raw or (name == "avi" and reordered)
        # Of H.264 in AVI the times of display are a guess, and a frame late where none is moved.
        self._shown_as_decoded = name == "avi" and not reordered
        self.time_base = 1 / self._rate if self.counting else Fraction(stream.time_base or 1)
        self._counts_packets = self.counting and stream.time_base == self.time_base
        self._decode_times: deque[int] = deque()
        self._moved_by = stream.codec_context.reorder_depth if self._counts_packets else 0
        self._late: int | None = None  # by which the packets are decoded too late
        self._grid = None
        if not self.counting and stream.start_time is not None:
            self._grid = RateGrid.rounded(
                self._rate, self.time_base, stream.start_time * self.time_base
            )
        self._track_end = None
        if name.startswith("mov") and stream.duration is not None:
            self._track_end = (stream.start_time or 0) + stream.duration
        self._continuity = Continuity(self.time_base)
        self._previous: int | None = None
        self._previous_step: int | None = None
        self._counts: dict[str, int] = {}
        if self.counting:
            self.warnings.append(
                f"the file has no frame times: frames are counted at "
                f"{float(self._rate):g} per second"
            )

    def pts(self, frame: av.VideoFrame) -> int:
        """The time of the next frame shown; a time that does not increase is moved, and counted."""
        if self.counting:
            self._previous = self._counted()
            return self._previous
        stamp = frame.dts if self._shown_as_decoded else frame.pts
        pts = self._increasing(frame.pts if stamp is None else stamp)
        if self._previous is not None:
            self._previous_step = pts - self._previous
        self._previous = pts
        self._continuity.note(pts, self._step())
        return pts

    def decoding(self, packet: av.Packet) -> None:
        """Note a packet, in the order of decoding, before the frame that it holds is shown."""
        if self._counts_packets and packet.dts is not None and packet.size:
            self._decode_times.append(packet.dts)
            if self._late is None and len(self._decode_times) > self._moved_by:
                self._late = packet.dts - self._decode_times[0]
                for _ in range(self._moved_by):
                    self._decode_times.popleft()

    def _counted(self) -> int:
        """The time of the next frame where frames are counted."""
        least = 0 if self._previous is None else self._previous + 1
        if not self._decode_times or self._late is None:
            return least
        return max(self._decode_times.popleft() - self._late, least)

    def _increasing(self, pts: int | None) -> int:
        """A time after the last one, by the frame's own as far as that can be."""
        if pts is not None:
            restarts = self._continuity.restarts
            pts = self._continuity.moved(pts)
            if self._continuity.restarts > restarts:
                self._count("the video's times start again in the middle, and are made to go on")
        if self._previous is None:
            return pts or 0
        if pts is None or pts <= self._previous:
            self._count("frames with missing or repeated times were moved")
            pts = self._previous + 1 if pts is not None else self._previous + self._step()
        return pts

    def duration(self, frame: av.VideoFrame) -> int | None:
        """Return the frame's duration in `time_base`, if the file gives it."""
        if self.counting:
            return 1
        return frame.duration or None

    def interval(self, pts: int, following: int | None, duration: int | None) -> Fraction:
        """Seconds until the next frame; of the last, until its end.

        MP4 gives frames the durations of the decoding order, so there the end of the last frame is
        that of the track. Elsewhere it lasts its own duration, else as long as the one before.
        """
        if following is None and not self._cut and self._track_end is not None:
            following = self._track_end if self._track_end > pts else None
        if following is not None:
            return (following - pts) * self.time_base
        return (duration or self._step()) * self.time_base

    def exact(
        self, pts: int, following: int | None, interval: Fraction
    ) -> tuple[Fraction | None, Fraction | None]:
        """(time, interval) of a frame before the container rounded them; None if it did not."""
        if self._grid is None:
            return None, None
        next_time = None if following is None else following * self.time_base
        return self._grid.span(pts * self.time_base, next_time, interval)

    @property
    def begin(self) -> Fraction:
        """The time of the first frame by the header, in seconds."""
        if self.counting:
            return Fraction(0)
        return (self._stream.start_time or 0) * self.time_base

    @property
    def stated_end(self) -> Fraction | None:
        """The end of the last frame by the header, in seconds, as far as it says."""
        stream = self._stream
        if self._container.format.name == "avi" and stream.frames:
            return self.begin + stream.frames / self._rate
        if stream.duration is not None and stream.time_base is not None:
            return (stream.duration + (stream.start_time or 0)) * Fraction(stream.time_base)
        own = self._own_end
        if own is not None:
            return own
        if self._container.duration is None:
            return None
        begin = self._container.start_time or 0
        return Fraction(self._container.duration + begin, av.time_base)

    def missing_at_end(self, last_end: Fraction | None) -> Fraction | None:
        """Seconds between `last_end` and the length that the header gives, if they gape.

        Of a file that is whole, the container's length is no evidence: another stream may be the
        longer one.
        """
        stated, intervals = self._own_end, _TOLERATED_INTERVALS
        if self._cut:
            stated, intervals = self.stated_end, Fraction(1, 2)
        tolerated = max(intervals / self._rate, _TOLERATED_S)
        if stated is None or last_end is None or stated - last_end <= tolerated:
            return None
        return stated - last_end

    @property
    def _own_end(self) -> Fraction | None:
        """Read the stream's own end from Matroska's tag or MXF's index."""
        stream = self._stream
        if self._container.format.name == "mxf" and stream.duration is not None:
            return (stream.duration + (stream.start_time or 0)) * self.time_base
        tagged = _tagged_duration(stream.metadata)
        if tagged is None:
            return None
        # FFmpeg writes the end's time, mkvmerge the time from the begin to the end.
        length = "libmatroska" in self._container.metadata.get("encoder", "")
        return tagged + self.begin if length or tagged <= self.begin else tagged

    def _step(self) -> int:
        if self._previous_step is not None:
            return self._previous_step
        return max(round(1 / self._rate / self.time_base), 1)

    def _count(self, what: str) -> None:
        """Keep one warning of a kind, with the count so far."""
        self._counts[what] = self._counts.get(what, 0) + 1
        self.warnings = [each for each in self.warnings if not each.startswith(what)]
        self.warnings.append(f"{what} ({self._counts[what]})")


def _tagged_duration(metadata: dict[str, str]) -> Fraction | None:
    """Read Matroska's DURATION tag of a stream (HH:MM:SS.nnnnnnnnn)."""
    text = next((metadata[key] for key in metadata if key.split("-")[0] == "DURATION"), None)
    if text is None:
        return None
    try:
        hours, minutes, seconds = text.split(":")
        return int(hours) * 3600 + int(minutes) * 60 + Fraction(seconds)
    except ValueError:
        return None
