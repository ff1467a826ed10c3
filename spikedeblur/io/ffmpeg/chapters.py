"""Chapters, copied onto the clock of the output."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from av.container import InputContainer, OutputContainer

from spikedeblur.io.ffmpeg.containers import MATROSKA, MOVIE
from spikedeblur.io.video_info import VideoInfo

if TYPE_CHECKING:
    from av.container.core import Chapter  # in the types of PyAV only


def copy_chapters(
    source: InputContainer, output: OutputContainer, info: VideoInfo
) -> tuple[list[Chapter], list[str]]:
    """Write the chapters that overlap the part that is read; return them, and warnings."""
    found = [chapter for chapter in source.chapters() if _overlaps(chapter, info)]
    if not found:
        return [], []
    name = output.format.name
    if name not in MOVIE | MATROSKA:
        return found, [f"the chapters are not kept in {name}: use .mkv or .mp4"]
    if name in MOVIE and found[0]["start"] > 0:
        # Whose chapters follow each other from zero on: the first would begin there.
        before = found[0].copy()
        before["id"] -= 1
        before["start"], before["end"] = 0, before["start"]
        before["metadata"] = {"title": ""}
        found.insert(0, before)
    for chapter in found:
        base = Fraction(chapter["time_base"] or 1) * info.slower
        for edge in ("start", "end"):
            chapter[edge] += round(info.delay / base)
        chapter["time_base"] = base
    output.set_chapters(found)
    return found, []


def _overlaps(chapter: Chapter, info: VideoInfo) -> bool:
    base = Fraction(chapter["time_base"] or 1)
    begin, end = chapter["start"] * base, chapter["end"] * base
    return (info.start is None or end > info.start) and (info.end is None or begin < info.end)
