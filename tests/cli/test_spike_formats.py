"""Every format of spikes in place of a .dat, in each command that reads them."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

from spikedeblur.cli.main import main
from spikedeblur.io.spikes.stream import SpikeStream
from spikedeblur.training.data.layouts import find_sequences
from tests.io.spikes.files import sps10, write_folder
from tests.recordings import HEIGHT, RATE, TICKS, WIDTH

SIZE = (WIDTH // 2, HEIGHT // 2)
KNOWN = ["--spike-rate", str(RATE * TICKS)]
SIZED = ["--spike-size", "x".join(map(str, SIZE)), *KNOWN]


def spikes_of(recording) -> np.ndarray:
    with SpikeStream.open(recording.spikes, width=SIZE[0], height=SIZE[1], rate_hz=1) as stream:
        return stream[:]


@pytest.fixture(params=["sps10.dat", "folder", "s.npy", "s.npz", "s.h5"])
def written(request, recording, tmp_path):
    """The recording's spikes in another format, and the options to read them by."""
    path, planes = tmp_path / request.param, spikes_of(recording)
    if request.param == "sps10.dat":
        path.write_bytes(sps10(planes))
        return path, [*SIZED, "--spike-layout", "sps10"]
    if request.param == "folder":
        write_folder(path, planes, [TICKS] * 7)
        return path, SIZED
    if path.suffix == ".npy":
        np.save(path, planes)
    elif path.suffix == ".npz":
        np.savez_compressed(path, left=planes, right=~planes)
        return path, [*KNOWN, "--spike-key", "left"]
    else:
        with pytest.importorskip("h5py").File(path, "w") as file:
            file["spikes"] = planes.astype(np.uint8)
    return path, KNOWN


def test_voxelize(written, recording, tmp_path):
    path, options = written
    for spikes, out, how in ((path, "a.npy", options), (recording.spikes, "b.npy", [])):
        assert (
            main(
                [
                    "voxelize",
                    str(spikes),
                    *how,
                    "--video",
                    str(recording.blurry),
                    "-o",
                    str(tmp_path / out),
                ]
            )
            == 0
        )
    np.testing.assert_array_equal(np.load(tmp_path / "a.npy"), np.load(tmp_path / "b.npy"))


def test_deblur(written, recording, tmp_path):
    path, options = written
    for spikes, out, how in ((path, "a.mkv", options), (recording.spikes, "b.mkv", [])):
        assert (
            main(
                [
                    "deblur",
                    str(recording.blurry),
                    "--spikes",
                    str(spikes),
                    *how,
                    "--method",
                    "sdm",
                    "--codec",
                    "ffv1",
                    "--progress",
                    "none",
                    "-o",
                    str(tmp_path / out),
                ]
            )
            == 0
        )
    assert (tmp_path / "a.mkv").read_bytes()[-1000:] == (tmp_path / "b.mkv").read_bytes()[-1000:]


def test_info(written, capsys):
    path, options = written
    assert main(["info", "--json", str(path), *options]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["kind"], found["width"], found["height"]) == ("spikes", *SIZE)
    assert (found["ticks"], found["rate_hz"]) == (7 * TICKS, RATE * TICKS)


@pytest.fixture
def case(written, recording, tmp_path):
    """The recording as a case, with its spikes in the other format and a sidecar that says so."""
    path, options = written
    folder = tmp_path / "set" / "case"
    folder.mkdir(parents=True)
    for video in (recording.blurry, recording.sharp):
        shutil.copy(video, folder / video.name)
    path.rename(folder / f"spikes{path.suffix}")
    said = [f"rate_hz = {RATE * TICKS}", f"width = {SIZE[0]}", f"height = {SIZE[1]}"]
    said += [f'layout = "{layout}"' for layout in ("sps10",) if layout in options]
    said += ['key = "left"'] if "left" in options else []
    (folder / "spikes.toml").write_text("\n".join(said))
    return folder


def test_benchmark(case, recording, capsys):
    found = []
    for folder in (case, recording.folder):
        assert main(["benchmark", str(folder), "--methods", "sdm", "--json"]) == 0
        found.append(json.loads(capsys.readouterr().out)["cases"][0]["psnr"])
    assert found[0] == found[1]


def test_training(case, recording, tmp_path):
    [sequence] = find_sequences(case.parent)["train"]
    shutil.copytree(recording.folder, tmp_path / "other" / "case")
    [plain] = find_sequences(tmp_path / "other")["train"]
    for one, other in zip(sequence.read(range(2, 4), 8), plain.read(range(2, 4), 8), strict=True):
        assert one.counts.any()
        np.testing.assert_array_equal(one.counts, other.counts)


def test_what_is_missing_is_asked_for(recording, tmp_path, capsys):
    np.savez(tmp_path / "s.npz", left=spikes_of(recording), right=spikes_of(recording))
    assert main(["voxelize", str(tmp_path / "s.npz"), "--fps", "50"]) == 2
    assert "(left, right seen) - name the spikes with --spike-key" in capsys.readouterr().err
