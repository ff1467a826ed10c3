"""info: what each kind of file is."""

from __future__ import annotations

import json
import re

import numpy as np
import tifffile

from spikedeblur.cli.main import main
from tests.recordings import HEIGHT, RATE, TICKS, WIDTH


class TestInfo:
    def kinds(self, capsys, *paths) -> list[dict[str, object]]:
        assert main(["info", "--json", *map(str, paths)]) == 0
        return [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    def test_it_tells_files_apart(self, recording, tmp_path, capsys, tiny_weights):
        main(["voxelize", str(recording.spikes), "--fps", "50", "-o", str(tmp_path / "v.tif")])
        found = self.kinds(
            capsys,
            recording.blurry,
            recording.spikes,
            tmp_path / "v.tif",
            tiny_weights,
            recording.spikes.with_suffix(".toml"),
        )
        assert [each["kind"] for each in found] == [
            "video",
            "spikes",
            "voxels",
            "weights",
            "sidecar",
        ]
        video, spikes, voxels, weights, _ = found
        assert (video["width"], video["height"], video["fps"]) == (WIDTH, HEIGHT, RATE)
        assert (spikes["ticks"], spikes["rate_hz"]) == (7 * TICKS, RATE * TICKS)
        assert (voxels["frames"], voxels["bins"]) == (7, 32)
        assert weights["uses_spikes"] is True and weights["window"] == 5

    def test_spikes_of_unknown_size(self, tmp_path, capsys):
        (tmp_path / "s.dat").write_bytes(bytes(12500 * 3))
        [found] = self.kinds(capsys, tmp_path / "s.dat")
        assert "400x250" in found["sizes_that_fit"]

    def test_an_image_is_a_video_of_one_frame(self, tmp_path, capsys):
        tifffile.imwrite(tmp_path / "p.tif", np.zeros((32, 48, 3), np.uint8), photometric="rgb")
        [found] = self.kinds(capsys, tmp_path / "p.tif")
        assert (found["kind"], found["frames_estimate"]) == ("video", 1)

    def test_one_bad_file_does_not_hide_the_others(self, recording, capsys):
        assert main(["info", "nowhere", str(recording.blurry)]) == 1
        out, err = capsys.readouterr()
        assert "nowhere" in err and re.search(r"blurry.mkv: video\n", out)

    def test_weights_that_do_not_come_with_the_program(self, capsys):
        assert main(["info", "vrt"]) == 1
        error = capsys.readouterr().err.strip()
        assert error.endswith(
            "there is no file vrt - check the name; weights that come with the program: small"
        )
