"""voxelize: every spike in its frame, in each format."""

from __future__ import annotations

import json

import numpy as np
import tifffile

from spikedeblur.cli.main import main
from spikedeblur.io.spikes.stream import SpikeStream
from tests.recordings import HEIGHT, RATE, TICKS, WIDTH


class TestVoxelize:
    def test_tiff_holds_every_spike_in_its_frame(self, recording, tmp_path):
        out = tmp_path / "v.tif"
        assert (
            main(
                [
                    "voxelize",
                    str(recording.spikes),
                    "--video",
                    str(recording.blurry),
                    "-o",
                    str(out),
                    "--bins",
                    "8",
                ]
            )
            == 0
        )
        grids = tifffile.imread(out)
        assert grids.shape == (7, 8, HEIGHT // 2, WIDTH // 2) and grids.dtype == np.float32
        with SpikeStream.open(
            recording.spikes, width=WIDTH // 2, height=HEIGHT // 2, rate_hz=RATE * TICKS
        ) as stream:
            planes = stream[:].reshape(7, 8, TICKS // 8, HEIGHT // 2, WIDTH // 2)
        np.testing.assert_array_equal(grids, planes.sum(2))
        with tifffile.TiffFile(out) as tiff:
            assert tiff.series[0].axes == "TZYX"
            said = json.loads(tiff.pages[0].description)
        assert (said["rate_hz"], said["exposure_s"], said["bins"]) == (RATE * TICKS, 1 / RATE, 8)

    def test_a_frame_rate_gives_the_same_as_the_video(self, recording, tmp_path):
        for name, args in (
            ("a.npy", ["--video", str(recording.blurry)]),
            ("b.npy", ["--fps", str(RATE)]),
        ):
            assert main(["voxelize", str(recording.spikes), *args, "-o", str(tmp_path / name)]) == 0
        np.testing.assert_array_equal(np.load(tmp_path / "a.npy"), np.load(tmp_path / "b.npy"))

    def test_without_exposures_it_asks_for_them(self, recording, tmp_path, capsys):
        out = ["-o", str(tmp_path / "v.tif")]
        assert main(["voxelize", str(recording.spikes), *out]) == 2
        assert "--fps" in capsys.readouterr().err
        assert main(["voxelize", str(recording.spikes), *out, "--fps", "1"]) == 1
        assert (
            main(["voxelize", str(recording.spikes), "--fps", "50", "-o", str(tmp_path / "v.txt")])
            == 2
        )
        assert list(tmp_path.iterdir()) == []

    def test_an_existing_file_is_kept(self, recording, tmp_path):
        (tmp_path / "v.tif").write_text("precious")
        args = ["voxelize", str(recording.spikes), "--fps", "50", "-o", str(tmp_path / "v.tif")]
        assert main(args) == 1
        assert (tmp_path / "v.tif").read_text() == "precious"
        assert main([*args, "-y"]) == 0
