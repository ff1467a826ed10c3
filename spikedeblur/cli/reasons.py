"""One-line reasons for errors that end a command, or one video of several."""

from __future__ import annotations

import errno
import os

from spikedeblur.errors import SpikedeblurError, shown


def reason(error: Exception) -> str:
    """Give the reason in one line: what is wrong - what to do. Unforeseen ones are called bugs."""
    if isinstance(error, SpikedeblurError):
        return str(error)
    if isinstance(error, OSError) and not isinstance(error, BrokenPipeError):
        if error.filename:
            # What the system says of a name that no check has foreseen, such as one too long.
            return (
                f"cannot use {shown(os.fspath(error.filename))} ({error.strerror}) - "
                "check the name and permissions"
            )
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EIO):  # standard output has no name
            return f"cannot write the output ({error.strerror}) - make room, or write it elsewhere"
    if isinstance(error, UnicodeEncodeError):
        # No file system holds it; a shell cannot even say it, but a program can.
        return f"a name cannot be written as text ({shown(error.object)} seen) - use another"
    return (
        f"{type(error).__name__}: {error} (this is a bug) - "
        "run again with -vv and report what it shows"
    )
