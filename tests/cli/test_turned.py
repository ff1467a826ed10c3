"""Videos that players turn: which picture spikes lie on is said, unless a rig says it."""

from __future__ import annotations

import shutil
from pathlib import Path

import av
import pytest

from spikedeblur import Deblurrer
from spikedeblur.cli.main import main
from tests.recordings import Recording


@pytest.fixture
def turned(recording: Recording, tmp_path: Path) -> Path:
    """The recording with a flag that has it turned by 90 degrees."""
    path = tmp_path / "turned.mov"
    with av.open(str(recording.blurry)) as old, av.open(str(path), "w") as new:
        stream = new.add_stream("png", rate=50)
        stream.width, stream.height, stream.pix_fmt = 48, 32, "rgb24"
        stream.set_display_rotation(90)
        for frame in old.decode(video=0):
            new.mux(stream.encode(frame.reformat(format="rgb24")))
        new.mux(stream.encode(None))
    for suffix in (".dat", ".toml"):
        shutil.copy(recording.spikes.with_suffix(suffix), tmp_path / f"s{suffix}")
    return path


@pytest.mark.parametrize("rig", [False, True])
@pytest.mark.parametrize("dry", [False, True])
def test_said_where_no_rig_is_known(
    rig: bool, dry: bool, turned: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = turned.parent
    if rig:
        with (folder / "s.toml").open("a") as file:
            file.write("homography = [2, 0, 0.5, 0, 2, 0.5, 0, 0, 1]\n")
    arguments = ["deblur", str(turned), "--spikes", str(folder / "s.dat"), "--method", "sdm"]
    assert main([*arguments, "-o", str(folder / "o.mov"), *["--dry-run"] * dry]) == 0
    said = "players turn the video (90 degrees)" in capsys.readouterr().err
    assert said != rig
    assert (folder / "o.mov").exists() != dry


def test_not_said_of_a_video_that_is_shown_as_it_is(
    recording: Recording, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [
        "--spikes",
        str(recording.spikes),
        "--method",
        "sdm",
        "-o",
        str(tmp_path / "o.mkv"),
    ]
    assert main(["deblur", str(recording.blurry), *arguments]) == 0
    assert "players turn" not in capsys.readouterr().err


@pytest.mark.parametrize("region", [None, "32x24+0+0"])
def test_said_from_python_too(
    turned: Path, region: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    folder = turned.parent
    Deblurrer(method="sdm").run(turned, folder / "s.dat", folder / "o.mov", region=region)
    assert sum("players turn the video (90 degrees)" in each for each in caplog.messages) == 1
