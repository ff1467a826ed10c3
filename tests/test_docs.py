"""The pages for readers: every command runs, every option exists, every link leads somewhere.

Commands run as they stand on the page, top to bottom in one folder that holds the files they speak
of (`tests/props.py`), with a smaller network and shorter trainings. `tests/documents.py` tells how
a page marks the blocks that take long, or need more than one machine has.
"""

from __future__ import annotations

import ast
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import click
import pytest
import yaml

from spikedeblur.cli.main import COMMANDS, main, root
from spikedeblur.io.spikes.sidecar import read_sidecar
from tests.documents import (
    LANGUAGES,
    PAGES,
    ROOT,
    anchors,
    blocks,
    links,
    parse_call,
    program_calls,
    prose,
)
from tests.props import lay_out

SHORT = [
    f"--set={setting}"
    for setting in (
        "TRAIN.STEPS=2",
        "TRAIN.VAL_CLIPS=1",
        "TRAIN.WORKERS=0",
        "TRAIN.BATCH_SIZE=1",
        "DATA.CROP_SIZE=32",
        "DATA.CLIP_LEN=2",
        "MODEL.CHANNELS_PER_SCALE=[8,8,8,8]",
        "MODEL.VRT.EMBED_DIMS=[8,8,8,8,8,8,8,8,8,8,8]",
        "MODEL.VRT.DEPTHS=[1,1,1,1,1,1,1,1,1,1,1]",
        "MODEL.VRT.NUM_HEADS=[2,2,2,2,2,2,2,2,2,2,2]",
        "MODEL.VRT.PA_FRAMES=0",
    )
]
SHIM = """#!/bin/bash
[ "$1" = train ] && set -- "$@" {short}
exec {python} -m spikedeblur "$@"
"""
ALL = [block for page in PAGES for block in blocks(page)]
BY_NAME = {"ids": lambda thing: str(thing.relative_to(ROOT) if isinstance(thing, Path) else thing)}
WITH_CODE = [
    page
    for page in PAGES
    if any(block.language in ("sh", "python") and block.mark != "parsed" for block in blocks(page))
]


@pytest.fixture
def desk(request, tmp_path, monkeypatch, tiny_weights, small_convolution) -> Path:
    """The folder that the pages' commands run in; `spikedeblur` there is this source tree."""
    lay_out(tmp_path, streets=request.node.get_closest_marker("slow") is not None)
    shutil.copy(tiny_weights, tmp_path / "best.safetensors")
    shim = tmp_path / "bin" / "spikedeblur"
    shim.parent.mkdir()
    shim.write_text(SHIM.format(short=shlex.join(SHORT), python=shlex.quote(sys.executable)))
    shim.chmod(0o755)
    monkeypatch.setenv("PATH", f"{shim.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("SPIKEDEBLUR_DEBLUR_WEIGHTS", str(tiny_weights))
    monkeypatch.setenv("SPIKEDEBLUR_BENCHMARK_WEIGHTS", str(tiny_weights))
    monkeypatch.setenv("SPIKEDEBLUR_BENCHMARK_ISOLATE", "0")  # a process each would take seconds
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("page", WITH_CODE, **BY_NAME)
def test_what_a_page_says_to_type_runs(page, desk):
    """Quick blocks, in this process: it costs no second start of the program."""
    names: dict[str, object] = {}
    for block in blocks(page):
        if block.mark is None and block.language == "python":
            exec(compile(block.text, str(block), "exec"), names)
        elif block.mark is None and block.language == "sh":
            for line in block.commands:
                program, *arguments = shlex.split(line, comments=True)
                assert program == "spikedeblur", f"{block}: mark what is no call of the program"
                short = SHORT if arguments[0] == "train" else []
                assert main([*arguments, *short]) == 0, f"{block}: {line}"


@pytest.mark.slow
@pytest.mark.parametrize(
    "page",
    [page for page in WITH_CODE if any(block.mark == "slow" for block in blocks(page))],
    **BY_NAME,
)
def test_what_a_page_says_to_type_runs_in_a_shell(page, desk):
    """All blocks but those that need other machines, literally."""
    for block in blocks(page):
        if block.mark == "parsed" or block.language not in ("sh", "python"):
            continue
        command = (
            [sys.executable, "-"] if block.language == "python" else ["bash", "-euo", "pipefail"]
        )
        done = subprocess.run(command, input=block.text, text=True, capture_output=True, cwd=desk)
        assert done.returncode == 0, f"{block}:\n{done.stderr}"


@pytest.mark.slow
def test_a_strict_checker_of_types_takes_every_example(tmp_path):
    examples = [block for block in ALL if block.language == "python"]
    for number, block in enumerate(examples):
        (tmp_path / f"example_{number}.py").write_text(f"# {block}\n{block.text}", encoding="utf-8")
    command = [sys.executable, "-m", "mypy", "--strict", "--follow-imports=silent", str(tmp_path)]
    environment = {**os.environ, "MYPYPATH": str(ROOT)}
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment)
    assert done.returncode == 0, done.stdout
    assert examples and f"no issues found in {len(examples)} source files" in done.stdout


