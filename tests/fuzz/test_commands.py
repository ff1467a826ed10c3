"""Command lines of any words: they end with a status of their own, in one line, and touch nothing
but what they are told to write.
"""

from __future__ import annotations

import re
import shutil
from functools import cache
from itertools import chain
from pathlib import Path

import click
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from spikedeblur.cli.main import COMMANDS, main, root
from tests.fuzz.examples import fuzzed
from tests.recordings import HEIGHT, RATE, TICKS, WIDTH, Recording

MEGABYTES = 600
FILES = [
    "../in/blurry.mkv",
    "../in/spikes.dat",
    "../in/spikes.toml",
    "../in",
    "../in/%d.png",
    "-",
    "nowhere",
    "no/where.mkv",
    ".",
    "/dev/null",
    "a\x1b[2Jb",
    "\udcff",
    "x" * 300,
    "",
]
SIZE, TICK_RATE = f"{WIDTH // 2}x{HEIGHT // 2}", str(RATE * TICKS)
WORDS = [
    "0",
    "1",
    "-1",
    "1.5",
    "0.5x",
    "180deg",
    "1/3",
    "1/0",
    "nan",
    "inf",
    "1e-99",
    "9" * 12,
    "9" * 5000,
    SIZE,
    TICK_RATE,
    "99999x99999",
    "0x0",
    "x",
    "auto",
    "cpu",
    "cuda:99",
    "net",
    "sdm",
    "tfp",
    "tfi",
    "fp32",
    "bf16",
    "a=b",
    "crf=1",
    "=",
    "120f",
    "1:2:3",
    "1:2:3:4",
    "1/2",
    "3/2",
    "ffv1",
    "libx264",
    "nope",
    "yuv420p",
    "gray",
    "side",
    "json",
    "none",
    "plain",
    "keep",
    "stretch",
    "\u0664",
    "TRAIN.STEPS=1",
    "[a",
    "{stem}",
    "%s",
]
ANY_TEXT = st.text(st.characters(exclude_characters="\0"), max_size=6)  # as a system can pass it
# What takes long whatever else is said, and is not what this is about.
HEAVY = {
    "--speed",
    "--html",
    "--isolate",
    "--compile",
    "--validation",
    "--precision",
    "--frames",
    "--segment",
}
ENDING = {
    "deblur": ["--method", "sdm", "--window", "3", "-o", "out.mkv"],
    "simulate": ["--frames", "1", "--size", "16x16", "--spike-rate", "400", "-o", "made"],
    "train": ["--data", "nowhere", "-o", "run"],
    "benchmark": ["nowhere", "--methods", "blurry"],
    "voxelize": ["--bins", "2", "-o", "v.tif"],
    "align": ["-o", "s.toml"],
    "info": [],
    "join": [],
    "preview": ["--methods", "sdm", "-o", "p.png"],
    "score": ["--truth", "nowhere"],
    "config": [],
    "export": ["-o", "net.txt"],  # no graph: one takes most of a minute
}


@cache
def options_of(name: str) -> list[click.Option]:
    command = root.get_command(click.Context(root), name)
    assert command is not None
    return [  # options of talk, which have no values of their own, stand before the command
        each
        for each in command.params
        if isinstance(each, click.Option) and each.expose_value and not HEAVY & {*each.opts}
    ]


@cache
def values_of(option: click.Option) -> st.SearchStrategy[str]:
    """Half of them such as the option takes, where that can be told."""
    anything = st.sampled_from(WORDS + FILES) | ANY_TEXT
    kind = option.type
    if isinstance(kind, click.Choice):
        return st.sampled_from([str(each) for each in kind.choices]) | anything
    if isinstance(kind, click.Path):
        return st.sampled_from(FILES) | anything
    if isinstance(kind, click.types.IntParamType | click.types.FloatParamType):
        return st.integers(-1, 9).map(str) | anything
    return anything


@cache
def words_of(option: click.Option) -> st.SearchStrategy[tuple[str, ...]]:
    """The option by one of its names, and its values, if it takes any."""
    values = 0 if option.is_flag or option.count else option.nargs
    names = st.sampled_from([*option.opts, *option.secondary_opts])
    return st.tuples(names, *[values_of(option)] * values)


@cache
def command_lines(name: str) -> st.SearchStrategy[list[str]]:
    """The command with files and options, most of them its own, some with values of others."""
    options = st.one_of([words_of(each) for each in options_of(name)])
    return st.tuples(
        st.sampled_from(
            [
                (),
                (),
                ("-q",),
                ("-v",),
                ("--max-pixels", "2000"),
                ("--log-file", "log"),
                ("--max-pixels",),
                ("--nope",),
            ]
        ),
        st.just((name,)),
        st.lists(st.sampled_from(FILES), max_size=2),
        st.lists(options, max_size=3).map(chain.from_iterable),
        st.lists(st.sampled_from(WORDS), max_size=1),
        st.just(ENDING[name]),
    ).map(lambda parts: [*chain.from_iterable(parts)])


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_every_command_is_tried() -> None:
    assert {*ENDING} == {*COMMANDS}


def test_command_lines(
    recording: Recording,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    inputs, work = tmp_path / "in", tmp_path / "work"
    shutil.copytree(recording.folder, inputs)
    before = contents(inputs)
    monkeypatch.setattr("sys.stdin", open("/dev/null"))  # noqa: SIM115

    @fuzzed()
    @given(st.sampled_from(sorted(ENDING)).flatmap(command_lines))
    @example(["info", "../in/spikes.dat", "--spike-rate", "1e-99"])
    @example(["deblur", "../in/blurry.mkv", "--method", "sdm", "-o", "%05d%s.png"])
    @example(
        [
            "deblur",
            "../in/blurry.mkv",
            "--method",
            "sdm",
            "--spikes",
            "../in/spikes.dat",
            "-o",
            "%0999999999d.png",
        ]
    )
    @example(["deblur", "", "--method", "sdm", "-o", "out.mkv"])
    @example(["voxelize", ".", "--fps", "9"])
    @example(["benchmark", "x" * 300, "--methods", "blurry"])
    @example(["align", "--spikes", "\ud800", "-o", "s.toml"])
    def check(words: list[str]) -> None:
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir()
        monkeypatch.chdir(work)
        status = main(words)
        err = capfd.readouterr().err
        assert status in (0, 1, 2, 3), (status, words)
        assert "this is a bug" not in err and "Traceback" not in err, (words, err)
        if status in (1, 2) and "-q" not in words and "-v" not in words:
            assert re.search(r"(?m)^spikedeblur: error: .* - .*$", err), (words, err)
        assert contents(inputs) == before, words
        assert {path.name for path in tmp_path.iterdir()} == {"in", "work"}, words

    check()
