"""The groups in which `--help` and the man pages list options, in their order.

An option is named by its long name; `COMMAND NAME` is that of one command alone.
"""

from __future__ import annotations

import click

GROUPS: dict[str, str] = {
    "Video in": "list fps start end colorspace transfer strict video truth",
    "Spikes": "spikes spike-size spike-rate flip spike-layout bit-order spike-key lenient "
    "bits cfa threshold",
    "How the cameras lie": "rig exposure offset homography fix drift lens readout parallax "
    "overexpose",
    "What to learn from": "photos data layout val pool init set seed",
    "What to make": "method weights window window-stride slowmo slowmo-timing region strength "
    "headroom "
    "instants at methods bins frames size source-fps blur gamma-space validation "
    "simulate:fps simulate:seed",
    "What to measure": "speed config repeats warm-up isolate worst "
    "benchmark:methods benchmark:weights benchmark:size benchmark:frames benchmark:compare",
    "Output": "output output-dir overwrite no-clobber preview preview-method picture compare html "
    "format no-audio no-subtitles join:video",
    "Encoding": "codec crf preset pix-fmt encoder-option",
    "Machine": "device precision compile threads tile overlap jobs cluster",
    "Long jobs": "resume keep shard segment failures dry-run",
    "Talk": "json progress verbose quiet log-file version",
}
TALK = "Talk"
_TITLES = {name: title for title, names in GROUPS.items() for name in names.split()}


def long_name(option: click.Parameter) -> str:
    """The name that an option has everywhere: `-o`, `--output` -> "output"."""
    return max(option.opts, key=len).lstrip("-")


def title_of(command: str | None, option: click.Option) -> str | None:
    """The title of the group that an option of a command is listed in; None for any other."""
    name = long_name(option)
    return _TITLES.get(f"{command}:{name}") or _TITLES.get(name)
