"""Encoder options that make an encoder read or write files of its own: refused.

Segments are encoded apart and in one pass, so statistics of another pass are of no use here; and
the parts of a job bring options of unknown origin with them.
"""

from __future__ import annotations

import re

from spikedeblur.errors import UsageError, shown

# Options of x264, x265, SVT-AV1 and libaom, as FFmpeg has them or hands them on.
_OF_FILES = frozenset(
    {
        "pass",
        "passes",
        "stats",
        "x265-stats",
        "passlogfile",
        "cqmfile",
        "dump-yuv",
        "opencl-clbin",
        "csv",
        "analysis-save",
        "analysis-load",
        "analysis-reuse-file",
        "lambda-file",
        "scaling-list",
        "dhdr10-info",
        "zonefile",
        "film-grain",
        "aom-film-grain",
        "fgs-table",
        "film-grain-table",
        "partition-info-path",
        "second-pass-log",
        "two-pass-output",
        "vmaf-model-path",
    }
)
_NESTED = ("-params", "opts")


def refuse_files(name: str, value: str) -> None:
    """Raise `UsageError` when an encoder's option, or one of those in its value, is about files."""
    options = [(name, value)]
    if name.endswith(_NESTED):
        options += [
            (part.partition("=")[0], part.partition("=")[2]) for part in re.split("[:,]", value)
        ]
    for each, given in options:
        plain = each.strip().lower().replace("_", "-")
        strength = plain == "film-grain" and given.isdecimal()  # SVT-AV1's; x265 has a file's name
        two_passes = plain == "flags" and re.search("pass|[0-9]", given)
        if two_passes or (plain in _OF_FILES and not strength):
            raise UsageError(
                f"an encoder option is about files or passes of its own "
                f"({shown(f'{name}={value}')} seen) - leave it out: there is one pass"
            )
