"""What is left of a run that ends before its time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from spikedeblur.cli.console import Console
from spikedeblur.cli.progress import Progress


@contextmanager
def kept(console: Console, output: Path, progress: Progress) -> Iterator[None]:
    """Say how to go on with the segments of `output` that are done, if the block raises."""
    try:
        yield
    except BaseException as error:
        from spikedeblur.output.parts import Parts

        parts = Parts(output)
        if progress.frames and (count := len(parts.numbers())):
            console.kept = (
                f"{count} segment{'s' * (count > 1)} kept in {parts.folder}: give the "
                "same command with --resume to go on"
            )
            if isinstance(error, Exception):
                console.note(console.kept)
        raise
