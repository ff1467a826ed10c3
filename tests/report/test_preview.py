"""`preview`: one frame by each method, under their names, and what all frames would take."""

from __future__ import annotations

import json
import shutil
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from spikedeblur import preview
from spikedeblur.cli.main import main
from spikedeblur.errors import UsageError
from spikedeblur.io.image_files import read_image
from spikedeblur.io.lettering import lettered
from spikedeblur.io.spikes.settings import RecordingSettings
from spikedeblur.io.spikes.sidecar import write_sidecar
from spikedeblur.io.spikes.stream import write_dat
from spikedeblur.io.video import create_video, open_video
from spikedeblur.io.video_info import VideoInfo
from spikedeblur.report.preview import GAP
from tests.recordings import HEIGHT, RATE, TICKS, WIDTH, frame_at

MOVING = 6  # the only frame of `still` in which anything moves


def shown(recording, output: Path, *args: object, spikes: Path | None = None) -> int:
    files = [str(recording.blurry), "--spikes", str(spikes or recording.spikes), "-o", str(output)]
    return main(["preview", *files, *map(str, args)])


def decoded(path: Path) -> np.ndarray:
    with open_video(path) as reader:
        return np.stack([frame.rgb for frame in reader])


def panels(path: Path, count: int, width: int = WIDTH, height: int = HEIGHT) -> list[np.ndarray]:
    sheet = read_image(path)
    assert sheet.shape[1] == count * (width + GAP) - GAP and sheet.shape[0] > height + 7
    return [sheet[-height:, place * (width + GAP) :][:, :width] for place in range(count)]


@pytest.fixture
def sharp(recording, tmp_path) -> Path:
    output = tmp_path / "sharp.mkv"
    files = [str(recording.blurry), "--spikes", str(recording.spikes), "-o", str(output)]
    assert main(["deblur", *files, "--method", "sdm", "--progress", "none"]) == 0
    return output


