"""The TOML file beside a .dat (`s.dat` -> `s.toml`) that says how to read it."""

from __future__ import annotations

import difflib
import tomllib
from dataclasses import dataclass, fields
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from spikedeblur.errors import InputError, shown
from spikedeblur.io.atomic import atomic_path
from spikedeblur.io.guards.limits import check_regular
from spikedeblur.io.spikes.cameras import LAYOUTS
from spikedeblur.quantities import exact

__all__ = ["Sidecar", "parse_homography", "read_sidecar", "sidecar_path", "write_sidecar"]

# Many times what there is to say. Time and memory of the parser grow with the square of a key's
# dots: 64 kB of them take gigabytes.
MAX_BYTES = 8 * 1024
LIMIT = 10**9


@dataclass(frozen=True)
class Sidecar:
    """What a sidecar says; None where it says nothing.

    width, height: sensor in pixels (both or neither). rate_hz: ticks per second.
    flip: rows stored bottom-up. bit_order: "little" or "big". layout: of packed planes. key: name
    of the array in a file of several.
    offset_s: time of tick 0 on the video's clock. exposure_s: shutter time of a video frame.
    exposure_start_s: how long after a frame's time stamp its shutter opens.
    crop: left, top, width, height of the part of the spike plane to use. scale: video pixels per
    spike pixel, across and down, with the middle of the spikes on the middle of the frame.
    homography: spike pixel -> video pixel, 3 x 3 row-major, centre of the first pixel at (0, 0);
    counted on the whole plane, also beside a crop; never beside a scale.
    """

    width: int | None = None
    height: int | None = None
    rate_hz: Fraction | None = None
    flip: bool | None = None
    bit_order: str | None = None
    layout: str | None = None
    key: str | None = None
    offset_s: Fraction | None = None
    exposure_s: Fraction | None = None
    exposure_start_s: Fraction | None = None
    crop: tuple[int, int, int, int] | None = None
    scale: tuple[float, float] | None = None
    homography: tuple[float, ...] | None = None


KEYS = [field.name for field in fields(Sidecar)]
COMMENTS = {
    "width": "pixels",
    "rate_hz": "ticks per second",
    "flip": "rows stored bottom-up",
    "offset_s": "time of tick 0 on the video's clock",
    "exposure_s": "shutter time of a video frame",
    "exposure_start_s": "shutter opens so long after a frame's time stamp",
    "layout": "plain, or with header columns: sps10, sps100",
    "key": "name of the array",
    "crop": "left, top, width, height of the part to use",
    "scale": "video pixels per spike pixel",
    "homography": "spike pixel -> video pixel, row-major",
}


def sidecar_path(spikes: Path | str) -> Path:
    """Where the sidecar of a spike file stands."""
    path = Path(spikes).absolute() if Path(spikes).name == "" else Path(spikes)
    return path.with_suffix(".toml") if path.name else path / ".toml"


def read_sidecar(path: Path | str) -> Sidecar:
    """Read and check a sidecar.

    Raises InputError if the file is missing, no TOML, too large, or has an unknown key (the
    nearest known one is named) or a value that cannot be.
    """
    path = Path(path)
    table = _read_toml(path)
    for key in table:
        if key not in KEYS:
            near = difflib.get_close_matches(key, KEYS, n=1, cutoff=0.5)
            advice = f"did you mean {near[0]}?" if near else f"known keys: {', '.join(KEYS)}"
            raise InputError(f"unknown key in sidecar {path} ({shown(key)} seen) - {advice}")
    values: dict[str, Any] = {key: _checked(path, key, value) for key, value in table.items()}
    if ("width" in values) != ("height" in values):
        raise InputError(f"sidecar {path} has only one of width and height - give both or neither")
    if "scale" in values and "homography" in values:
        raise InputError(f"sidecar {path} has both scale and homography - give one of them")
    return Sidecar(**values)


def write_sidecar(path: Path | str, sidecar: Sidecar, *, overwrite: bool = False) -> None:
    """Write what the sidecar says, and only that; reads back equal. Raises OutputError."""
    lines = []
    for key in KEYS:
        value = getattr(sidecar, key)
        if value is not None:
            comment = f"  # {COMMENTS[key]}" if key in COMMENTS else ""
            lines.append(f"{key} = {_toml(value)}{comment}\n")
    with atomic_path(path, overwrite=overwrite) as temporary:
        temporary.write_text("".join(lines), encoding="utf-8")


