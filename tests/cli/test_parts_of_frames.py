"""`deblur --region`, `--strength` and `--instants`, as people call them."""

from __future__ import annotations

import json
import shutil
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from spikedeblur.cli.main import main
from spikedeblur.io.ffmpeg.encoders import EncoderSettings
from spikedeblur.io.image_files import read_image, write_image
from spikedeblur.io.spikes.settings import RecordingSettings
from spikedeblur.io.spikes.sidecar import write_sidecar
from spikedeblur.io.video import create_video, open_video
from spikedeblur.io.video_info import VideoInfo
from tests.recordings import HEIGHT, RATE, TICKS, WIDTH, frame_at


def frames(path: Path) -> tuple[list[Fraction], np.ndarray]:
    with open_video(path) as reader:
        read = list(reader)
    return [frame.time for frame in read], np.stack([frame.rgb for frame in read])


def deblur(recording, output: Path, *args: object, method: str = "sdm") -> int:
    files = [str(recording.blurry), "--spikes", str(recording.spikes), "-o", str(output)]
    return main(["deblur", *files, "--method", method, "--progress", "none", *map(str, args)])


def test_a_region_is_that_part_of_the_whole(recording, tmp_path):
    """But for its borders, where what lies beyond is not known."""
    assert deblur(recording, tmp_path / "whole.mkv") == 0
    assert deblur(recording, tmp_path / "part.mkv", "--region", "28x24+12+4") == 0
    times, whole = frames(tmp_path / "whole.mkv")
    part_times, part = frames(tmp_path / "part.mkv")
    _, blurry = frames(recording.blurry)
    assert part_times == times and part.shape == (7, 24, 28, 3)
    inside = (slice(None), slice(4, -4), slice(4, -4))
    expected = whole[:, 4:28, 12:40][inside].astype(int)
    assert np.abs(part[inside] - expected).max() <= 3
    changed = np.abs(blurry[:, 4:28, 12:40][inside] - expected)
    assert changed.max() > 40  # what other spikes, or none, would leave


@pytest.mark.parametrize("method", ["sdm", "joint", "tfp", "tfi", "net"])
@pytest.mark.parametrize("region", ["17x13+3+5", "48x32+0+0", "12x11+36+21"])
def test_any_region_with_any_method(recording, tmp_path, method, region, monkeypatch, tiny_weights):
    monkeypatch.setenv("SPIKEDEBLUR_DEBLUR_WEIGHTS", str(tiny_weights))
    output = tmp_path / "part.mkv"
    assert deblur(recording, output, "--region", region, "--end", "0.05", method=method) == 0
    width, height = map(int, region.split("+")[0].split("x"))
    assert frames(output)[1].shape == (3, height, width, 3)


def test_an_odd_region_of_halved_chroma(recording, tmp_path, capsys):
    """x264 cannot halve 17 pixels; the picture is kept, with its chroma whole."""
    _, blurry = frames(recording.blurry)
    video = tmp_path / "halved.mp4"
    with create_video(video, VideoInfo.synthetic(WIDTH, HEIGHT, RATE, "yuv420p")) as writer:
        for number, picture in enumerate(blurry):
            writer.write(frame_at(number, picture))
    shutil.copy(recording.spikes, tmp_path / "halved.dat")
    shutil.copy(recording.spikes.with_suffix(".toml"), tmp_path / "halved.toml")
    called = ["deblur", str(video), "--method", "sdm", "--region", "17x13+3+5"]
    assert main([*called, "-o", str(tmp_path / "odd.mp4"), "--progress", "none"]) == 0
    assert "odd size 17x13: yuv444p is written" in capsys.readouterr().err
    assert frames(tmp_path / "odd.mp4")[1].shape == (7, 13, 17, 3)


def test_a_part_keeps_its_colours_where_no_tag_tells_the_matrix(recording, tmp_path):
    """Untagged video is BT.709 from 720 rows up: of the part, which has fewer, too."""
    video = tmp_path / "high.mkv"
    colour = np.array([40, 180, 60], np.uint8)
    with create_video(video, VideoInfo.synthetic(64, 720, RATE, "yuv444p")) as writer:
        for number in range(2):
            writer.write(frame_at(number, np.broadcast_to(colour, (720, 64, 3)).copy()))
    files = ["deblur", str(video), "--spikes", str(recording.spikes), "--progress", "none"]
    called = [*files, "--method", "sdm", "--strength", "0", "--region", "32x32+0+600"]
    assert main([*called, "-o", str(tmp_path / "part.mkv")]) == 0
    assert np.abs(frames(tmp_path / "part.mkv")[1] - colour.astype(int)).max() <= 2


