"""What `info` says of spikes: with everything known, and with nothing."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import numpy as np
import pytest

from spikedeblur.cli.main import main
from spikedeblur.cli.terminal_picture import picture_lines
from spikedeblur.io.image_files import read_image
from tests.io.spikes.files import plain, scene
from tests.recordings import HEIGHT, RATE, TICKS, WIDTH


@pytest.fixture
def dat(tmp_path):
    """72x48 at 160 ticks, with a dead and a stuck pixel."""
    spikes = scene(48, 72, 160)
    spikes[:, 5, 6], spikes[:, 7, 8] = False, True
    (tmp_path / "s.dat").write_bytes(plain(spikes))
    return tmp_path / "s.dat", spikes


def told(capsys, *args) -> dict[str, object]:
    assert main(["info", "--json", *map(str, args)]) == 0
    return json.loads(capsys.readouterr().out)


def test_everything_known(dat, capsys):
    path, spikes = dat
    found = told(capsys, path, "--spike-size", "72x48", "--spike-rate", "2000")
    assert (found["width"], found["height"], found["ticks"]) == (72, 48, 160)
    assert (found["duration_s"], found["dead_pixels"], found["always_on_pixels"]) == (0.08, 1, 1)
    shares = np.delete(spikes.mean(0).ravel(), [5 * 72 + 6, 7 * 72 + 8])
    assert found["measured_ticks"] == 160 and "likely" not in found
    np.testing.assert_allclose(
        [found["mean_rate_hz"], found["lowest_rate_hz"], found["highest_rate_hz"]],
        [2000 * spikes.mean(), 2000 * shares.min(), 2000 * shares.max()],
        atol=1e-3,
    )


def test_nothing_known(dat, capsys):
    found = told(capsys, dat[0])
    assert (found["likely"], found["width"], found["height"]) == ("72x48", 72, 48)
    assert "rows of 72 resemble" in found["likely_because"] and found["sizes_that_fit"] == []
    assert found["rate_hz"] is found["duration_s"] is found["mean_rate_hz"] is None
    assert found["spikes_per_tick"] == pytest.approx(dat[1].mean(), abs=1e-6)
    assert {"size: guessed", "rate: unknown"} <= set(found["origins"])


@pytest.fixture
def small(tmp_path):
    """32x24 at 800 ticks: so many bytes fill two planes of 640x480, too."""
    spikes = scene(24, 32, 800)
    (tmp_path / "small.dat").write_bytes(plain(spikes))
    return tmp_path / "small.dat", spikes


def test_the_bits_are_asked_where_one_known_camera_fits(small, tmp_path, capsys):
    path, spikes = small
    for rate, words in ((None, "size and rate"), (2000, "that fit it: 640x480 at 2000 Hz")):
        found = told(capsys, path, *(() if rate is None else ("--spike-rate", rate)))
        assert (found["likely"], found["width"], found["height"]) == ("32x24", 32, 24)
        assert found["sizes_that_fit"] == ["640x480"] and found["rate_hz"] == rate
        assert words in found["note"] and "--spike-size 32x24" in found["note"]
        assert found["ticks"] == 800
        assert found["dead_pixels"] == int((spikes.sum(0) == 0).sum())
    large = told(capsys, path, "--spike-size", "640x480")  # who knows better is believed
    assert (large["width"], large["ticks"]) == (640, 2) and "likely" not in large


def test_no_command_takes_the_known_camera_against_the_bits(small, recording, tmp_path, capsys):
    """640x480 would make two ticks of it, and an error that says nothing of the cause."""
    grids = tmp_path / "v.tif"
    called = ["voxelize", str(small[0]), "--spike-rate", "2000", "--fps", "10", "-o", str(grids)]
    assert main(called) == 2
    assert "640x480 at 2000 Hz (0.001 s); its bits speak for 32x24" in capsys.readouterr().err
    assert main([*called, "--spike-size", "32x24"]) == 0
    assert main([*called, "--spike-size", "640x480"]) == 1  # who knows better is believed
    assert "the spikes end before the first frame" in capsys.readouterr().err
    files = [str(recording.blurry), "--spikes", str(small[0]), "--spike-rate", "2000"]
    for command in (["align"], ["deblur", "--method", "sdm", "-o", str(tmp_path / "o.mkv")]):
        assert main([*command, *files]) == 2
        assert "give --spike-size 32x24" in capsys.readouterr().err


def test_bits_that_agree_with_the_known_camera_or_tell_nothing(tmp_path, capsys):
    (tmp_path / "s.dat").write_bytes(plain(scene(250, 400, 77)))
    found = told(capsys, tmp_path / "s.dat", "--spike-rate", "20000")
    assert found["likely"].startswith("400x250") and found["rate_hz"] == 20_000
    assert found["width"] == 400 and "note" not in found
    (tmp_path / "dark.dat").write_bytes(bytes(12_500 * 3))
    found = told(capsys, tmp_path / "dark.dat", "--spike-rate", "20000")
    assert (found["width"], found["dead_pixels"]) == (400, 100_000) and "likely" not in found


@pytest.mark.parametrize("command", ["deblur", "align", "voxelize"])
def test_other_commands_tell_the_likely_size_in_their_error(command, recording, tmp_path, capsys):
    (tmp_path / "s.dat").write_bytes(recording.spikes.read_bytes())
    spikes, video = str(tmp_path / "s.dat"), str(recording.blurry)
    called = {
        "deblur": [video, "--spikes", spikes, "--method", "sdm", "-o", str(tmp_path / "o.mkv")],
        "align": [video, "--spikes", spikes],
        "voxelize": [spikes, "--video", video],
    }[command]
    assert main([command, *called]) == 2
    *_, error = capsys.readouterr().err.splitlines()
    assert "its bits speak for 24x16" in error and "--spike-size 24x16" in error
    assert main([command, *called, "--spike-rate", str(RATE * TICKS)]) == 2
    assert "--spike-size 24x16, or a sidecar" in capsys.readouterr().err


def test_a_folder_of_recordings_is_each_of_them(recording, tmp_path, capsys):
    folder = tmp_path / "takes"
    folder.mkdir()
    for name, ticks in (("left.dat", 80), ("right.dat", 160)):
        (folder / name).write_bytes(plain(scene(16, 24, ticks)))
    assert main(["info", "--json", str(folder), "--spike-size", "24x16"]) == 0
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(each["file"], each["ticks"]) for each in found] == [
        (str(folder / "left.dat"), 80),
        (str(folder / "right.dat"), 160),
    ]
    assert main(["info", str(folder), "--preview", str(tmp_path / "p.png")]) == 2
    assert "one preview for 2 files" in capsys.readouterr().err
    (tmp_path / "empty").mkdir()
    assert main(["info", "--json", str(tmp_path / "empty"), str(recording.blurry)]) == 1
    out, err = capsys.readouterr()
    assert json.loads(out)["kind"] == "video" and "no .dat files" in err


def test_only_the_rate_unknown(tmp_path, capsys):
    (tmp_path / "s.dat").write_bytes(bytes(12_500 * 3))
    found = told(capsys, tmp_path / "s.dat")
    assert (found["width"], found["ticks"], found["rate_hz"]) == (400, 3, None)
    assert found["dead_pixels"] == 100_000
    assert found["readings_that_fit"] == [
        "400x250 at 20000 Hz (0.00015 s)",
        "400x250 at 40000 Hz (7.5e-05 s)",
    ]


def test_nothing_to_be_told(tmp_path, capsys):
    (tmp_path / "s.dat").write_bytes(np.random.default_rng(0).bytes(12_501))
    found = told(capsys, tmp_path / "s.dat")
    assert found["likely"] is None and "width" not in found
    assert (
        main(["info", str(tmp_path / "s.dat"), "--picture", "--preview", str(tmp_path / "p.png")])
        == 1
    )
    assert "no known camera's planes fill it" in capsys.readouterr().err


def test_the_picture(dat, capsys):
    assert main(["info", str(dat[0]), "--picture"]) == 0
    lines = capsys.readouterr().out.splitlines()[-24:]
    assert {len(line) for line in lines} == {72} and len(set("".join(lines))) > 4
    assert main(["info", str(dat[0])]) == 0  # no terminal, no picture
    assert capsys.readouterr().out.splitlines()[-1].strip().startswith("measured ticks")


def test_colours_show_two_pixels_a_character():
    picture = np.repeat(np.array([[0, 255], [255, 0]], np.uint8)[..., None], 3, axis=-1)
    [line] = picture_lines(picture, colour=True)
    assert re.findall(r"38;5;(\d+);48;5;(\d+)m", line) == [("232", "255"), ("255", "232")]
    assert list(picture_lines(picture[:1].repeat(2, 0), colour=False)) == [" @"]


def test_previews(recording, dat, tmp_path, capsys):
    out = tmp_path / "p.png"
    assert main(["info", str(recording.spikes), "--preview", str(out)]) == 0
    assert read_image(out).shape == (HEIGHT // 2, WIDTH // 2, 3)
    assert main(["info", str(recording.spikes), "--preview", str(out)]) == 1
    assert "exists" in capsys.readouterr().err
    assert main(["info", str(dat[0]), "--preview", str(out), "-y"]) == 0
    assert read_image(out).shape == (48, 72, 3)
    assert main(["info", str(recording.blurry), "--preview", str(out)]) == 1
    assert "only spikes have a preview" in capsys.readouterr().err
    assert main(["info", str(dat[0]), str(dat[0]), "--preview", str(out)]) == 2


def test_a_preview_needs_no_torch(recording, tmp_path):
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "from spikedeblur.cli.main import main\n"
        "sys.exit(main(['info', sys.argv[1], '--picture', '--preview', sys.argv[2]]))"
    )
    for name in ("p.png", "p.mp4"):
        called = [sys.executable, "-c", code, str(recording.spikes), str(tmp_path / name)]
        subprocess.run(called, check=True)
        assert (tmp_path / name).stat().st_size > 100


def test_a_folder_of_spikes(recording, tmp_path, capsys):
    (tmp_path / "s").mkdir()
    for number in range(3):
        (tmp_path / "s" / f"{number}.dat").write_bytes(recording.spikes.read_bytes())
    (tmp_path / "s.toml").write_bytes(recording.spikes.with_suffix(".toml").read_bytes())
    found = told(capsys, tmp_path / "s")
    assert (found["ticks"], found["rate_hz"]) == (21 * TICKS, RATE * TICKS)


def test_it_says_who_has_said_it(tmp_path, capsys, monkeypatch):
    (tmp_path / "s.dat").write_bytes(bytes(12_500 * 3))
    (tmp_path / "s.toml").write_text("rate_hz = 20000\nflip = false\noffset_s = 1\n")
    monkeypatch.setenv("SPIKEDEBLUR_SPIKE_RATE", "40000")
    monkeypatch.setenv("SPIKEDEBLUR_FLIP", "true")
    found = told(capsys, tmp_path / "s.dat", "--no-flip")
    assert (found["rate_hz"], found["flip"], found["offset_s"]) == (40_000, False, 1)
    assert set(found["origins"]) == {
        "size: inferred",
        "rate: environment",
        "flip: option",
        "layout: inferred",
        "offset: sidecar",
    }
