"""Finished videos against the truth: figures by closed forms, and what cannot be compared."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import tifffile

from spikedeblur import score
from spikedeblur.cli.main import main
from spikedeblur.errors import InputError, UsageError
from spikedeblur.io.image_files import write_image
from spikedeblur.io.video import create_video, open_video
from spikedeblur.io.video_info import VideoInfo
from tests.recordings import frame_at, make_recording

SIZE = 24, 16
LEVEL = 100
ERRORS = (4, 12, 8)  # of the frames, grey levels


def grey(level: float, kind: type = np.uint8) -> np.ndarray:
    return np.full((SIZE[1], SIZE[0], 3), level, kind)


def film(path: Path, pictures: list[np.ndarray], size: tuple[int, int] = SIZE) -> Path:
    with create_video(path, VideoInfo.synthetic(*size, 25)) as writer:
        for number, picture in enumerate(pictures):
            writer.write(frame_at(number, picture, 25))
    return path


def decoded(path: Path) -> np.ndarray:
    with open_video(path) as reader:
        return np.stack([frame.rgb for frame in reader])


@pytest.fixture
def truth(tmp_path) -> Path:
    return film(tmp_path / "truth.mkv", [grey(LEVEL)] * 3)


def result(capsys, *args: object) -> dict:
    assert main(["score", *map(str, args), "--json"]) == 0
    [found] = json.loads(capsys.readouterr().out)["results"]
    return found


def test_flat_frames_have_the_figures_of_closed_forms(tmp_path, truth, capsys):
    """Of constant frames PSNR is 20 log10(255 / e), SSIM (2 a b + c1) / (a^2 + b^2 + c1)."""
    made = film(tmp_path / "made.mkv", [grey(LEVEL + error) for error in ERRORS])
    found = result(capsys, made, "--truth", truth)
    assert found["result"] == str(made)
    assert [each["frame"] for each in found["frames"]] == [1, 2, 0]  # the worst first
    assert [each["time_s"] for each in found["frames"]] == [0.04, 0.08, 0.0]
    psnr = {place: 20 * np.log10(255 / error) for place, error in enumerate(ERRORS)}
    a, c1 = LEVEL / 255, 0.01**2
    ssim = {
        place: (2 * a * (a + e / 255) + c1) / (a**2 + (a + e / 255) ** 2 + c1)
        for place, e in enumerate(ERRORS)
    }
    steps = {1: 8 / 255, 2: 4 / 255}  # of the error, from frame to frame
    for each in found["frames"]:
        assert each["psnr"] == pytest.approx(psnr[each["frame"]], abs=1e-4)
        assert each["ssim"] == pytest.approx(ssim[each["frame"]], abs=3e-4)  # of single floats
        assert each["temporal"] == pytest.approx(steps.get(each["frame"]), abs=1e-6)
        assert each["lpips"] is None or each["lpips"] >= 0
    assert found["psnr"] == pytest.approx(np.mean(list(psnr.values())), abs=1e-4)
    assert found["ssim"] == pytest.approx(np.mean(list(ssim.values())), abs=3e-4)
    assert found["temporal"] == pytest.approx(6 / 255, abs=1e-6)
    luma = 219 / 255  # of white, above black
    assert found["psnr_y"] == pytest.approx(found["psnr"] - 20 * np.log10(luma), abs=1e-3)


def test_images_of_sixteen_bits_with_transparency_in_a_folder(tmp_path, truth, capsys):
    """10.png comes after 9.png, and half a grey level of 8 bits is seen."""
    folder = tmp_path / "made"
    folder.mkdir()
    level = LEVEL * 257
    for number, error in zip((9, 10, 11), (257, 128, 257), strict=True):
        alpha = np.concatenate(
            [grey(level + error, np.uint16), np.full((16, 24, 1), 9, np.uint16)], axis=2
        )
        tifffile.imwrite(folder / f"{number}.tif", alpha, photometric="rgb", extrasamples=[2])
    (folder / "notes.txt").write_text("not a picture")
    found = result(capsys, folder, "--truth", truth)
    best = found["frames"][-1]
    assert best["frame"] == 1
    assert best["psnr"] == pytest.approx(20 * np.log10(65535 / 128), abs=1e-3)
    assert found["frames"][0]["time_s"] is None


def test_numbered_images_and_arrays_are_as_the_video(tmp_path, truth):
    pictures = [grey(LEVEL + error) for error in ERRORS]
    for number, picture in enumerate(pictures, start=5):
        write_image(tmp_path / f"f{number:03}.png", picture)
    found = score(tmp_path / "f%03d.png", truth)
    of_arrays = score(np.stack(pictures), np.stack([grey(LEVEL)] * 3))
    assert found.psnr == of_arrays.psnr == pytest.approx(30.9, abs=0.1)
    floats = score(np.stack(pictures) / 255, truth)
    assert floats.psnr == pytest.approx(of_arrays.psnr)
    with pytest.raises(UsageError, match=r"\(3, 16, 24\) seen.*\(T, H, W, 3\)"):
        score(np.zeros((3, 16, 24), np.uint8), truth)


def test_another_length_and_another_size_are_told_with_both_values(tmp_path, truth, capsys):
    longer = film(tmp_path / "longer.mkv", [grey(LEVEL)] * 5)
    with pytest.raises(InputError, match=r"length \(5 and 3 frames seen\)"):
        score(longer, truth)
    with pytest.raises(InputError, match=r"length \(3 and 5 frames seen\)"):
        score(truth, longer)
    with pytest.raises(InputError, match=r"size \(48x32 and 24x16 seen\)"):
        score(make_recording(tmp_path / "other", frames=3).sharp, truth)
    assert main(["score", str(longer), "--truth", str(truth)]) == 1
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_one_that_cannot_be_compared_does_not_stop_the_others(tmp_path, truth, capsys):
    missing = tmp_path / "nowhere.mkv"
    assert main(["score", str(missing), str(truth), "--truth", str(truth), "--json"]) == 1
    out, err = capsys.readouterr()
    [found] = json.loads(out)["results"]
    assert found["result"] == str(truth) and found["psnr"] == 100
    assert str(missing) in err


def test_the_table_lists_the_worst_frames(tmp_path, truth, capsys):
    made = film(tmp_path / "made.mkv", [grey(LEVEL + error) for error in ERRORS])
    assert main(["score", str(made), "--truth", str(truth), "--worst", "2"]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    rows = [line for line in lines if line and line[0] in (str(made), "1", "2")]
    assert [row[0] for row in rows] == [str(made), "1", "2"]
    assert rows[1][2] == f"{20 * np.log10(255 / 12):.2f}"


def test_frames_too_small_for_the_window_of_ssim_have_none(tmp_path):
    found = score(np.zeros((2, 8, 40, 3), np.uint8), np.ones((2, 8, 40, 3), np.uint8))
    assert found.ssim is None and found.psnr == pytest.approx(48.13, abs=0.01)


def test_a_damaged_result_is_said(tmp_path, recording, capsys):
    """A file that breaks off has fewer frames: what there is of it is compared with as many."""
    content = recording.sharp.read_bytes()
    broken = tmp_path / "broken.mkv"
    broken.write_bytes(content[: int(len(content) * 0.7)])
    whole = decoded(recording.sharp)
    kept = len(decoded(broken))
    assert 0 < kept < len(whole)
    begun = film(tmp_path / "begun.mkv", list(whole[:kept]), size=(48, 32))
    assert main(["score", str(broken), "--truth", str(begun)]) == 3
    assert "broken.mkv" in capsys.readouterr().err
    assert main(["score", str(broken), "--truth", str(recording.sharp)]) == 1


def test_a_benchmark_takes_finished_videos(recording, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("SPIKEDEBLUR_BENCHMARK_ISOLATE", "0")
    made = tmp_path / "made.mkv"
    arguments = ["--spikes", str(recording.spikes), "--method", "sdm", "-o", str(made)]
    assert main(["deblur", str(recording.blurry), *arguments, "--progress", "none"]) == 0
    page = tmp_path / "page.html"
    methods = f"blurry,sdm,{made}"
    called = ["benchmark", str(recording.folder), "--methods", methods, "--repeats", "1"]
    assert main([*called, "--json", "--html", str(page)]) == 0
    blurry, sdm, video = json.loads(capsys.readouterr().out)["cases"]
    assert video["method"] == "made" and video["psnr"] == sdm["psnr"] > blurry["psnr"]
    assert video["psnr_of_frames"] == sdm["psnr_of_frames"]
    assert video["seconds_per_frame"] is video["peak_rss_mb"] is None
    assert sdm["seconds_per_frame"] > 0 and "made" in page.read_text(encoding="utf-8")


def test_finished_videos_of_several_cases(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("SPIKEDEBLUR_BENCHMARK_ISOLATE", "0")
    for name, frames in (("one", 2), ("two", 3)):
        made = make_recording(tmp_path / "cases" / name, frames)
        (tmp_path / f"{name}.mkv").write_bytes(made.sharp.read_bytes())

    def run(video: str) -> int:
        return main(["benchmark", str(tmp_path / "cases"), "--methods", video, "--json"])

    assert run(f"{tmp_path}/{{case}}.mkv") == 0
    found = json.loads(capsys.readouterr().out)
    assert [(row["case"], row["psnr"], row["frames"]) for row in found["cases"]] == [
        ("one", 100, 2),
        ("two", 100, 3),
    ]
    assert found["means"][0]["psnr"] == 100 and found["means"][0]["peak_rss_mb"] is None
    assert run(f"{tmp_path}/one.mkv") == 2
    assert "{case}" in capsys.readouterr().err
    (tmp_path / "two.mkv").unlink()
    assert run(f"{tmp_path}/{{case}}.mkv") == 1
    assert "two.mkv" in capsys.readouterr().err
    film(tmp_path / "two.mkv", [grey(LEVEL)] * 3)
    assert run(f"{tmp_path}/{{case}}.mkv") == 1
    assert "24x16 and 48x32 seen" in capsys.readouterr().err
    (tmp_path / "two.mkv").write_bytes((tmp_path / "one.mkv").read_bytes())
    assert run(f"{tmp_path}/{{case}}.mkv") == 1
    assert "differ in frames or size" in capsys.readouterr().err
