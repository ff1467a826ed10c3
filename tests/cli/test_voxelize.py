"""voxelize over several recordings, with previews, and where a rig has to be remembered."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

from spikedeblur.cli.main import main
from spikedeblur.inspection.previews import picture_of_grid
from spikedeblur.io.image_files import read_image
from spikedeblur.io.video import open_video
from spikedeblur.io.voxels import VoxelFile
from tests.recordings import HEIGHT, RATE, WIDTH


def voxelize(*args: object) -> int:
    return main(["voxelize", *map(str, args)])


@pytest.fixture
def two(recording, tmp_path):
    """Two recordings: the one, and the same with its rows turned."""
    for name, flip in (("a", "true"), ("b", "false")):
        shutil.copy(recording.spikes, tmp_path / f"{name}.dat")
        said = recording.spikes.with_suffix(".toml").read_text()
        (tmp_path / f"{name}.toml").write_text(f"{said}flip = {flip}\n")
    return tmp_path


def grids_in(path) -> np.ndarray:
    with VoxelFile(path) as file:
        return np.stack(list(file))


class TestSeveral:
    def test_each_becomes_a_file(self, two, recording):
        assert (
            voxelize(
                two / "a.dat",
                two / "b.dat",
                "--video",
                recording.blurry,
                "--bins",
                4,
                "--output-dir",
                two / "out",
            )
            == 0
        )
        a, b = (grids_in(two / "out" / f"{name}.tif") for name in "ab")
        assert a.shape == (7, 4, HEIGHT // 2, WIDTH // 2) and a.any()
        np.testing.assert_array_equal(a, b[:, :, ::-1])

    def test_one_that_fails_does_not_stop_the_others(self, two, capsys):
        (two / "a.dat").write_bytes(b"\1")
        assert voxelize(two / "a.dat", two / "b.dat", "--fps", RATE) == 1
        assert (two / "b.tif").is_file() and not (two / "a.tif").exists()
        assert "1 of 2 recordings failed" in capsys.readouterr().err

    @pytest.mark.parametrize(
        ("args", "message"),
        [
            (["-o", "x.tif"], "one output for several"),
            (["--preview", "x.png"], "one preview for 2 recordings"),
            (["--video", "v", "--video", "v", "--video", "v"], "3 videos for 2 recordings"),
            (["--video", "v", "--fps", "5"], "give one of --video"),
        ],
    )
    def test_what_does_not_pair(self, two, capsys, args, message):
        rate = [] if "--video" in args else ["--fps", RATE]
        assert voxelize(two / "a.dat", two / "b.dat", *rate, *args) == 2
        assert message in capsys.readouterr().err

    def test_two_of_one_name(self, two, capsys):
        assert voxelize(two / "a.dat", two / "a.dat", "--fps", RATE) == 2
        assert "one name" in capsys.readouterr().err


class TestPreview:
    @pytest.mark.parametrize("suffix", [".tif", ".npy", ".npz"])
    def test_a_film_of_all_frames(self, two, recording, suffix):
        film, out = two / "a.mp4", two / f"a{suffix}"
        assert (
            voxelize(two / "a.dat", "--video", recording.blurry, "--preview", film, "-o", out) == 0
        )
        with open_video(film) as reader:
            assert reader.info.average_rate == RATE
            frames = [frame.rgb for frame in reader]
        grids = grids_in(out)
        assert len(frames) == len(grids) == 7
        for frame, grid in zip(frames, grids, strict=True):
            assert np.abs(frame.astype(int) - picture_of_grid(grid)).mean() < 6

    def test_a_picture_for_each(self, two):
        assert (
            voxelize(two / "a.dat", two / "b.dat", "--fps", RATE, "--preview", two / "{stem}.png")
            == 0
        )
        a, b = (read_image(two / f"{name}.png") for name in "ab")
        np.testing.assert_array_equal(a, picture_of_grid(grids_in(two / "a.tif")[3]))
        np.testing.assert_allclose(a.astype(int), b[::-1], atol=1)

    def test_a_failure_leaves_nothing(self, two, capsys):
        (two / "a.tif").write_text("precious")
        assert voxelize(two / "a.dat", "--fps", RATE, "--preview", two / "a.mp4") == 1
        assert (two / "a.tif").read_text() == "precious" and not (two / "a.mp4").exists()


class TestRig:
    HOMOGRAPHY = "homography = [2, 0, 8.5, 0, 2, 0.5, 0, 0, 1]\n"

    def said(self, folder, text):
        path = folder / "a.toml"
        path.write_text(path.read_text() + text)

    def deblurred(self, folder, recording, spikes):
        out = folder / "out.mkv"
        assert (
            main(
                [
                    "deblur",
                    str(recording.blurry),
                    "--spikes",
                    str(spikes),
                    "--method",
                    "sdm",
                    "--codec",
                    "ffv1",
                    "--progress",
                    "none",
                    "-y",
                    "-o",
                    str(out),
                ]
            )
            == 0
        )
        with open_video(out) as reader:
            return np.stack([frame.rgb for frame in reader])

    @pytest.mark.parametrize("rig", [HOMOGRAPHY, "scale = 1.5\n", "crop = [2, 1, 20, 12]\n"])
    @pytest.mark.parametrize("suffix", [".tif", ".npz"])
    def test_deblur_lays_the_grids_where_the_spikes_lie(self, two, recording, suffix, rig):
        self.said(two, rig)
        out = two / f"grids{suffix}"
        assert voxelize(two / "a.dat", "--video", recording.blurry, "-o", out) == 0
        np.testing.assert_array_equal(
            self.deblurred(two, recording, out), self.deblurred(two, recording, two / "a.dat")
        )

    def test_info_tells_it(self, two, capsys):
        self.said(two, self.HOMOGRAPHY)
        assert voxelize(two / "a.dat", "--fps", RATE) == 0
        assert main(["info", "--json", str(two / "a.tif")]) == 0
        assert json.loads(capsys.readouterr().out)["homography"][2] == 8.5

    def test_what_cannot_be_remembered_is_said(self, two, capsys):
        self.said(two, self.HOMOGRAPHY)
        assert voxelize(two / "a.dat", "--fps", RATE, "-o", two / "a.npy") == 0
        assert "cannot tell where the spikes lie" in capsys.readouterr().err

    def test_a_scale_needs_the_video(self, two, capsys):
        self.said(two, "scale = 2\n")
        assert voxelize(two / "a.dat", "--fps", RATE) == 2
        assert "give --video" in capsys.readouterr().err