@pytest.mark.parametrize("region", ["48x33+0+0", "10x10+39+0", "1x1+48+0"])
def test_a_region_outside_the_frame(recording, tmp_path, region, capsys):
    for dry in ([], ["--dry-run"]):
        assert deblur(recording, tmp_path / "part.mkv", "--region", region, *dry) == 2
        assert f"{region} of 48x32 seen" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_region_of_a_rig_that_stands_askew(recording, tmp_path, capsys):
    """The homography counts on the whole frame; where it does not look nothing can be restored."""
    shutil.copy(recording.spikes, tmp_path / "s.dat")
    plain = RecordingSettings(size=(24, 16), rate_hz=RATE * TICKS)
    askew = [1.0, 0, 0, 0, 1.0, 0, 0, 0, 1]  # sees the left upper quarter of the frame alone
    write_sidecar(tmp_path / "s.toml", RecordingSettings(**plain.given, homography=askew))
    files = [str(recording.blurry), "--spikes", str(tmp_path / "s.dat"), "--method", "sdm"]
    files += ["--progress", "none", "-y"]
    whole, part = tmp_path / "whole.mkv", tmp_path / "part.mkv"
    assert main(["deblur", *files, "-o", str(whole)]) == 0
    assert main(["deblur", *files, "-o", str(part), "--region", "32x24+4+4"]) == 0
    expected, found = frames(whole)[1][:, 4:28, 4:36].astype(int), frames(part)[1]
    assert np.abs(found[:, 4:, 4:] - expected[:, 4:, 4:]).max() <= 3
    np.testing.assert_array_equal(found[:, 14:, 22:], frames(recording.blurry)[1][:, 18:28, 26:36])
    assert main(["deblur", *files, "-o", str(part), "--region", "16x8+32+24"]) == 2
    assert "does not see the region (16x8+32+24 seen)" in capsys.readouterr().err


def test_a_run_for_another_region_is_another_job(recording, tmp_path, capsys):
    from spikedeblur.output.parts import Parts

    output = tmp_path / "part.mkv"
    called = ["--shard", "1/2", "--segment", "2", "--region", "16x16+0+0"]
    assert deblur(recording, output, *called) == 0
    assert Parts(output).job.reading.region == "16x16+0+0"
    assert deblur(recording, output, *called[:-1], "16x16+2+0") == 2
    assert "of another job" in capsys.readouterr().err
    assert deblur(recording, output, "--shard", "2/2", *called[2:]) == 0
    assert frames(output)[1].shape == (7, 16, 16, 3)
    assert deblur(recording, tmp_path / "one.mkv", "--region", "16x16+0+0") == 0
    np.testing.assert_array_equal(frames(output)[1], frames(tmp_path / "one.mkv")[1])


@pytest.mark.parametrize("method", ["sdm", "tfp"])
def test_no_strength_is_the_input_and_all_of_it_the_result(recording, tmp_path, method):
    for name, strength in (("none", "0"), ("all", "1"), ("half", "0.5")):
        output = tmp_path / f"{name}.mkv"
        assert deblur(recording, output, "--strength", strength, method=method) == 0
    assert deblur(recording, tmp_path / "plain.mkv", method=method) == 0
    (_, none), (_, whole), (_, half), (_, plain) = (
        frames(tmp_path / f"{name}.mkv") for name in ("none", "all", "half", "plain")
    )
    _, blurry = frames(recording.blurry)
    np.testing.assert_array_equal(none, blurry)
    np.testing.assert_array_equal(whole, plain)

    def light(codes: np.ndarray) -> np.ndarray:
        """IEC 61966-2-1."""
        code = codes / 255
        return np.where(code <= 0.04045, code / 12.92, ((code + 0.055) / 1.055) ** 2.4)

    mean = (light(blurry) + light(plain)) / 2
    np.testing.assert_allclose(light(half), mean, atol=0.01)


def test_a_strength_of_sixteen_bits_is_exact(recording, tmp_path):
    pattern = tmp_path / "deep%02d.png"
    rng = np.random.default_rng(0)
    with create_video(pattern, VideoInfo.synthetic(WIDTH, HEIGHT, RATE, "rgb48le")) as writer:
        for number in range(3):
            deep = rng.integers(0, 65536, (HEIGHT, WIDTH, 3)).astype(np.uint16)
            writer.write(frame_at(number, deep))
    called = ["deblur", str(pattern), "--spikes", str(recording.spikes), "--fps", str(RATE)]
    called += ["--method", "sdm", "--strength", "0", "-o", str(tmp_path / "out%02d.png")]
    assert main(called) == 0
    for number in (1, 2, 3):
        read = read_image(tmp_path / f"out{number:02}.png")
        np.testing.assert_array_equal(read, read_image(tmp_path / f"deep{number:02}.png"))


@pytest.mark.parametrize("strength", ["-0.1", "1.5", "nan", "much"])
def test_no_such_strength(recording, tmp_path, strength, capsys):
    assert deblur(recording, tmp_path / "x.mkv", "--strength", strength) == 2
    assert "strength" in capsys.readouterr().err and not (tmp_path / "x.mkv").exists()


def test_instants_have_their_exact_times(recording, tmp_path, capsys):
    output = tmp_path / "single.mp4"
    assert deblur(recording, output, "--instants", "0.07,0.0001,0.030125", "--json") == 0
    times, pictures = frames(output)
    assert times == [Fraction("0.0001"), Fraction("0.030125"), Fraction("0.07")]
    done = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (done["event"], done["frames"]) == ("done", 3)
    assert deblur(recording, tmp_path / "whole.mkv") == 0
    whole = frames(tmp_path / "whole.mkv")[1]
    assert np.abs(pictures[2].astype(int) - whole[3]).mean() < 3  # 0.07 is the middle of frame 3


