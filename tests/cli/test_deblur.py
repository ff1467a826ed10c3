"""`deblur` as people call it, in one process."""

from __future__ import annotations

import json
import shutil
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from spikedeblur.cli.main import main
from spikedeblur.io.ffmpeg.encoders import EncoderSettings
from spikedeblur.io.video import create_video, open_video
from spikedeblur.io.video_info import VideoInfo
from tests.recordings import HEIGHT, RATE, TICKS, WIDTH


def times(path: Path) -> list[Fraction]:
    with open_video(path) as reader:
        return [frame.time for frame in reader]


def pictures(path: Path) -> np.ndarray:
    with open_video(path) as reader:
        return np.stack([frame.rgb for frame in reader])


def deblur(recording, output: Path, *args: str, spikes: Path | None = None) -> int:
    return main(
        [
            "deblur",
            str(recording.blurry),
            "--spikes",
            str(spikes or recording.spikes),
            "--method",
            "sdm",
            "--progress",
            "none",
            "-o",
            str(output),
            *args,
        ]
    )


def test_sidecar_and_options_give_the_same(recording, tmp_path):
    shutil.copy(recording.spikes, tmp_path / "alone.dat")
    assert deblur(recording, tmp_path / "a.mkv") == 0
    assert (
        deblur(
            recording,
            tmp_path / "b.mkv",
            "--spike-size",
            f"{WIDTH // 2}x{HEIGHT // 2}",
            "--spike-rate",
            str(RATE * TICKS),
            spikes=tmp_path / "alone.dat",
        )
        == 0
    )
    np.testing.assert_array_equal(pictures(tmp_path / "a.mkv"), pictures(tmp_path / "b.mkv"))
    assert times(tmp_path / "a.mkv") == times(recording.blurry)


def test_options_beat_the_sidecar(recording, tmp_path):
    assert deblur(recording, tmp_path / "a.mkv") == 0
    assert deblur(recording, tmp_path / "b.mkv", "--no-flip") == 0
    assert (pictures(tmp_path / "a.mkv") != pictures(tmp_path / "b.mkv")).any()


@pytest.mark.parametrize("suffix", [".tif", ".npy", ".npz"])
def test_voxel_files_stand_in_for_the_dat(recording, tmp_path, suffix):
    voxels = tmp_path / f"v{suffix}"
    assert (
        main(
            ["voxelize", str(recording.spikes), "--video", str(recording.blurry), "-o", str(voxels)]
        )
        == 0
    )
    assert deblur(recording, tmp_path / "a.mkv") == 0
    assert deblur(recording, tmp_path / "b.mkv", spikes=voxels) == 0
    np.testing.assert_array_equal(pictures(tmp_path / "a.mkv"), pictures(tmp_path / "b.mkv"))


def test_json_ends_with_the_summary(recording, tmp_path, capsys):
    assert deblur(recording, tmp_path / "a.mkv", "--json", "--progress", "json") == 0
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    done = events[-1]
    assert {"event", "frames", "fps", "output", "warnings", "peak_rss_mb"} <= done.keys()
    assert (done["event"], done["frames"], done["output"], done["warnings"]) == (
        "done",
        7,
        str(tmp_path / "a.mkv"),
        0,
    )
    assert done["peak_rss_mb"] > 10 and done["fps"] > 0
    assert [event["event"] for event in events if event["event"] != "progress"] == ["video", "done"]


def test_slow_motion_writes_n_frames_for_each(recording, tmp_path):
    assert deblur(recording, tmp_path / "a.mov", "--slowmo", "3", "--codec", "libx264rgb") == 0
    assert times(tmp_path / "a.mov") == [Fraction(n, 3 * RATE) for n in range(21)]


def test_the_matrix_named_is_the_one_used(recording, tmp_path):
    clip = tmp_path / "yuv.mkv"
    with (
        open_video(recording.blurry) as reader,
        create_video(
            clip, VideoInfo.synthetic(WIDTH, HEIGHT, RATE, "yuv444p"), EncoderSettings("ffv1")
        ) as writer,
    ):
        for frame in reader:
            writer.write(frame)
    for matrix in ("bt601", "bt709"):
        assert (
            main(
                [
                    "deblur",
                    str(clip),
                    "--spikes",
                    str(recording.spikes),
                    "--method",
                    "sdm",
                    "--colorspace",
                    matrix,
                    "-o",
                    str(tmp_path / f"{matrix}%d.png"),
                ]
            )
            == 0
        )
    assert (pictures(tmp_path / "bt601%d.png") != pictures(tmp_path / "bt709%d.png")).any()


