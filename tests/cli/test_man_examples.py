"""What the man pages show can be typed: commands the parser takes, files that read as they say."""

from __future__ import annotations

import re
from pathlib import Path

import click
import numpy as np
import pytest

from spikedeblur.cli.groups import long_name
from spikedeblur.cli.main import COMMANDS, root
from spikedeblur.cli.options import OPTION_FIELDS
from spikedeblur.io.spikes.sidecar import read_sidecar
from spikedeblur.io.spikes.stream import SpikeStream
from tests.documents import parse_call, program_calls

MAN = Path(__file__).parents[2] / "man"
ROFF = {r"\-": "-", r"\e": "\\", r"\(aq": "'", r"\(ga": "`", r"\(ti": "~", r"\(ha": "^"}


def examples(page: Path) -> list[str]:
    """The displays of the section EXAMPLES, each as one text."""
    section = re.search(
        r"^\.SH EXAMPLES\n(.*?)^\.SH ", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )
    assert section, page
    text = section[1]
    for roff, character in ROFF.items():
        text = text.replace(roff, character)
    return re.findall(r"^\.nf\n\.RS 4\n(.*?)^\.RE", text, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("page", sorted(MAN.glob("*.1")), ids=lambda page: page.name)
def test_every_example_is_a_command_the_parser_takes(page):
    calls = [
        call
        for text in examples(page)
        for line in text.splitlines()
        for call in program_calls(line)
    ]
    assert calls
    for arguments in calls:
        if arguments:  # none where the shell sets completion up
            parse_call(arguments)


def test_every_option_has_an_example():
    """On its command's page; how spikes are read on that of deblur, talk on the program's."""
    named = {
        page.name: set(re.findall(r"(?<!\S)--?[a-z][a-z-]*", "\n".join(examples(page))))
        for page in MAN.glob("*.1")
    }
    for name in COMMANDS:
        command = root.get_command(click.Context(root), name)
        assert command is not None
        for option in command.params:
            if isinstance(option, click.Option):
                shown = named[f"spikedeblur-{name}.1"]
                if long_name(option).replace("-", "_") in {*OPTION_FIELDS, "rig"}:
                    shown = shown | named["spikedeblur-deblur.1"]
                if not option.expose_value:
                    shown = shown | named["spikedeblur.1"]
                assert shown & {*option.opts, *option.secondary_opts}, (name, option.opts)


def test_the_sidecar_of_the_format_page_reads(tmp_path):
    path = tmp_path / "s.toml"
    path.write_text(examples(MAN / "spikedeblur-dat.5")[0], encoding="utf-8")
    assert read_sidecar(path).width == 400


def test_the_python_of_the_format_page_reads_the_same_bits(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("s.dat").write_bytes(np.random.default_rng(0).bytes(3 * 12_500))
    names = {"numpy": np}
    exec(examples(MAN / "spikedeblur-dat.5")[1], names)
    stream = SpikeStream.open("s.dat", width=400, height=250, rate_hz=20_000)
    assert np.array_equal(names["planes"], stream[:])