def _read_toml(path: Path) -> dict[str, object]:
    if path.exists() and not path.is_dir():
        check_regular("sidecar", path)
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise InputError(f"sidecar not found ({path}) - check the path") from None
    except OSError as error:
        raise InputError(f"cannot read sidecar ({path}: {error.strerror}) - check it") from None
    if len(content) > MAX_BYTES:
        raise InputError(f"sidecar {path} is above {MAX_BYTES:,} bytes - it cannot be a sidecar")
    try:
        return tomllib.loads(content.decode("utf-8"))
    except (ValueError, RecursionError) as error:  # also what is not UTF-8, and numbers too long
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"sidecar {path} is not valid TOML ({reason}) - correct it") from None


def _checked(path: Path, key: str, value: object) -> object:
    """The value in its field's type. Raises InputError naming what the key takes."""
    wanted, checked = _CHECKS[key]
    result = checked(value)
    if result is None:
        raise InputError(f"bad {key} in sidecar {path} ({shown(value)} seen) - give {wanted}")
    return result


def _pixels(value: object) -> int | None:
    return value if type(value) is int and 0 < value < LIMIT else None


def _number(value: object) -> Fraction | None:
    # The comparison is also what turns away nan and the infinities.
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return exact(value) if abs(value) < LIMIT else None


def _positive(value: object) -> Fraction | None:
    number = _number(value)
    return number if number is not None and number * LIMIT >= 1 else None


def _flag(value: object) -> bool | None:
    return value if type(value) is bool else None


def _bit_order(value: object) -> str | None:
    return value if isinstance(value, str) and value in ("little", "big") else None


def _layout(value: object) -> str | None:
    return value if isinstance(value, str) and value in LAYOUTS else None


def _name(value: object) -> str | None:
    fine = isinstance(value, str) and 0 < len(value) < 256 and value.isprintable()
    return value if isinstance(value, str) and fine and not {'"', "\\"} & set(value) else None


def _crop(value: object) -> tuple[int, ...] | None:
    if (
        not isinstance(value, list)
        or len(value) != 4
        or any(type(each) is not int for each in value)
    ):
        return None
    left, top, width, height = value
    fits = min(left, top) >= 0 and min(width, height) > 0 and max(value) < LIMIT
    return (left, top, width, height) if fits else None


def _scale(value: object) -> tuple[float, float] | None:
    numbers = [_positive(each) for each in (value if isinstance(value, list) else [value] * 2)]
    if len(numbers) != 2 or numbers[0] is None or numbers[1] is None:
        return None
    return float(numbers[0]), float(numbers[1])


def parse_homography(value: object) -> tuple[float, ...] | None:
    """Nine numbers in a list, the rows of an invertible matrix; None for anything else."""
    if not isinstance(value, list) or len(value) != 9:
        return None
    numbers = [_number(each) for each in value]
    if None in numbers:
        return None
    matrix = np.array(value, dtype=np.float64)
    invertible = np.linalg.matrix_rank(matrix.reshape(3, 3)) == 3
    return tuple(matrix.tolist()) if invertible else None


_CHECKS = {
    "width": ("a whole number of pixels above zero", _pixels),
    "height": ("a whole number of pixels above zero", _pixels),
    "rate_hz": ("ticks per second, above zero", _positive),
    "flip": ("true or false", _flag),
    "bit_order": ('"little" or "big"', _bit_order),
    "offset_s": ("seconds", _number),
    "exposure_s": ("seconds, above zero", _positive),
    "exposure_start_s": ("seconds", _number),
    "layout": (f"one of {', '.join(LAYOUTS)}", _layout),
    "key": ("the name of an array", _name),
    "crop": ("left, top, width, height in whole spike pixels", _crop),
    "scale": ("video pixels per spike pixel, one number or two, above zero", _scale),
    "homography": ("nine numbers, the rows of an invertible 3x3 matrix", parse_homography),
}


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, tuple):
        return f"[{', '.join(_toml(each) for each in value)}]"
    return repr(float(value) if isinstance(value, Fraction) else value)
