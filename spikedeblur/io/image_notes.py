"""Notes beside the pixels of images: colour profile, gamma, resolution, text, transparency.

What an image says of itself is carried into the image that is made of it: from PNG to PNG byte for
byte, and into the other format where that can hold it. Animation is noted, too.
"""

from __future__ import annotations

import zlib
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from spikedeblur.io.guards.tiffs import open_tiff

_MAGIC = b"\x89PNG\r\n\x1a\n"
_COPIED = {
    b"iCCP": "ICC profile",
    b"gAMA": "gamma",
    b"cHRM": "primaries",
    b"sRGB": "sRGB intent",
    b"cICP": "colour code points",
    b"pHYs": "resolution",
    b"eXIf": "Exif",
    b"tEXt": "text",
    b"zTXt": "text",
    b"iTXt": "text",
}
MOST_NOTE_BYTES = 1 << 22  # of a file's head, and of what is unpacked of it
_GRAY, _ALPHA = frozenset({0, 4}), frozenset({4, 6})
_ICC, _ACROSS, _DOWN, _UNIT = 34675, 282, 283, 296
_PER_INCH, _PER_CM = 2, 3
UNASSOCIATED = 2  # extra sample of TIFF: an alpha that colours are not multiplied by, as PNG's
_METRE = {_PER_INCH: 1 / 0.0254, _PER_CM: 100.0}
# Words of an image, by the tag of TIFF and the keyword of PNG.
_TEXT_TAGS = {
    270: "Description",
    305: "Software",
    306: "Creation Time",
    315: "Author",
    33432: "Copyright",
}
_TEXT_CODES = {keyword: code for code, keyword in _TEXT_TAGS.items()}
_OWN_TEXT = ('{"shape":', "tifffile.py")  # what tifffile writes of itself
Tag = tuple[int, str, int, Any, bool]
Resolution = tuple[tuple[int, int], tuple[int, int], int]


@dataclass(frozen=True)
class ImageNotes:
    """Of one image. chunks: of a PNG, to be written; tags, resolution: of a TIFF, likewise.

    words: what all of it is. missing: by format, what of it that cannot hold. lost: what no output
    keeps, in words. frames: pictures in the file. transparent: the pixels have an alpha.
    """

    chunks: bytes = b""
    tags: tuple[Tag, ...] = ()
    resolution: Resolution | None = None
    words: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()
    frames: int = 1
    transparent: bool = False


NO_NOTES = ImageNotes()


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


def with_profile(notes: ImageNotes, profile: bytes) -> ImageNotes:
    """The notes with an ICC profile."""
    packed = b"profile\0\0" + zlib.compress(profile)
    notes = _with_tag(notes, _ICC, "B", profile)
    return _with_made_chunk(notes, b"iCCP", packed, "ICC profile")


def _of_png(path: Path) -> ImageNotes:
    with path.open("rb") as file:
        head = file.read(MOST_NOTE_BYTES)
    if not head.startswith(_MAGIC):
        return ImageNotes()
    notes, kind_of_colour = ImageNotes(), 2
    for kind, whole in _chunks(head):
        if kind == b"IHDR":
            kind_of_colour = whole[17]
        elif kind == b"acTL":
            notes = replace(notes, frames=int.from_bytes(whole[8:12], "big"))
        elif kind == b"tRNS":
            notes = replace(notes, transparent=True)
        elif kind == b"iCCP" and kind_of_colour in _GRAY:  # of gray; what is written is RGB
            notes = replace(notes, lost=(*notes.lost, "ICC profile"))
        elif kind in _COPIED:
            notes = _with_png_chunk(notes, kind, whole)
        elif kind == b"IDAT":
            break
    return _finished(notes, kind_of_colour in _ALPHA)


def _with_png_chunk(notes: ImageNotes, kind: bytes, whole: bytes) -> ImageNotes:
    """The notes with a chunk, and the TIFF tag that says the same where there is one."""
    body, words = whole[8:-4], _COPIED[kind]
    notes = replace(notes, chunks=notes.chunks + whole, words=(*notes.words, words))
    with suppress(ValueError, KeyError, zlib.error):
        if kind == b"iCCP":
            return _with_tag(notes, _ICC, "B", _unpacked(body[body.index(b"\0") + 2 :]))
        if kind == b"pHYs" and body[8] == 1:
            across, down = (int.from_bytes(body[at : at + 4], "big") for at in (0, 4))
            return replace(notes, resolution=((across, 100), (down, 100), _PER_CM))
        if kind == b"tEXt":
            keyword, text = body.split(b"\0", 1)
            code = _TEXT_CODES[keyword.decode("latin-1")]
            return _with_tag(notes, code, "s", text.decode("latin-1").encode())
    return replace(notes, missing=(*notes.missing, words))


def _of_tiff(path: Path) -> ImageNotes:
    notes = ImageNotes()
    with open_tiff(path) as file:
        tags = file.pages.first.tags
        if _ICC in tags:
            notes = with_profile(notes, bytes(tags[_ICC].value))
        unit = int(tags[_UNIT].value) if _UNIT in tags else _PER_INCH
        if unit in _METRE and _ACROSS in tags and _DOWN in tags:
            across, down = tags[_ACROSS].value, tags[_DOWN].value
            metre = b"".join(
                round(each[0] / each[1] * _METRE[unit]).to_bytes(4, "big")
                for each in (across, down)
            )
            notes = replace(notes, resolution=(across, down, unit))
            notes = _with_made_chunk(notes, b"pHYs", metre + b"\1", "resolution")
        for code, keyword in _TEXT_TAGS.items():
            text = tags[code].value if code in tags else ""
            if isinstance(text, str) and text and not text.startswith(_OWN_TEXT):
                notes = _with_tag(notes, code, "s", text.encode())
                body = keyword.encode() + b"\0\0\0\0\0" + text.encode()  # neither packed nor named
                notes = _with_made_chunk(notes, b"iTXt", body, "text")
        extra = file.pages.first.extrasamples
        if extra and UNASSOCIATED not in extra:
            notes = replace(notes, lost=("transparency",))
        return _finished(notes, UNASSOCIATED in extra)


def _with_tag(notes: ImageNotes, code: int, kind: str, value: bytes) -> ImageNotes:
    """The notes with a tag of TIFF; kind: B for bytes, s for text."""
    return replace(notes, tags=(*notes.tags, (code, kind, len(value), value, True)))


def _with_made_chunk(notes: ImageNotes, kind: bytes, body: bytes, words: str) -> ImageNotes:
    whole = len(body).to_bytes(4, "big") + kind + body
    whole += zlib.crc32(kind + body).to_bytes(4, "big")
    return replace(notes, chunks=notes.chunks + whole, words=(*notes.words, words))


def _finished(notes: ImageNotes, transparent: bool) -> ImageNotes:
    """The notes with each word once, transparency among them."""
    transparent = transparent or notes.transparent
    words = dict.fromkeys([*["transparency"] * transparent, *notes.words])
    missing = tuple(dict.fromkeys(notes.missing))
    return replace(notes, words=tuple(words), missing=missing, transparent=transparent)


def _unpacked(packed: bytes) -> bytes:
    """Inflate a profile, unless it would be larger than any; `ValueError` then."""
    inflater = zlib.decompressobj()
    content = inflater.decompress(packed, MOST_NOTE_BYTES)
    if not inflater.eof:
        raise ValueError("not a profile")
    return content


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
