"""What files say of themselves in words, and which of it stays true of a copy."""

from __future__ import annotations

import re
from collections.abc import Mapping

from spikedeblur.io.ffmpeg.containers import MOVIE

# What describes the old file rather than its content; muxers write their own.
_STALE_KEYS = frozenset(
    {
        "major_brand",
        "minor_version",
        "compatible_brands",
        "encoder",
        "duration",
        "number_of_frames",
        "number_of_bytes",
        "bps",
        "vendor_id",
        "rotate",
        "alpha_mode",
    }
)
# QuickTime numbers its languages; these are FFmpeg's names for the ones it calls by other codes.
_QUICKTIME_LANGUAGES = {
    "sqi": "alb",
    "hye": "arm",
    "eus": "baq",
    "mya": "bur",
    "zho": "chi",
    "cze": "ces",
    "nld": "dut",
    "fre": "fra",
    "kat": "geo",
    "deu": "ger",
    "ell": "gre",
    "isl": "ice",
    "mkd": "mac",
    "msa": "may",
    "fas": "per",
    "rum": "ron",
    "slo": "slk",
    "swe": "sve",
    "bod": "tib",
    "cym": "wel",
}


# What MP4's and QuickTime's own fields hold (read from files that FFmpeg 8 wrote); other keys need
# the list of keys and values beside them, in place of these fields.
_ITUNES = frozenset(
    [
        "title",
        "artist",
        "album_artist",
        "composer",
        "album",
        "date",
        "comment",
        "genre",
        "copyright",
        "grouping",
        "lyrics",
        "description",
        "synopsis",
        "show",
        "episode_id",
        "network",
        "keywords",
        "episode_sort",
        "season_number",
        "media_type",
        "hd_video",
        "gapless_playback",
        "compilation",
        "track",
        "disc",
        "location",
        "creation_time",
    ]
)
_QUICKTIME = frozenset(
    [
        "title",
        "artist",
        "album",
        "date",
        "comment",
        "genre",
        "copyright",
        "make",
        "model",
        "location",
        "creation_time",
    ]
)
_FIELDS = {"mp4": _ITUNES, "ipod": _ITUNES, "mov": _QUICKTIME}
# Names that muxers give the tracks of MP4, which say nothing of what is in them.
_IDLE_HANDLER = re.compile(
    r"(\w+ ?)*handler(\x00)?|core media.*|.*alias data.*|l-smash.*|iso media file.*|", re.IGNORECASE
)


def lasting_metadata(metadata: dict[str, str], container: str) -> dict[str, str]:
    """The entries of `metadata` that stay true of a copy, as a format writes them.

    The title of a track is `title`, which FFmpeg reads from MP4 as `name`.
    """
    lasting = {
        key: value
        for key, value in metadata.items()
        if key.lower().split("-")[0] not in _STALE_KEYS
        and not key.lower().startswith("_statistics")
    }
    if "name" in lasting and "title" not in lasting:
        lasting["title"] = lasting.pop("name")
    idle = _IDLE_HANDLER.fullmatch(lasting.get("handler_name", ""))
    if container not in MOVIE and idle:
        lasting.pop("handler_name", None)
    if container == "mov" and lasting.get("language") in _QUICKTIME_LANGUAGES:
        lasting["language"] = _QUICKTIME_LANGUAGES[lasting["language"]]
    return lasting


def needs_key_list(metadata: Mapping[str, str], container: str) -> bool:
    """Whether some of a file's tags have no field of their own in MP4 or QuickTime."""
    fields = _FIELDS.get(container)
    return fields is not None and any(key.lower() not in fields for key in metadata)


def lost_tags(
    wanted: Mapping[int | None, Mapping[str, str]], found: Mapping[int | None, Mapping[str, str]]
) -> str:
    """In words, the tags that a file has not kept; empty if there are none.

    wanted, found: by stream, None for those of the whole file.
    """
    lost = []
    whole = {key.lower() for key in wanted.get(None, ())}
    for stream, tags in wanted.items():
        kept = {key.lower().split("-")[0] for key in found.get(stream, ())}
        kept |= {key.lower() for key in found.get(stream, ())}
        kept |= {"title"} if "name" in kept else set()
        # Formats that hold one date have it for the file.
        kept |= {"creation_time"} if stream is not None and "creation_time" in whole else set()
        missing = [
            key
            for key, value in tags.items()
            if key.lower() not in kept
            and key.lower().split("-")[0] not in kept
            and value not in {"", "und"}
            and not (key == "handler_name" and _IDLE_HANDLER.fullmatch(value))
        ]
        if missing:
            place = "" if stream is None else f" of stream {stream}"
            lost.append(f"{', '.join(missing)}{place}")
    return "; ".join(lost)
