"""The man pages: as committed they are what the parser says now, and they read without a warning.

Tests that need `man` run where it is installed (Debian: man-db, groff), and are reported as
skipped elsewhere.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from configparser import ConfigParser
from pathlib import Path

import click
import pytest

from spikedeblur.cli.main import COMMANDS, main, root
from spikedeblur.cli.manpage import build, escape
from spikedeblur.io.spikes.cameras import CAMERAS
from spikedeblur.io.spikes.settings import KEYS

ROOT = Path(__file__).parents[2]
MAN = ROOT / "man"
PAGES = sorted([*MAN.glob("*.1"), *MAN.glob("*.5")])
needs_man = pytest.mark.skipif(shutil.which("man") is None, reason="man is not installed")


def plain(page: Path) -> str:
    """The words of a page, without fonts and with plain hyphens."""
    return re.sub(r"\\f[A-Z]", "", page.read_text(encoding="utf-8")).replace(r"\-", "-")


def test_the_committed_pages_are_what_the_parser_says():
    stale = [
        path.name
        for path, text in build(MAN).items()
        if not path.exists() or path.read_text(encoding="utf-8") != text
    ]
    assert not stale, "run `make man`"
    assert sorted(build(MAN)) == PAGES


@pytest.mark.parametrize("name", ["", *COMMANDS])
def test_every_option_is_in_its_page(name):
    context = click.Context(root)
    command = root.get_command(context, name) if name else root
    words = plain(MAN / f"spikedeblur{'-' * bool(name)}{name}.1")
    options = [option for option in command.params if isinstance(option, click.Option)]
    assert options
    for option in options:
        assert re.search(rf"^{re.escape(', '.join(option.opts))}\b", words, re.MULTILINE), option
        choices = getattr(option.type, "choices", ())
        assert option.metavar or all(choice in words for choice in choices), option
        if option.envvar:
            assert re.search(rf"^{option.envvar[0]}$", words, re.MULTILINE), option


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_the_same_sections(name):
    words = plain(MAN / f"spikedeblur-{name}.1")
    assert re.findall(r"^\.SH (.*)", words, re.MULTILINE) == [
        "NAME",
        "SYNOPSIS",
        "DESCRIPTION",
        "OPTIONS",
        "EXAMPLES",
        "FILES",
        "ENVIRONMENT",
        "EXIT STATUS",
        "SEE ALSO",
    ]
    assert f"spikedeblur-{name}(1)" in plain(MAN / "spikedeblur.1")


def test_the_variables_named_are_those_that_click_reads(monkeypatch, capsys):
    """Each is set to a value that cannot be; the error has to name its option."""
    named = re.findall(
        r"^(SPIKEDEBLUR_DEBLUR_\w+)\n(.*)", plain(MAN / "spikedeblur-deblur.1"), re.MULTILINE
    )
    numbers = {
        name: option
        for name, option in named
        if option in ("--tile", "--window", "--overlap", "--threads", "--slowmo", "--start")
    }
    assert len(numbers) == 6
    for name, option in numbers.items():
        with monkeypatch.context() as patch:
            patch.setenv(name, "nonsense")
            assert main(["deblur", "a.mkv"]) == 2
            assert option in capsys.readouterr().err


def test_the_page_of_the_format_knows_every_key_and_camera():
    words = plain(MAN / "spikedeblur-dat.5")
    assert all(key in words for key in KEYS)
    assert all(f"{camera.width}x{camera.height}" in words for camera in CAMERAS)


def test_the_pages_are_installed():
    setup = ConfigParser()
    setup.read(ROOT / "setup.cfg", encoding="utf-8")
    for section in "15":
        pattern = setup["options.data_files"][f"share/man/man{section}"]
        assert set(ROOT.glob(pattern)) == {page for page in PAGES if page.suffix == f".{section}"}


def test_every_page_that_is_referred_to_exists():
    own = {
        match
        for page in PAGES
        for match in re.findall(r"(spikedeblur[a-z-]*) ?\((\d)\)", plain(page))
    }
    assert len(own) > len(COMMANDS)
    assert all((MAN / f"{name}.{section}").exists() for name, section in own)


@needs_man
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_man_reads_it_without_a_warning(page):
    done = subprocess.run(
        ["man", "--warnings", "--local-file", str(page)],
        text=True,
        capture_output=True,
        check=True,
        env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "MANWIDTH": "80"},
    )
    assert done.stderr == "" and page.stem in done.stdout


@needs_man
def test_any_text_is_shown_as_it_is(tmp_path):
    """Characters that roff would take for its own: a lost one changes what a page says."""
    texts = [
        r"C:\path\name",
        ".SH a dot first",
        "'quote first",
        "a-b --c",
        r"\fBno font",
        "5\u00d75",
        '`tick` ~home ^caret "double"',
    ]
    page = tmp_path / "t.1"
    page.write_text(
        ".TH T 1\n.SH NAME\nt \\- t\n.SH TEXT\n"
        + "".join(f".PP\n{escape(text)}\n" for text in texts),
        encoding="utf-8",
    )
    shown = subprocess.run(
        ["man", "--local-file", str(page)],
        capture_output=True,
        text=True,
        check=True,
        env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"},
    ).stdout
    lines = [line.strip() for line in shown.splitlines()]
    assert [text for text in texts if text not in lines] == []
