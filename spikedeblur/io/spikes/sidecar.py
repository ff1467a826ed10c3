"""The TOML file beside a .dat (`s.dat` -> `s.toml`) that says how to read it."""

from __future__ import annotations

import difflib
import os
import tomllib
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Mapping
from dataclasses import asdict
from fractions import Fraction
from pathlib import Path
from typing import Any

from spikedeblur.errors import InputError, UsageError, shown
from spikedeblur.io.atomic import atomic_path
from spikedeblur.io.guards.limits import check_regular
from spikedeblur.io.spikes.settings import KEYS, RecordingSettings
from spikedeblur.quantities import Exposure, Lens

__all__ = [
    "existing_sidecar",
    "find_sidecar",
    "flattened",
    "plain_values",
    "read_sidecar",
    "sidecar_path",
    "write_sidecar",
]

# Many times what there is to say. Time and memory of the parser grow with the square of a key's
# dots: 64 kB of them take gigabytes.
MAX_BYTES = 8 * 1024


def sidecar_path(spikes: Path | str) -> Path:
    """Return the path of a spike file's sidecar."""
    path = Path(spikes).absolute() if Path(spikes).name == "" else Path(spikes)
    return path.with_suffix(".toml") if path.name else path / ".toml"


def existing_sidecar(spikes: Path | str) -> Path | None:
    """The sidecar that belongs to a spike file: beside it, or beside what it is a link to."""
    beside = sidecar_path(spikes)
    linked = sidecar_path(os.path.realpath(spikes)) if Path(spikes).is_symlink() else beside
    return next((path for path in (beside, linked) if path.exists()), None)


def find_sidecar(spikes: Path | str) -> RecordingSettings | None:
    """Read `existing_sidecar`, None if there is none. Raises InputError if it is bad."""
    path = existing_sidecar(spikes)
    return None if path is None else read_sidecar(path)


def read_sidecar(path: Path | str, kind: str = "sidecar") -> RecordingSettings:
    """Read and check a sidecar, or another file of its keys, which errors call `kind`.

    Raises InputError if the file is missing, no TOML, too large, or has an unknown key (the
    nearest known one is named) or a value that cannot be.
    """
    path = Path(path)
    table = flattened(_read_toml(path, kind))
    for key in table:
        if key not in KEYS:
            near = difflib.get_close_matches(key, KEYS, n=1, cutoff=0.5)
            advice = f"did you mean {near[0]}?" if near else f"known keys: {', '.join(KEYS)}"
            raise InputError(f"unknown key in {kind} {path} ({shown(key)} seen) - {advice}")
        if isinstance(table[key], str) and KEYS[key].metadata["parse"]:
            raise InputError(
                f"{kind} {path}: bad {key} ({shown(table[key])} seen) - give "
                f"{KEYS[key].metadata['wanted']}, without quotes"
            )
    given: dict[str, Any] = {KEYS[key].name: value for key, value in table.items()}
    try:
        return RecordingSettings(**given)
    except UsageError as error:
        raise InputError(f"{kind} {path}: {error}") from None


def write_sidecar(
    path: Path | str, settings: RecordingSettings, *, overwrite: bool = False
) -> None:
    """Write the given settings, and only those; reads back equal. Raises OutputError."""
    lines, tables = [], []
    for key, value in plain_values(settings).items():
        metadata = KEYS[key].metadata
        comment = ", ".join(filter(None, (metadata["unit"], metadata["comment"])))
        comment = f"  # {comment}" * bool(comment)
        if isinstance(value, dict):
            numbers = (f"{name} = {number}\n" for name, number in value.items())
            tables += [f"\n[{key}]{comment}\n", *numbers]
        else:
            lines.append(f"{key} = {_toml(value)}{comment}\n")
    lines += tables
    with atomic_path(path, overwrite=overwrite) as temporary:
        temporary.write_text("".join(lines), encoding="utf-8")


def plain_values(settings: RecordingSettings) -> dict[str, Any]:
    """Return the given settings by their keys: numbers, texts, tuples and tables of numbers.

    Raises ValueError for an exposure that depends on the video.
    """
    given = settings.given
    return {
        key: _plain(given[setting.name]) for key, setting in KEYS.items() if setting.name in given
    }


def flattened(table: Mapping[str, Any]) -> dict[str, Any]:
    """The values of a table by keys as `KEYS` has them: the table [video.lens] by `video.lens`."""
    flat: dict[str, Any] = {}
    for key, value in table.items():
        groups = {known.partition(".")[0] for known in KEYS if "." in known}
        if key in groups and isinstance(value, Mapping):
            flat |= {f"{key}.{name}": each for name, each in value.items()}
        else:
            flat[key] = value
    return flat


def _read_toml(path: Path, kind: str) -> dict[str, object]:
    if path.exists() and not path.is_dir():
        check_regular(kind, path)
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise InputError(f"{kind} not found ({path}) - check the path") from None
    except OSError as error:
        raise InputError(f"cannot read {kind} ({path}: {error.strerror}) - check it") from None
    if len(content) > MAX_BYTES:
        raise InputError(f"{kind} {path} is above {MAX_BYTES:,} bytes - it cannot be one")
    try:
        # Editors of Windows begin with a byte order mark, its shells write UTF-16.
        wide = content[:2] in (BOM_UTF16_LE, BOM_UTF16_BE)
        return tomllib.loads(content.decode("utf-16" if wide else "utf-8-sig"))
    except (ValueError, RecursionError) as error:  # also what is not UTF-8, and numbers too long
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"{kind} {path} is not valid TOML ({reason}) - correct it") from None


def _plain(value: object) -> object:
    if isinstance(value, Exposure):
        if value.relative:
            raise ValueError(f"an exposure of {value} is none in seconds")
        value = value.value
    if isinstance(value, Lens):
        return asdict(value)
    return float(value) if isinstance(value, Fraction) else value


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, tuple):
        return f"[{', '.join(_toml(each) for each in value)}]"
    return repr(value)
