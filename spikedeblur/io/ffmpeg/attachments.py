"""Files that travel with a video: attachments, and the cover picture that players show for it.

A cover is a video stream of one packet in most formats and an attachment in Matroska.
"""

from __future__ import annotations

from pathlib import Path

from av.container import OutputContainer
from av.stream import AttachmentStream, Disposition, Stream

from spikedeblur.io.ffmpeg.containers import codec_name, open_input

_PICTURE_TYPES = {
    "png": "image/png",
    "mjpeg": "image/jpeg",
    "bmp": "image/bmp",
    "gif": "image/gif",
    "webp": "image/webp",
    "tiff": "image/tiff",
}
_SUFFIXES = {"image/jpeg": "jpg"}


def is_attachment(stream: Stream, output: OutputContainer) -> bool:
    """Return whether `stream` is to be attached to `output`, not copied as a stream."""
    cover = bool(stream.disposition & Disposition.attached_pic)
    return isinstance(stream, AttachmentStream) or (cover and output.format.name == "matroska")


def attach(stream: Stream, source: Path, output: OutputContainer) -> str | None:
    """Attach what `stream` of the file `source` holds; or return why it is not kept."""
    if isinstance(stream, AttachmentStream):
        if output.format.name != "matroska":
            return f"the attachment {stream.name} is not kept: use .mkv"
        output.add_attachment(
            stream.name or f"attachment{stream.index}",
            stream.mimetype or "application/octet-stream",
            stream.data,
        )
        return None
    codec = codec_name(stream)
    kind = stream.metadata.get("mimetype") or _PICTURE_TYPES.get(codec, f"image/{codec}")
    suffix = _SUFFIXES.get(kind, kind.split("/")[-1])
    with open_input(source) as container:  # again, for its packets are read later
        packets = container.demux(container.streams[stream.index])
        picture = next((bytes(packet) for packet in packets if packet.size), None)
    if picture is None:
        return f"the cover picture (stream {stream.index}) is empty"
    output.add_attachment(stream.metadata.get("filename") or f"cover.{suffix}", kind, picture)
    return None
