"""What files say of themselves in words, and which of it stays true of a copy."""

from __future__ import annotations

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


def lasting_metadata(metadata: dict[str, str], container: str) -> dict[str, str]:
    """The entries of `metadata` that stay true of a copy, as a format writes them."""
    lasting = {
        key: value
        for key, value in metadata.items()
        if key.lower().split("-")[0] not in _STALE_KEYS
        and not key.lower().startswith("_statistics")
    }
    if container == "mov" and lasting.get("language") in _QUICKTIME_LANGUAGES:
        lasting["language"] = _QUICKTIME_LANGUAGES[lasting["language"]]
    return lasting