@pytest.mark.parametrize("block", ALL, **BY_NAME)
def test_every_block_says_what_it_is_and_can_be_read(block):
    assert block.language in LANGUAGES and block.mark in (None, "slow", "parsed")
    if block.language == "sh":
        subprocess.run(["bash", "-n"], input=block.text, text=True, check=True)
    elif block.language == "python":
        ast.parse(block.text)
    elif block.language == "yaml":
        assert yaml.safe_load(block.text)
    elif block.language == "toml":
        assert tomllib.loads(block.text)
    elif block.language == "json":
        assert [json.loads(line) for line in block.text.splitlines()]


@pytest.mark.parametrize("block", [block for block in ALL if block.language == "sh"], **BY_NAME)
def test_every_command_is_one_the_parser_takes(block, monkeypatch):
    """Also of the blocks that cannot be run here; a training's configuration is resolved too."""
    for name in re.findall(r"\$\{?(SLURM_\w+)", block.text):
        monkeypatch.setenv(name, "2")
    for line in block.commands:
        for arguments in program_calls(os.path.expandvars(line)):
            parse_call(arguments)
        if words := shlex.split(os.path.expandvars(line), comments=True):
            if "torchrun" in words:
                _parse_torchrun(words[words.index("torchrun") + 1 :])
            elif words[0] == "make":
                subprocess.run(
                    ["make", "-n", *words[1:]], cwd=ROOT, check=True, stdout=subprocess.DEVNULL
                )


def _parse_torchrun(words: list[str]) -> None:
    from torch.distributed.run import parse_args

    read = parse_args(words)
    assert (read.module, read.training_script) == (True, "spikedeblur")


def test_every_option_named_in_passing_exists():
    """`--like-this` in the prose is an option of some command, or of a tool named beside it."""
    foreign = {"--nproc-per-node", "--nnodes"}
    known = {
        name
        for command in (root, *map(_command, COMMANDS))
        for parameter in command.params
        for name in (*parameter.opts, *parameter.secondary_opts)
    } | {"--help"}
    named = {
        (page.name, option)
        for page in PAGES
        for option in re.findall(r"(?<![\w-])--[a-z][a-z-]+", prose(page))
    }
    assert named
    assert not {(page, option) for page, option in named if option not in known | foreign}


def test_the_first_page_names_every_command():
    table = re.findall(r"^\| `(\w+)` \|", PAGES[0].read_text(encoding="utf-8"), re.MULTILINE)
    assert [name for name in table if name in COMMANDS] and set(COMMANDS) <= set(table)