@pytest.fixture
def still(tmp_path) -> Path:
    """Twelve frames of noise, of which all but one stand still in their exposure."""
    rng = np.random.default_rng(0)
    light = np.repeat(rng.random((HEIGHT // 2, WIDTH)), 1, axis=0)
    charge, planes = rng.random((HEIGHT // 2, WIDTH // 2)), []
    for frame in range(12):
        for tick in range(TICKS):
            shift = tick * 12 // TICKS if frame == MOVING else 12 * (frame > MOVING)
            charge += 0.6 * light[:, shift : shift + WIDTH // 2]
            planes.append(charge >= 1)
            charge -= planes[-1]
    write_dat(tmp_path / "still.dat", [np.array(planes)])
    size = WIDTH // 2, HEIGHT // 2
    write_sidecar(tmp_path / "still.toml", RecordingSettings(size=size, rate_hz=RATE * TICKS))
    with create_video(tmp_path / "still.mkv", VideoInfo.synthetic(WIDTH, HEIGHT, RATE)) as writer:
        for number in range(12):
            picture = np.full((HEIGHT, WIDTH, 3), 100 + number, np.uint8)
            writer.write(frame_at(number, picture))
    return tmp_path / "still.mkv"


def test_every_method_stands_under_its_name(recording, sharp, tmp_path, capsys):
    output = tmp_path / "p.png"
    assert shown(recording, output, "--at", "0.07", "--methods", f"blurry,sdm,{sharp}") == 0
    blurry, sdm, finished = panels(output, 3)
    np.testing.assert_array_equal(blurry, decoded(recording.blurry)[3])
    np.testing.assert_array_equal(sdm, decoded(sharp)[3])
    np.testing.assert_array_equal(finished, sdm)
    names = read_image(output)[:-HEIGHT]
    for place, name in enumerate(("blurry", "sdm", "sharp")):
        left = place * (WIDTH + GAP) + 3
        letters = lettered(name)
        found = names[3:10, left : left + letters.shape[1], 0] == 255
        np.testing.assert_array_equal(found, letters)
    out, err = capsys.readouterr()
    [line] = out.splitlines()  # of the others there is nothing to be told
    assert line.startswith("sdm ") and "for all 7 frames" in line
    assert "the frame at 0.060 s" in err


def test_letters_are_what_they_are():
    rows = ["#...#", "#...#", "#...#", "#####", "#...#", "#...#", "#...#"]
    expected = np.array([[dot == "#" for dot in row] for row in rows])
    np.testing.assert_array_equal(lettered("h"), expected)
    assert lettered("hi", 3).shape == (21, 33) and lettered("").shape == (7, 0)
    np.testing.assert_array_equal(lettered("\u00fc"), lettered("?"))
    distinct = {lettered(each).tobytes() for each in "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.:-_/"}
    assert len(distinct) == 41


def test_the_frame_in_which_most_moves_is_shown(still, capsys):
    output = still.with_name("still_preview.png")  # where it goes by itself
    assert main(["preview", str(still), "--methods", "sdm", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["time_s"] == MOVING / RATE and found["frames"] == 12
    assert found["output"] == str(output) and (panels(output, 2)[0] == 100 + MOVING).all()
    [blurry, sdm] = found["methods"]
    assert blurry == {"method": "blurry", "seconds_per_frame": None, "seconds_estimate": None}
    assert sdm["seconds_estimate"] == pytest.approx(12 * sdm["seconds_per_frame"])


def test_a_frame_by_its_number_and_a_region(recording, sharp, tmp_path):
    output = tmp_path / "p.tif"
    called = ["--at", "5f", "--region", "32x24+10+6", "--methods", f"sdm,{sharp}"]
    assert shown(recording, output, *called) == 0
    blurry, sdm, finished = panels(output, 3, 32, 24)
    np.testing.assert_array_equal(blurry, decoded(recording.blurry)[5, 6:30, 10:42])
    np.testing.assert_array_equal(finished, decoded(sharp)[5, 6:30, 10:42])
    assert np.abs(sdm[4:-4, 4:-4].astype(int) - finished[4:-4, 4:-4]).max() <= 3


def test_the_network_and_the_others(recording, tmp_path, tiny_weights, capsys):
    """A window of five frames goes forward by three, so seven frames take two of them or less."""
    output = tmp_path / "p.png"
    called = ["--methods", "net,joint,tfi", "--weights", tiny_weights, "--threads", "1"]
    assert shown(recording, output, *called, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert [each["method"] for each in found["methods"]] == ["blurry", "net", "joint", "tfi"]
    for each in found["methods"][1:]:
        assert each["seconds_estimate"] == pytest.approx(7 * each["seconds_per_frame"])
    panels(output, 4)


@pytest.mark.parametrize("name", ["grids.tif", "grids.npz"])
def test_voxel_grids(still, name, capsys):
    grids = still.with_name(name)
    called = ["voxelize", str(still.with_suffix(".dat")), "--video", str(still), "-o", str(grids)]
    assert main(called) == 0
    output = still.with_name("p.png")
    assert (
        main(["preview", str(still), "--spikes", str(grids), "--methods", "sdm", "-o", str(output)])
        == 0
    )
    assert (panels(output, 2)[0] == 100 + MOVING).all()


def test_images_of_sixteen_bits(recording, tmp_path, capsys):
    pattern = tmp_path / "f%02d.png"
    with create_video(pattern, VideoInfo.synthetic(WIDTH, HEIGHT, RATE, "rgb48le")) as writer:
        for number, picture in enumerate(decoded(recording.blurry)):
            writer.write(frame_at(number, picture.astype(np.uint16) * 257 + 1))
    output = tmp_path / "p.png"
    called = ["preview", str(pattern), "--spikes", str(recording.spikes), "--methods", "sdm"]
    assert main([*called, "--fps", str(RATE), "--at", "0.05", "-o", str(output)]) == 0
    assert read_image(output).dtype == np.uint16
    blurry, _ = panels(output, 2)
    np.testing.assert_array_equal(blurry, decoded(recording.blurry)[2].astype(np.uint16) * 257 + 1)


def test_spikes_of_another_scene_are_warned_of(recording, tmp_path, capsys):
    other = tmp_path / "other.dat"
    content = np.fromfile(recording.spikes, np.uint8)
    other.write_bytes(content[::-1].tobytes())  # mirrored, and backwards
    shutil.copy(recording.spikes.with_suffix(".toml"), tmp_path / "other.toml")
    called = ["--methods", "sdm", "--at", "0.05"]
    assert shown(recording, tmp_path / "a.png", *called) == 0
    assert "warning" not in capsys.readouterr().err
    assert shown(recording, tmp_path / "b.png", *called, spikes=other) == 0
    assert "warning: the spikes" in capsys.readouterr().err


def test_a_small_part_does_not_tell_how_long_all_takes(recording, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("spikedeblur.io.region.REGION_MARGIN", 0)  # else all of it is restored
    called = ["--methods", "sdm", "--at", "0.05", "--region", "32x24+0+0"]
    assert shown(recording, tmp_path / "a.png", *called) == 0
    [line] = capsys.readouterr().out.splitlines()
    assert line.endswith("s a frame as shown")


def test_what_cannot_be_shown(recording, sharp, tmp_path, capsys):
    output = tmp_path / "p.png"
    for status, words, *called in (
        (2, "no frame is shown at 0.14 s", "--at", "0.14"),
        (2, "no frame is shown at 100 s", "--at", "100"),
        (2, "48x32 seen", "--region", "99x9+0+0"),
        (2, "unknown method", "--methods", "magic"),
        (1, "nowhere.mkv", "--methods", tmp_path / "nowhere.mkv"),
    ):
        assert shown(recording, output, "--methods", "sdm", *called) == status
        error = capsys.readouterr().err.splitlines()
        assert len(error) == 1 and words in error[0] and not output.exists()
    assert shown(recording, tmp_path / "p.mp4") == 2 and "name a .png" in capsys.readouterr().err
    other = tmp_path / "other.mkv"
    with create_video(other, VideoInfo.synthetic(20, 20, RATE)) as writer:
        writer.write(frame_at(0, np.zeros((20, 20, 3), np.uint8)))
    assert shown(recording, output, "--methods", other) == 1
    assert "20x20 and 48x32 seen" in capsys.readouterr().err
    output.write_text("precious")
    assert shown(recording, output) == 1 and output.read_text() == "precious"
    alone = tmp_path / "alone.mkv"
    shutil.copy(recording.blurry, alone)
    capsys.readouterr()
    assert main(["preview", str(alone), "--methods", "sdm"]) == 2
    assert "needs spikes" in capsys.readouterr().err


def test_from_python(recording):
    found = preview(recording.blurry, recording.spikes, methods="sdm", at=Fraction(1, 10))
    assert found.time_s == Fraction(1, 10) and found.frames == 7
    assert [each.method for each in found.methods] == ["blurry", "sdm"]
    assert found.picture().shape[1] == 2 * WIDTH + GAP
    with pytest.raises(UsageError, match="no frame is shown at -1 s"):
        preview(recording.blurry, recording.spikes, methods="sdm", at=-1)


def test_the_folder_is_made(recording, tmp_path):
    output = tmp_path / "new" / "deep" / "p.png"
    assert shown(recording, output, "--methods", "sdm", "--at", "0.05") == 0 and output.is_file()


def test_a_finished_video_that_is_missing_is_told_at_once(recording, tmp_path, monkeypatch, capsys):
    called = []
    monkeypatch.setattr("spikedeblur.report.preview._timed", lambda *_: called.append(1))
    assert shown(recording, tmp_path / "p.png", "--methods", f"sdm,{tmp_path / 'nowhere.mkv'}") == 1
    assert "there is no file" in capsys.readouterr().err and called == []
