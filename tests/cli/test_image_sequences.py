"""Sequences of images as users name them: by pattern, folder or glob; and where they go."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from spikedeblur.cli.batch import plan_jobs
from spikedeblur.cli.main import main
from spikedeblur.errors import InputError, UsageError
from spikedeblur.io.image_files import read_with_alpha, write_image
from spikedeblur.io.image_names import named_sequence
from spikedeblur.io.video import open_video


@pytest.fixture
def frames(recording, tmp_path, monkeypatch) -> Path:
    """The blurry frames as in/00000.png to in/00006.png, with alpha; in.dat beside their folder."""
    folder = tmp_path / "in"
    folder.mkdir()
    with open_video(recording.blurry) as reader:
        for frame in reader:
            alpha = np.full(frame.rgb.shape[:2], 40 + frame.index, np.uint8)
            write_image(folder / f"{frame.index:05}.png", np.dstack([frame.rgb, alpha]))
    for suffix in (".dat", ".toml"):
        shutil.copy(recording.spikes.with_suffix(suffix), tmp_path / f"in{suffix}")
    monkeypatch.chdir(tmp_path)
    return folder


def deblur(*args: object) -> int:
    rest = ["--method", "sdm", "--frame-rate", "50", "--progress", "none"]
    return main(["deblur", *map(str, args), *rest])


@pytest.mark.parametrize(
    ("given", "options", "made"),
    [
        ("in", [], "in_deblurred"),
        ("in/*.png", [], "in_deblurred"),
        ("in/%05d.png", [], "in_deblurred"),
        ("in", ["-o", "new/deep"], "new/deep"),
        ("in", ["-o", "new/deep/%05d.png"], "new/deep"),
        ("in", ["--output-dir", "new"], "new/in_deblurred"),
    ],
)
def test_a_sequence_goes_to_a_folder_of_its_own(frames, given, options, made):
    assert deblur(given, *options) == 0
    names = [path.name for path in sorted(frames.iterdir())]
    assert [path.name for path in sorted(Path(made).iterdir())] == names
    rgb, alpha = read_with_alpha(Path(made) / names[3])
    assert (alpha == 43).all() and not np.array_equal(rgb, read_with_alpha(frames / names[3])[0])


@pytest.mark.parametrize("given", ["%05d.png", ".", "./*.png"])
def test_from_within_the_folder(frames, monkeypatch, given):
    monkeypatch.chdir(frames)
    assert deblur(given) == 0
    assert len(list(frames.with_name("in_deblurred").iterdir())) == 7


def test_info_tells_what_they_are(frames, capsys, monkeypatch):
    for given in ("in", "in/*.png", "in/%05d.png"):
        assert main(["info", given, "--json"]) == 0
        found = json.loads(capsys.readouterr().out)
        assert (found["kind"], found["frames_estimate"]) == ("video", 7), given
    monkeypatch.chdir(frames)
    assert main(["info", "."]) == 0 and "%05d.png: video" in capsys.readouterr().out


def test_gaps_are_said(frames, capsys):
    for number in (1, 3, 4):
        (frames / f"{number:05}.png").unlink()
    assert deblur("in", "--dry-run") == 1
    assert "missing (1, 3 to 4; 0 to 6" in capsys.readouterr().err
    assert not Path("in_deblurred").exists()


def test_folders_that_are_no_one_sequence(tmp_path):
    for name in ("a1.png", "a2.png", "b1.png", "1a.png", "2a.png"):
        write_image(tmp_path / name, np.zeros((4, 4, 3), np.uint8))
    with pytest.raises(InputError, match=r"%da\.png, a%d\.png, b%d\.png"):
        named_sequence(tmp_path)
    assert named_sequence(tmp_path / "a*.png") == tmp_path / "a%d.png"
    assert named_sequence(tmp_path / "?a.png") == tmp_path / "%da.png"
    with pytest.raises(InputError, match="1 of the 2"):
        named_sequence(tmp_path / "a[1].png")
    assert named_sequence(tmp_path / "c*.png") == tmp_path / "c*.png"
    (tmp_path / "10a.png").write_bytes((tmp_path / "1a.png").read_bytes())
    assert named_sequence(tmp_path / "*a.png") == tmp_path / "%da.png"


def test_a_glob_that_the_shell_has_followed_is_explained(frames):
    with pytest.raises(UsageError, match="by their folder"):
        plan_jobs(sorted(frames.iterdir()), [Path("in.dat")], None, None)


def test_one_of_several_does_not_make_two_sequences_of_them(frames):
    """Its name beside them would be that of another one; alone it stays where it was."""
    spikes = ["--spikes", "in.dat"]
    assert deblur("in/00003.png", *spikes) == 0
    assert [path.name for path in Path("in_deblurred").iterdir()] == ["00003.png"]
    assert deblur("in", *spikes, "-y") == 0
    Path("alone").mkdir()
    shutil.copy("in/00003.png", "alone/00003.png")
    assert deblur("alone/00003.png", *spikes) == 0
    assert Path("alone/00003_deblurred.png").exists()


def test_a_rate_is_of_images_alone(frames, recording, capsys):
    """Videos have times of their own; what is given and not used is told, once."""
    assert deblur(recording.blurry, "--spikes", "in.dat", "-o", "o.mkv") == 0
    [line] = [each for each in capsys.readouterr().err.splitlines() if "warning:" in each]
    assert "times of its own" in line and "(--fps 50 seen) - leave it out" in line
    assert deblur("in", "-o", "o") == 0
    assert "times of its own" not in capsys.readouterr().err