@pytest.mark.parametrize("page", PAGES, **BY_NAME)
def test_every_file_of_the_source_named_exists(page):
    for name in re.findall(r"`([\w/]+\.py)`", prose(page)):
        assert (ROOT / name).exists() or any(ROOT.glob(f"spikedeblur/**/{name}")), name


def _command(name: str) -> click.Command:
    command = root.get_command(click.Context(root), name)
    assert command is not None
    return command


def test_a_sidecar_shown_is_a_sidecar(tmp_path):
    shown = [block for block in ALL if block.language == "toml" and "rate_hz" in block.text]
    assert shown
    for block in shown:
        path = tmp_path / "s.toml"
        path.write_text(block.text, encoding="utf-8")
        assert read_sidecar(path).rate_hz, str(block)


def test_the_model_card_tells_the_conditions_that_clips_are_drawn_from():
    from spikedeblur.simulation.clips import Conditions

    drawn = Conditions()
    card = " ".join((ROOT / "docs" / "model-card.md").read_text(encoding="utf-8").split())
    rows = {
        "ticks in an exposure": drawn.ticks,
        "spikes a tick and pixel, on average": drawn.rate,
        "exposure, part of the frame interval": drawn.exposure,
        "spike pixels per video pixel, along a side": (min(drawn.ratios), max(drawn.ratios)),
        "motion in an exposure, video pixels": drawn.blur_px,
    }
    for row, (low, high) in rows.items():
        assert f"| {row} | {low:,g} | {high:,g} |" in card
    for words in (
        f"up to {drawn.objects[1]} objects",
        f"in {drawn.still:.0%}",
        f"in {drawn.gamma_space:.0%}",
        f"In {drawn.misaligned:.0%}",
        f"in {drawn.compressed:.0%}",
    ):
        assert words.replace("%", " %") in card


def test_the_page_on_training_lists_keys_with_their_values():
    from spikedeblur.training.config import load_config

    table = (ROOT / "docs" / "training.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`(?:TRAIN|DATA|LOSS|LOG)\.[^|]*) \| ([^|]*) \|", table, re.MULTILINE)
    assert len(rows) > 10
    config = load_config("small").model_dump()
    for keys, values in rows:
        for key, value in zip(re.findall(r"`(\w+\.\w+)`", keys), values.split(", "), strict=True):
            section, name = key.split(".")
            assert (
                config[section][name] == yaml.safe_load(value)
                or str(config[section][name]) == value
            ), key


@pytest.mark.parametrize("page", PAGES, **BY_NAME)
def test_every_link_leads_somewhere(page):
    for target in links(page):
        path, _, anchor = target.partition("#")
        if re.match(r"https?:", target):
            continue
        place = (page.parent / path).resolve() if path else page
        assert place.exists() and place.is_relative_to(ROOT), target
        assert not anchor or anchor in anchors(place), target


def test_every_page_is_reached_from_the_first():
    reached, waiting = set(), [PAGES[0]]
    while waiting:
        page = waiting.pop()
        if page not in reached and page.suffix == ".md":
            reached.add(page)
            waiting += [
                (page.parent / target.partition("#")[0]).resolve()
                for target in links(page)
                if not re.match(r"https?:|#", target)
            ]
    assert set(PAGES) <= reached


def test_pictures_are_small():
    pictures = [path for path in (ROOT / "docs" / "pictures").iterdir() if path.suffix != ".py"]
    assert pictures and all(path.stat().st_size < 400_000 for path in pictures)
    shown = {(page.parent / target).resolve() for page in PAGES for target in links(page)}
    assert set(pictures) <= shown


def test_nothing_is_set_as_code_without_a_fence():
    """A block that is indented instead would be run by nobody."""
    for page in PAGES:
        text = re.sub(r"^ *(?:[-*]|\d+\.) .*\n(?: {2,}.*\n)*", "", prose(page), flags=re.MULTILINE)
        assert not re.findall(r"^ {4,}\S.*", text, re.MULTILINE), page
