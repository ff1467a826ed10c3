"""Notes beside the pixels of images: colour profile, gamma, resolution, transparency, animation.

Of a PNG, what says how its colours and sizes are meant is copied into the images that are made of
it, byte for byte; nothing of it is unpacked.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from spikedeblur.io.guards.tiffs import open_tiff

_MAGIC = b"\x89PNG\r\n\x1a\n"
_COPIED = {
    b"iCCP": "ICC profile",
    b"gAMA": "gamma",
    b"cHRM": "primaries",
    b"sRGB": "sRGB intent",
    b"cICP": "colour code points",
    b"pHYs": "resolution",
}
_MOST_BYTES = 1 << 22
_GRAY, _ALPHA = frozenset({0, 4}), frozenset({4, 6})
_ICC, _RESOLUTION, _EXTRA_SAMPLES = 34675, 282, 338


@dataclass(frozen=True)
class ImageNotes:
    """Of one image. chunks: those of a PNG that are copied. words: what they are.

    lost: what no output keeps, in words. frames: pictures in it.
    """

    chunks: bytes = b""
    words: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()
    frames: int = 1


def image_notes(path: Path) -> ImageNotes:
    """Read them from a PNG or TIFF; nothing for what cannot be read, which others tell."""
    try:
        return _of_png(path) if path.suffix.lower() == ".png" else _of_tiff(path)
    except Exception:  # tifffile has no common base for what damaged files raise
        return ImageNotes()


def is_animated(path: Path) -> bool:
    """Return whether a file that is called .png is an animation."""
    return path.suffix.lower() == ".png" and path.is_file() and image_notes(path).frames > 1


def with_chunks(png: bytes, chunks: bytes) -> bytes:
    """The bytes of a PNG with `chunks` behind its header, in place of its own of their kinds."""
    if not chunks:
        return png
    kinds = {kind for kind, _ in _chunks(_MAGIC + chunks)}
    header, *rest = _chunks(png)
    others = b"".join(whole for kind, whole in rest if kind not in kinds)
    return _MAGIC + header[1] + chunks + others


def _of_png(path: Path) -> ImageNotes:
    with path.open("rb") as file:
        head = file.read(_MOST_BYTES)
    if not head.startswith(_MAGIC):
        return ImageNotes()
    chunks, words, lost, frames, kind_of_colour = b"", [], [], 1, 2
    for kind, whole in _chunks(head):
        if kind == b"IHDR":
            kind_of_colour = whole[17]
        elif kind == b"acTL":
            frames = int.from_bytes(whole[8:12], "big")
        elif kind == b"tRNS":
            lost.append("transparency")
        elif kind == b"iCCP" and kind_of_colour in _GRAY:
            lost.append("ICC profile")  # it is one of gray; what is written is RGB
        elif kind in _COPIED:
            chunks += whole
            words.append(_COPIED[kind])
        elif kind == b"IDAT":
            break
    if kind_of_colour in _ALPHA:
        lost.append("transparency")
    return ImageNotes(chunks, tuple(words), tuple(lost), frames)


def _of_tiff(path: Path) -> ImageNotes:
    with open_tiff(path) as file:
        tags = file.pages.first.tags
        found = [
            words
            for code, words in (
                (_ICC, "ICC profile"),
                (_RESOLUTION, "resolution"),
                (_EXTRA_SAMPLES, "transparency"),
            )
            if code in tags and (code != _RESOLUTION or tags[code].value not in ((1, 1), 1))
        ]
    return ImageNotes(lost=tuple(found))


def _chunks(png: bytes) -> list[tuple[bytes, bytes]]:
    """(kind, whole chunk) of those that are there whole."""
    found, at = [], len(_MAGIC)
    while at + 12 <= len(png):
        end = at + 12 + int.from_bytes(png[at : at + 4], "big")
        if end > len(png):
            break
        found.append((png[at + 4 : at + 8], png[at:end]))
        at = end
    return found
