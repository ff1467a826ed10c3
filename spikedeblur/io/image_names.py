"""Names of images: a numbered sequence by its pattern, its folder or a glob."""

from __future__ import annotations

import os
import re
from fnmatch import fnmatchcase
from itertools import groupby, pairwise
from pathlib import Path

from spikedeblur.errors import InputError
from spikedeblur.io.guards.limits import check_regular

IMAGE_SUFFIXES = frozenset({".png", ".tif", ".tiff"})
_NUMBER = re.compile(r"%0?(\d{0,2})d")
_LAST_NUMBER = re.compile(r"(.*?)(\d{1,18})(\D*)")
_GLOB = frozenset("*?[")
MOST_GAPS = 5  # gaps in an error


def is_image_sequence(path: Path | str) -> bool:
    """Return whether `path` names images: a PNG, a TIFF, or a pattern such as `%05d.png`."""
    return Path(path).suffix.lower() in IMAGE_SUFFIXES


def is_pattern(path: Path | str) -> bool:
    """Return whether `path` names numbered images, not one."""
    return is_image_sequence(path) and _NUMBER.search(Path(path).name) is not None


def named_sequence(path: Path) -> Path:
    """The pattern of the images in a folder, or of those that a glob names; else `path` itself.

    Raises `InputError` where they are no single sequence.
    """
    if os.path.isdir(path):  # also of a name that no file can have
        files, among = images_in(path), images_in(path)
    elif _GLOB & set(path.name) and not os.path.exists(path) and os.path.isdir(path.parent):
        among = images_in(path.parent)
        files = [each for each in among if fnmatchcase(each.name, path.name)]
    else:
        return path
    if not files:
        return path
    patterns = {_pattern_of(list(group)) for _, group in groupby(sorted(files, key=_frame), _frame)}
    if len(patterns) > 1:
        names = ", ".join(sorted(each.name for each in patterns)[:3])
        raise InputError(
            f"{path} holds more than one sequence of images ({names}"
            f"{', ...' * (len(patterns) > 3)}) - name one of them"
        )
    (pattern,) = patterns
    if len(existing_images(pattern)) > len(files):
        raise InputError(
            f"{path} names {len(files)} of the {len(existing_images(pattern))} images of {pattern} "
            "- choose a part by --start and --end"
        )
    return pattern


def _frame(file: Path) -> tuple[str, str]:
    """What stands before and behind the number of an image."""
    number = _LAST_NUMBER.fullmatch(file.name)
    return (number[1], number[3]) if number else (file.name, "")


def _pattern_of(files: list[Path]) -> Path:
    """The pattern of files whose names differ in their numbers alone; or the one file."""
    numbers = [_LAST_NUMBER.fullmatch(file.name) for file in files]
    widths = [len(number[2]) for number in numbers if number]
    if not widths:
        return files[0]
    (head, tail), width = _frame(files[0]), min(widths)
    return files[0].with_name(f"{head}%0{width}d{tail}" if width > 1 else f"{head}%d{tail}")


def is_one_of_several(path: Path) -> bool:
    """Return whether a file is an image beside which others of its sequence lie."""
    if not is_image_sequence(path) or is_pattern(path) or not path.is_file():
        return False
    own = _frame(path)
    return (
        own != (path.name, "") and sum(_frame(each) == own for each in images_in(path.parent)) > 1
    )


def numbered_files(pattern: Path) -> list[Path]:
    """The existing files of a pattern such as `frames/%05d.png`, by number; or the one file.

    Raises `InputError` when there is none or when a number is missing in between.
    """
    if not is_pattern(pattern):
        check_regular("image", pattern)
        return [pattern]
    found = {int(match.group(1)): entry for entry, match in _matches(pattern)}
    if not found:
        raise InputError(f"no image matches {pattern} - check the folder and the number of digits")
    numbers = sorted(found)
    gaps = [(left + 1, right - 1) for left, right in pairwise(numbers) if right > left + 1]
    if gaps:
        missing = [f"{first}" if first == last else f"{first} to {last}" for first, last in gaps]
        listed = ", ".join(missing[:MOST_GAPS]) + ", ..." * (len(gaps) > MOST_GAPS)
        raise InputError(
            f"images of {pattern} are missing ({listed}; {numbers[0]} to {numbers[-1]} were found) "
            "- complete the sequence"
        )
    return [found[number] for number in numbers]


def numbers_of(pattern: Path) -> list[int]:
    """Those of the files that match a pattern; none of a single file."""
    if not is_pattern(pattern):
        return []
    return [int(match.group(1)) for _, match in _matches(pattern)]


def existing_images(pattern: Path) -> list[Path]:
    """The files that a sequence written to `pattern`, or a single image, could replace."""
    if is_pattern(pattern):
        return [entry for entry, _ in _matches(pattern)]
    return [pattern] if pattern.exists() else []


def images_in(folder: Path) -> list[Path]:
    """The images that lie in a folder, by name."""
    return sorted(
        entry
        for entry in folder.iterdir()
        if entry.suffix.lower() in IMAGE_SUFFIXES and not entry.name.startswith(".")
    )


def with_number(pattern: str, number: int) -> str:
    """The name with its number; what else there is of percent signs stays."""
    return _NUMBER.sub(lambda match: f"{number:0{int(match[1] or 1)}}", pattern, count=1)


def _matches(pattern: Path) -> list[tuple[Path, re.Match[str]]]:
    """The files in the pattern's folder that fit it, with the number as group 1."""
    number = _NUMBER.search(pattern.name)
    assert number is not None
    digits = int(number.group(1) or 0)
    head, tail = pattern.name[: number.start()], pattern.name[number.end() :]
    expression = re.compile(re.escape(head) + rf"(\d{{{max(digits, 1)},}})" + re.escape(tail))
    if not pattern.parent.is_dir():
        return []
    pairs = ((entry, expression.fullmatch(entry.name)) for entry in pattern.parent.iterdir())
    return [(entry, match) for entry, match in pairs if match is not None]
