"""Why a file that is no video for FFmpeg is none, as far as its first bytes tell."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from spikedeblur.io.guards.cut_files import top_boxes

_HEAD_BYTES = 512
_UNKNOWN = "the file may be truncated, damaged, or no video"
_SIGNS = (
    (
        (b"#EXTM3U", b"ffconcat", b"<?xml", b"<MPD", b"[playlist]", b"v=0"),
        "it is a list of other files, which are not followed: name the video itself",
    ),
    (
        (b"<!doctype html", b"<html", b"<!DOCTYPE html", b"<!DOCTYPE HTML", b"<HTML"),
        "it is a web page, as servers send instead of a file: download it again",
    ),
    (
        (b"\x1f\x8b", b"PK\3\4", b"7z\xbc\xaf\x27\x1c", b"Rar!", b"\xfd7zXZ", b"BZh"),
        "it is packed: unpack it first",
    ),
    (
        (b"\xff\xd8\xff",),
        "it is a JPEG picture, and only PNG and TIFF are read as images: convert it",
    ),
)


def refusal(path: Path) -> str:
    """What is the matter with a file, and what to do, in a few words."""
    with suppress(OSError):
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
        if not head:
            return "the file is empty"
        begin = head.lstrip(b"\xef\xbb\xbf \t\r\n")
        for signs, words in _SIGNS:
            if begin.startswith(signs):
                return words
        kinds = {kind for kind, _, _ in top_boxes(path)}
        if b"moof" in kinds and b"moov" not in kinds:
            return "it is a segment of a stream: put the stream's initial segment before it"
        if b"ftyp" in kinds and b"moov" not in kinds:
            return (
                "its index (moov), which recorders write at the end, is missing: the recording or "
                "the copy broke off; tools such as untrunc repair it by another file of the camera"
            )
    return _UNKNOWN