def test_a_part_by_frames_and_seconds(recording, tmp_path):
    assert deblur(recording, tmp_path / "a.mkv", "--start", "2f", "--end", "0.1") == 0
    assert times(tmp_path / "a.mkv") == times(recording.blurry)[2:5]


def test_comparison_is_a_second_file(recording, tmp_path):
    assert deblur(recording, tmp_path / "a.mkv", "--compare", "split") == 0
    sharp, both = pictures(tmp_path / "a.mkv"), pictures(tmp_path / "a_compare.mkv")
    half = WIDTH // 2
    np.testing.assert_array_equal(both[..., half + 1 :, :], sharp[..., half + 1 :, :])
    np.testing.assert_array_equal(
        both[..., : half - 1, :], pictures(recording.blurry)[..., : half - 1, :]
    )
    assert (both[..., half - 1 : half + 1, :] == 255).all()


def test_dry_run_says_how_files_are_read_and_writes_nothing(recording, tmp_path, capsys):
    assert deblur(recording, tmp_path / "a.mkv", "--dry-run") == 0
    out = capsys.readouterr().out
    assert f"{WIDTH}x{HEIGHT}" in out and "24x16 at 4000 Hz" in out and "a.mkv" in out
    assert f"ticks 0.0 to {TICKS}.0" in out
    assert deblur(recording, tmp_path / "a.mkv", "--dry-run", "--json") == 0
    assert json.loads(capsys.readouterr().out)["event"] == "plan"
    assert list(tmp_path.iterdir()) == []


def test_images_in_and_out(recording, tmp_path):
    from spikedeblur.io.image_files import write_image

    for index, picture in enumerate(pictures(recording.blurry)):
        write_image(tmp_path / f"in{index:03}.png", picture)
    assert (
        main(
            [
                "deblur",
                str(tmp_path / "in%03d.png"),
                "--spikes",
                str(recording.spikes),
                "--fps",
                str(RATE),
                "--method",
                "sdm",
                "-o",
                str(tmp_path / "o%03d.png"),
            ]
        )
        == 0
    )
    assert len(list(tmp_path.glob("o*.png"))) == 7


def test_the_networks_plan(recording, tmp_path, capsys, tiny_weights):
    assert (
        main(
            [
                "deblur",
                str(recording.blurry),
                "--spikes",
                str(recording.spikes),
                "--dry-run",
                "--weights",
                str(tiny_weights),
                "--tile",
                "32",
                "--overlap",
                "8",
                "--window-stride",
                "2",
            ]
        )
        == 0
    )
    out = capsys.readouterr().out
    assert "2 a frame, 32 pixels, overlap 8" in out
    assert "5 frames every 2" in out and "fp32" in out


def test_the_network_with_weights_of_ours(recording, tmp_path, tiny_weights):
    assert (
        main(
            [
                "deblur",
                str(recording.blurry),
                "--spikes",
                str(recording.spikes),
                "--weights",
                str(tiny_weights),
                "-o",
                str(tmp_path / "a.mkv"),
                "--threads",
                "1",
            ]
        )
        == 0
    )
    assert times(tmp_path / "a.mkv") == times(recording.blurry)


@pytest.mark.parametrize("option", [["--json"], ["--dry-run"], ["--compare", "side"]])
def test_nothing_mixes_with_a_video_on_standard_output(recording, option, capfdbinary):
    assert deblur(recording, Path("-"), *option) == 2
    captured = capfdbinary.readouterr()
    assert captured.out == b"" and b"standard output" in captured.err


def test_no_video_goes_to_a_terminal(recording, monkeypatch, capfdbinary):
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    assert deblur(recording, Path("-")) == 2
    captured = capfdbinary.readouterr()
    assert captured.out == b"" and b"terminal" in captured.err
