"""`--help` answers at once, for every command, and documents what it lists."""

from __future__ import annotations

import resource
import subprocess
import sys

import click
import pytest

from spikedeblur.cli.groups import GROUPS, TALK
from spikedeblur.cli.main import COMMANDS, main, root
from spikedeblur.io.ffmpeg import encoders
from spikedeblur.vocabulary import WINDOW

HEAVY = ("torch", "numpy", "av", "rich", "tifffile", "pydantic", "yaml")


@pytest.mark.parametrize("args", [[], *([name] for name in COMMANDS)], ids=str)
def test_help_imports_nothing_heavy(args):
    code = (
        "import sys; from spikedeblur.cli.main import main; "
        f"status = main({[*args, '--help']!r}); "
        f"print([name for name in {HEAVY} if name in sys.modules]); sys.exit(status)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("Usage: spikedeblur")
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("args", [["--help"], ["deblur", "--help"], ["--version"]])
def test_help_is_fast(args):
    """By the processor's time, the best of three: other programs may be running."""

    def seconds() -> float:
        began = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(
            [sys.executable, "-m", "spikedeblur", *args], check=True, stdout=subprocess.DEVNULL
        )
        ended = resource.getrusage(resource.RUSAGE_CHILDREN)
        return ended.ru_utime - began.ru_utime + ended.ru_stime - began.ru_stime

    assert min(seconds() for _ in range(3)) < 0.3


def commands() -> list[click.Command]:
    context = click.Context(root)
    return [command for name in COMMANDS if (command := root.get_command(context, name))]


@pytest.mark.parametrize("command", commands(), ids=lambda command: command.name)
def test_every_command_and_option_says_what_it_is(command):
    assert command.help and command.name in COMMANDS
    for parameter in command.params:
        if isinstance(parameter, click.Option) and parameter.name not in ("seed", "progress"):
            assert parameter.help, f"{command.name} {parameter.opts}"


@pytest.mark.parametrize(
    ("command", "options"),
    [
        (
            "deblur",
            "--spikes --spike-size --spike-rate --exposure --offset --flip --no-flip -o "
            "--output -y --overwrite -n --no-clobber --weights --method --device --precision "
            "--threads --compile "
            "--window --window-stride --tile --overlap --codec --crf --preset --pix-fmt -e "
            "--encoder-option --no-audio --no-subtitles --start --end --slowmo "
            "--slowmo-timing --compare --region --strength --headroom --instants "
            "--resume --shard --dry-run --json --progress",
        ),
        (
            "voxelize",
            "-o --output --bins --fps --video --spike-size --spike-rate "
            "--exposure --offset --flip --no-flip",
        ),
        ("simulate", "-o --output"),
        ("align", "--spikes -o --output --fix --preview --json"),
        ("info", "--json"),
        ("preview", "--spikes --at --region --methods -o --output"),
        ("score", "--truth --json"),
        (
            "train",
            "--photos --data --layout --val -o --output --resume --set --seed --device --precision",
        ),
        ("benchmark", "--methods --speed --size --device --precision --threads --json --html"),
    ],
)
def test_the_options_callers_rely_on_are_there(command, options):
    found = root.get_command(click.Context(root), command)
    assert found is not None
    names = {
        name for parameter in found.params for name in (*parameter.opts, *parameter.secondary_opts)
    }
    assert set(options.split()) <= names


@pytest.mark.parametrize("command", commands(), ids=lambda command: command.name)
def test_every_option_is_in_a_group(command):
    assert command.ungrouped_options == []
    listed = [group.title for group in command.option_groups]
    assert listed == [title for title in GROUPS if title in listed] and listed[-1] == TALK


def test_groups_are_shown_in_their_order(capsys):
    assert main(["deblur", "--help"]) == 0
    shown = capsys.readouterr().out
    places = [shown.index(f"\n{title}:\n") for title in ("Video in", "Spikes", "Output", "Talk")]
    assert places == sorted(places) and shown.index("--help") > places[-1]


def test_defaults_are_shown_in_numbers(capsys):
    """As the encoders have them, and the shipped weights."""
    assert main(["deblur", "--help"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    for codec, crf in (("libx264", 16), ("libx265", 16), ("libsvtav1", 20), ("libvpx-vp9", 20)):
        assert encoders._DEFAULT_CRF[codec] == crf
    assert [*encoders._DEEP_CRF.values()] == [10, 8, 10]
    assert (
        "16 for libx264 and libx265 (10 and 8 where" in shown and "20 for libsvtav1 (10)" in shown
    )
    assert encoders._DEFAULT_PRESET["libsvtav1"] == "6" and "6 for libsvtav1" in shown
    assert f"as it was trained, {WINDOW}" in shown


def test_version(capsys):
    assert main(["-V"]) == 0
    assert capsys.readouterr().out.startswith("spikedeblur ")


def test_no_command_shows_the_help_on_stderr(capsys):
    assert main([]) == 2
    out, err = capsys.readouterr()
    assert out == "" and "deblur" in err


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("debur", "No such command 'debur'. (Did you mean 'deblur'?)"),
        ("\x1b[2Jalign", "\\x1b[2Jalign"),
        ("frobnicate", "No such command 'frobnicate'"),
    ],
)
def test_a_misspelt_command_is_told_the_nearest(typed, said, capsys):
    assert main([typed]) == 2
    error = capsys.readouterr().err
    assert said in error and "\x1b" not in error and len(error.splitlines()) == 1


def test_summaries_fit_a_line(capsys):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLUMNS", "80")
        assert main(["--help"]) == 0
    assert "..." not in capsys.readouterr().out.partition("Commands:")[2]


def test_completion_knows_the_commands(monkeypatch, capsys):
    for name, value in (
        ("_SPIKEDEBLUR_COMPLETE", "bash_complete"),
        ("COMP_CWORD", "1"),
        ("COMP_WORDS", "spikedeblur deb"),
    ):
        monkeypatch.setenv(name, value)
    assert main([]) == 0
    assert capsys.readouterr().out.strip() == "plain,deblur"
