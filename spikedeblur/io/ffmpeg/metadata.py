"""Metadata of files, and the part of it that stays true of a copy."""

from __future__ import annotations

import re
from collections.abc import Mapping
from fractions import Fraction

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


def lasting_metadata(
    metadata: dict[str, str], container: str, skipped: int = 0, rate: Fraction = Fraction(25)
) -> dict[str, str]:
    """The entries of `metadata` that stay true of a copy, as a format writes them.

    skipped: frames, of which there are `rate` a second, before the part that is copied; timecodes
    are those of the first frame. The title of a track is `title`, which FFmpeg reads from MP4 as
    `name`.
    """
    lasting = {
        key: value
        for key, value in metadata.items()
        if key.lower().split("-")[0] not in _STALE_KEYS
        and not key.lower().startswith("_statistics")
    }
    for key in lasting:
        if key.lower() == "timecode":
            lasting[key] = moved_timecode(lasting[key], skipped, rate)
    if "name" in lasting and "title" not in lasting:
        lasting["title"] = lasting.pop("name")
    idle = _IDLE_HANDLER.fullmatch(lasting.get("handler_name", ""))
    if container not in MOVIE and idle:
        lasting.pop("handler_name", None)
    if container == "mov" and lasting.get("language") in _QUICKTIME_LANGUAGES:
        lasting["language"] = _QUICKTIME_LANGUAGES[lasting["language"]]
    return lasting


_TIMECODE = re.compile(r"(\d\d):(\d\d):(\d\d)([:;.])(\d\d+)")


def moved_timecode(text: str, frames: int, rate: Fraction) -> str:
    """A timecode (SMPTE ST 12-1) that many frames later; one that is none stays as it is.

    Those with a semicolon leave out two numbers a minute, but for every tenth, at 29.97 frames a
    second, and four at 59.94.
    """
    found = _TIMECODE.fullmatch(text)
    if found is None:
        return text
    hours, minutes, seconds, mark, number = found.groups()
    nominal = max(round(rate), 1)
    drop = nominal // 15 if mark != ":" else 0
    minute, ten = nominal * 60 - drop, nominal * 600 - 9 * drop
    passed = int(hours) * 60 + int(minutes)
    count = (passed * 60 + int(seconds)) * nominal + int(number) - drop * (passed - passed // 10)
    tens, rest = divmod((count + frames) % (ten * 6 * 24), ten)
    # The first minute of ten leaves none out.
    later = 0 if rest < nominal * 60 else 1 + (rest - nominal * 60) // minute
    whole = tens * nominal * 600 + rest + drop * later
    seconds_of_day, number_now = divmod(whole, nominal)
    minutes_of_day, second = divmod(seconds_of_day, 60)
    hour, minute_now = divmod(minutes_of_day, 60)
    digits = len(number)
    return f"{hour:02}:{minute_now:02}:{second:02}{mark}{number_now:0{digits}}"


def needs_key_list(metadata: Mapping[str, str], container: str) -> bool:
    """Return whether some of a file's tags have no field of their own in MP4 or QuickTime."""
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
