"""Lists of videos in files: one a line, and behind tabs its spikes and its output.

# what was wrong
takes/a.mp4<TAB>takes/a.dat<TAB>sharp/a_deblurred.mp4
takes/b.mp4
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from spikedeblur.errors import InputError, OutputError, UsageError

if TYPE_CHECKING:
    from spikedeblur.cli.batch import VideoJob

HEADING = "# Videos that are not done; spikedeblur deblur --list reads this."
MOST_CHARACTERS = 1 << 26


@dataclass(frozen=True)
class ListedVideo:
    """A line of a list; what it does not say is None, and follows from the options."""

    video: Path
    spikes: Path | None = None
    output: Path | None = None


def read_list(path: Path) -> list[ListedVideo]:
    """Read a list. Raises `InputError` if it cannot be read, `UsageError` for a line of it."""
    try:
        if not path.is_file():
            raise InputError(f"there is no list {path} - name a text file")
        with path.open(encoding="utf-8", errors="surrogateescape") as file:
            text = file.read(MOST_CHARACTERS)
    except OSError as error:
        raise InputError(f"cannot read the list ({path}: {error.strerror}) - check it") from None
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        words = [word.strip() for word in line.split("\t")]
        if len(words) > 3 or not words[0]:
            raise UsageError(
                f"line {number} of {path} is not VIDEO, its spikes and its output ({line[:60]!r} "
                "seen) - separate them by tabs"
            )
        found.append(ListedVideo(*(Path(word) if word else None for word in words)))  # type: ignore[arg-type]
    return found


def check_list(path: Path) -> None:
    """Refuse to replace what is no such list. Raises `OutputError`."""
    if not path.parent.is_dir():
        raise OutputError(f"there is no folder {path.parent} (--failures {path}) - make it first")
    if not path.exists():
        return
    first = None
    if path.is_file():
        with suppress(OSError, UnicodeDecodeError), path.open(encoding="utf-8") as file:
            first = file.readline(200).rstrip("\n")
    if first not in (HEADING, ""):
        raise OutputError(f"{path} exists and is no list of failures - name another file")


def write_list(path: Path, rows: Sequence[tuple[VideoJob, str]]) -> None:
    """Write the videos that are not done, each with why; without any, the heading alone."""
    from spikedeblur.io.atomic import atomic_path

    lines = [HEADING]
    for job, why in rows:
        words = [str(job.video), str(job.spikes or ""), str(job.output)]
        listed = "\t".join(words)
        if any(character in word for word in words for character in "\t\n\r"):
            listed = f"# a name that no line can hold: {words[0]!r}"
        lines += [f"# {' '.join(why.split())}", listed]
    with atomic_path(path, overwrite=True) as temporary:
        temporary.write_text("\n".join(lines) + "\n", encoding="utf-8", errors="surrogateescape")
