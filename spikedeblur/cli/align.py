"""spikedeblur align: clock offset, exposure and homography, estimated from content."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from spikedeblur.cli.options import overwrite_option, spike_options
from spikedeblur.errors import UsageError


@click.command("align")
@click.argument("video", type=click.Path(path_type=Path))
@click.option("--spikes", type=click.Path(path_type=Path), required=True, metavar="S.dat",
              help="The spike camera's recording.")
@spike_options
@click.option("-o", "--output", type=click.Path(path_type=Path), metavar="S.toml",
              help="Sidecar to write.  [default: the one of the spikes]")
@overwrite_option
def command(**_: Any) -> None:
    """Estimate how the clocks and planes of VIDEO and its spikes lie to each other."""
    raise UsageError("align is not available yet - give --offset and --exposure, or a homography "
                     "in the sidecar")