def test_instants_of_a_file_become_numbered_images(recording, tmp_path):
    listed = tmp_path / "instants.txt"
    listed.write_text("# seconds\n0.05\n\n0.01  # the first frame\n1/100\n")
    assert deblur(recording, tmp_path / "i%03d.png", "--instants", listed) == 0
    assert deblur(recording, tmp_path / "w%03d.png") == 0
    made = sorted(path.name for path in tmp_path.glob("i0*.png"))
    assert made == ["i001.png", "i002.png"]
    for name, same in zip(made, ("w001.png", "w003.png"), strict=True):
        np.testing.assert_array_equal(read_image(tmp_path / name), read_image(tmp_path / same))


def test_images_of_instants_are_numbered_from_one_whatever_the_input_is(recording, tmp_path):
    pattern = tmp_path / "f%02d.png"
    for number, picture in enumerate(frames(recording.blurry)[1], start=40):
        write_image(tmp_path / f"f{number}.png", picture)
    called = ["deblur", str(pattern), "--spikes", str(recording.spikes), "--fps", str(RATE)]
    called += ["--method", "sdm", "--instants", "0.05,0.09", "-o", str(tmp_path / "i%d.png")]
    assert main(called) == 0
    assert sorted(path.name for path in tmp_path.glob("i*.png")) == ["i1.png", "i2.png"]


def test_an_instant_between_exposures_is_told_the_exposures(recording, tmp_path, capsys):
    """The shutter is open for the middle half of 20 ms."""
    for dry in ([], ["--dry-run"]):
        called = ["--instants", "0.01,0.021", "--exposure", "0.5x", *dry]
        assert deblur(recording, tmp_path / "x.mkv", *called) == 2
        error = capsys.readouterr().err
        assert "at 0.021 s" in error and "0.005 to 0.015 s, 0.025 to 0.035 s" in error
    assert list(tmp_path.iterdir()) == []
    for wrong in ("nonsense", "", "0.01,x", str(tmp_path)):
        assert deblur(recording, tmp_path / "x.mkv", "--instants", wrong) == 2
        assert "--instants" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["x.mkv", "x.webm", "x.gif"])
def test_instants_closer_than_the_format_tells_apart(recording, tmp_path, name, capsys):
    """Matroska counts milliseconds, GIF hundredths of a second."""
    assert deblur(recording, tmp_path / name, "--instants", "0.05,0.0501") == 1
    error = capsys.readouterr().err.splitlines()[-1]
    assert "two frames fall on the same time, 0.050100 s" in error and ".mp4" in error
    assert list(tmp_path.iterdir()) == []
    assert deblur(recording, tmp_path / "x.mp4", "--instants", "0.05,0.0501") == 0


def test_no_strength_keeps_the_codes_of_halved_chroma(recording, tmp_path):
    video = tmp_path / "halved.mkv"
    info = VideoInfo.synthetic(WIDTH, HEIGHT, RATE, "yuv420p")
    with create_video(video, info, EncoderSettings(codec="ffv1")) as writer:
        for number, picture in enumerate(frames(recording.blurry)[1]):
            writer.write(frame_at(number, picture))
    files = [str(video), "--spikes", str(recording.spikes), "--method", "sdm", "--codec", "ffv1"]
    output = tmp_path / "none.mkv"
    assert main(["deblur", *files, "--strength", "0", "-o", str(output)]) == 0
    np.testing.assert_array_equal(frames(output)[1], frames(video)[1])


def test_all_three_together(recording, tmp_path):
    output = tmp_path / "x.mov"
    called = ["--instants", "0.011,0.013", "--region", "20x20+8+8", "--strength", "0.4"]
    assert deblur(recording, output, *called, "--codec", "libx264", "--pix-fmt", "yuv420p") == 0
    times, pictures = frames(output)
    assert times == [Fraction("0.011"), Fraction("0.013")] and pictures.shape == (2, 20, 20, 3)


def test_the_plan_of_instants_is_of_these_pictures(recording, tmp_path, capsys):
    assert deblur(recording, tmp_path / "whole.mkv", "--dry-run", "--json") == 0
    whole = json.loads(capsys.readouterr().out)
    called = ["--instants", "0.03,0.031,0.05"]
    assert deblur(recording, tmp_path / "i.mkv", *called, "--dry-run", "--json") == 0
    plan = json.loads(capsys.readouterr().out)
    assert plan["videos"][0]["instants"] == 3
    expected = whole["output_mb_estimate"] * 3 / 7
    assert plan["output_mb_estimate"] == pytest.approx(expected, rel=0.02)
    assert plan["seconds_estimate"] > 0 and list(tmp_path.iterdir()) == []
    assert deblur(recording, tmp_path / "one.png", "--instants", "0.03") == 0
    assert "1 instant of 48x32 by sdm: pictures alone" in capsys.readouterr().err
