"""Several videos in one call: what belongs together, and what happens when one fails."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from spikedeblur.cli.batch import plan_jobs
from spikedeblur.cli.main import main
from spikedeblur.cli.status import ExitStatus
from spikedeblur.errors import UsageError
from spikedeblur.io.video import open_video
from tests.cli.running import only_error
from tests.networks import without_spikes

VIDEOS = [Path("in/a.mp4"), Path("in/b.mkv")]


@pytest.fixture
def folder(recording, tmp_path) -> Path:
    """Two copies of the recording, a and b, each with its spikes and sidecar beside it."""
    for name in "ab":
        for path in (recording.blurry, recording.spikes, recording.spikes.with_suffix(".toml")):
            shutil.copy(path, tmp_path / f"{name}{path.suffix}")
    return tmp_path


def deblur(*args: object) -> int:
    return main(["deblur", *map(str, args), "--method", "sdm", "--progress", "none"])


def pictures(path: Path) -> np.ndarray:
    with open_video(path) as reader:
        return np.stack([frame.rgb for frame in reader])


def test_each_has_its_own_spikes_and_output(recording, folder):
    (folder / "b.toml").write_text((folder / "b.toml").read_text() + "flip = false\n")
    assert deblur(folder / "a.mkv", folder / "b.mkv", "--output-dir", folder / "new/out") == 0
    for name, flip in (("a", "--flip"), ("b", "--no-flip")):
        alone = folder / f"alone_{name}.mkv"
        assert deblur(recording.blurry, "--spikes", recording.spikes, flip, "-o", alone) == 0
        np.testing.assert_array_equal(
            pictures(folder / f"new/out/{name}_deblurred.mkv"), pictures(alone)
        )


def test_outputs_stand_beside_the_inputs_by_default(folder):
    assert deblur(folder / "a.mkv", folder / "b.mkv") == 0
    assert (folder / "a_deblurred.mkv").exists() and (folder / "b_deblurred.mkv").exists()


def test_one_that_fails_does_not_stop_the_others(folder, capsys):
    (folder / "a.mkv").write_text("this is no video")
    (folder / "c.mkv").symlink_to(folder / "b.mkv")
    status = deblur(
        folder / "a.mkv",
        folder / "b.mkv",
        folder / "c.mkv",
        "--output-dir",
        folder,
        "--spikes",
        folder / "b.dat",
        "--spikes",
        folder / "b.dat",
        "--spikes",
        folder / "nowhere.dat",
    )
    assert status == ExitStatus.FAILED
    errors = [line for line in capsys.readouterr().err.splitlines() if "error:" in line]
    assert len(errors) == 3 and "a.mkv" in errors[0] and "nowhere.dat" in errors[1]
    assert "2 of 3" in errors[2] and "a.mkv" in errors[2] and "c.mkv" in errors[2]
    assert sorted(path.name for path in folder.glob("*_deblurred*")) == ["b_deblurred.mkv"]


def test_a_bug_is_called_one_as_with_a_single_video(folder, capsys, monkeypatch):
    def broken(*_arguments: object, **_options: object) -> None:
        raise ValueError("odd")

    monkeypatch.setattr("spikedeblur.restoration.pipeline.Deblurrer.run", broken)
    said = "ValueError: odd (this is a bug) - run again with -vv and report what it shows"
    assert deblur(folder / "a.mkv") == ExitStatus.FAILED
    assert f"error: {said}\n" in capsys.readouterr().err
    assert deblur(folder / "a.mkv", folder / "b.mkv") == ExitStatus.FAILED
    assert f"a.mkv: {said}\n" in capsys.readouterr().err


def test_the_worst_status_is_returned(folder):
    (folder / "b.toml").write_text((folder / "b.toml").read_text() + "offset_s = 0.02\n")
    assert deblur(folder / "a.mkv", folder / "b.mkv") == ExitStatus.DAMAGED_INPUT


def events_of(capsys, kind: str) -> list[dict]:
    every = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    return [event for event in every if event["event"] in kind.split()]


def test_json_has_one_object_for_each_and_one_for_all(folder, capsys):
    (folder / "b.mkv").unlink()
    shutil.copy(folder / "a.mkv", folder / "c.mkv")
    (folder / "c_deblurred.mkv").write_bytes(b"mine")
    files = [folder / f"{name}.mkv" for name in "abc"]
    assert deblur(*files, "--json", "-n") == ExitStatus.FAILED
    *videos, done = events_of(capsys, "video done")
    assert [event["status"] for event in videos] == ["done", "failed", "skipped"]
    assert [event["index"] for event in videos] == [0, 1, 2]
    assert [event["input"] for event in videos] == [str(path) for path in files]
    assert [event["frames"] for event in videos] == [7, 0, 0]
    assert "b.mkv" in videos[1]["error"] and videos[0]["error"] is videos[2]["error"] is None
    assert videos[0]["output"] == str(folder / "a_deblurred.mkv") and videos[0]["seconds"] > 0
    assert done["event"] == "done" and (done["frames"], done["failed"]) == (7, [str(files[1])])
    assert done["output"] == [str(folder / f"{name}_deblurred.mkv") for name in "ac"]
    assert {"fps", "warnings", "peak_rss_mb"} <= done.keys()


def test_a_single_video_has_its_object_too(folder, capsys):
    assert deblur(folder / "a.mkv", "--json") == 0
    video, done = events_of(capsys, "video done")
    assert (video["index"], video["status"], video["frames"]) == (0, "done", 7)
    assert (done["event"], done["frames"], done["output"]) == ("done", 7, video["output"])
    assert deblur(folder / "a.mkv", "--json") == ExitStatus.FAILED  # the output exists
    [failed] = events_of(capsys, "video done")
    assert failed["status"] == "failed" and "a_deblurred.mkv" in failed["error"]
    assert deblur(folder / "a.mkv", "--json", "-n") == 0
    assert [event["event"] for event in events_of(capsys, "video done")] == ["video", "done"]


def test_progress_says_of_which_file(folder, capsys):
    """One JSON object at least for each video, the first frame's."""
    files = [str(folder / "a.mkv"), str(folder / "b.mkv")]
    assert main(["deblur", *files, "--method", "sdm", "--json"]) == 0
    seen = {(event["index"], event["input"]) for event in events_of(capsys, "progress")}
    assert seen == {(0, files[0]), (1, files[1])}


def test_what_fails_is_listed_and_the_list_is_fed_back(folder, capsys):
    good = (folder / "a.mkv").read_bytes()
    (folder / "a.mkv").write_bytes(b"no video")
    other, failures = folder / "other.mkv", folder / "failed.txt"
    listed = folder / "wanted.txt"
    listed.write_text(f"# mine\n{folder}/a.mkv\t{folder}/b.dat\t{other}\n\n{folder}/b.mkv\n")
    again = ["--failures", failures]
    assert deblur("--list", listed, *again) == ExitStatus.FAILED
    lines = failures.read_text().splitlines()
    assert (
        len(lines) == 3 and lines[1].startswith("# ") and str(failures) in capsys.readouterr().err
    )
    assert lines[2] == f"{folder}/a.mkv\t{folder}/b.dat\t{other}"
    (folder / "a.mkv").write_bytes(good)
    assert deblur("--list", failures, *again) == 0
    assert len(pictures(other)) == 7 and len(failures.read_text().splitlines()) == 1
    assert deblur("--list", failures, *again) == ExitStatus.USAGE  # nothing is left to do
    assert deblur(folder / "b.mkv", "--failures", listed) == ExitStatus.FAILED
    assert listed.read_text().startswith("# mine"), "a file of someone else's is left alone"


def test_a_list_that_cannot_be_is_one_line(folder, capsys):
    bad = folder / "bad.txt"
    bad.write_text("a\tb\tc\td\n")
    for path in (bad, folder / "nowhere.txt", folder):
        assert deblur("--list", path) in (ExitStatus.USAGE, ExitStatus.FAILED)
        assert str(path) in only_error(capsys)


@pytest.mark.parametrize("linked", ["", "symbolic", "hard"])
def test_an_output_that_another_video_is_read_from_is_refused(linked, folder, capsys):
    (folder / "b.mkv").rename(folder / "a_deblurred.mkv")
    shutil.copy(folder / "b.dat", folder / "a_deblurred.dat")
    shutil.copy(folder / "b.toml", folder / "a_deblurred.toml")
    other = folder / "a_deblurred.mkv"
    if linked:
        other = folder / "link.mkv"
        make = other.symlink_to if linked == "symbolic" else other.hardlink_to
        make(folder / "a_deblurred.mkv")
    before = (folder / "a_deblurred.mkv").read_bytes()
    assert deblur(folder / "a.mkv", other, "-y") == ExitStatus.USAGE
    assert "a_deblurred.mkv" in capsys.readouterr().err or linked
    assert (folder / "a_deblurred.mkv").read_bytes() == before


def test_an_output_of_comparison_is_no_input_either(folder, capsys):
    (folder / "b.mkv").rename(folder / "a_deblurred_compare.mkv")
    before = (folder / "a_deblurred_compare.mkv").read_bytes()
    files = [folder / "a.mkv", folder / "a_deblurred_compare.mkv"]
    assert deblur(*files, "-y", "--compare", "side") == ExitStatus.USAGE
    assert "would replace" in only_error(capsys)
    assert (folder / "a_deblurred_compare.mkv").read_bytes() == before


def test_existing_outputs_are_skipped_or_refused_one_by_one(folder, capsys):
    (folder / "a_deblurred.mkv").write_bytes(b"mine")
    assert deblur(folder / "a.mkv", folder / "b.mkv") == ExitStatus.FAILED
    assert deblur(folder / "a.mkv", folder / "b.mkv", "-n") == ExitStatus.OK
    assert (folder / "a_deblurred.mkv").read_bytes() == b"mine"
    assert deblur(folder / "a.mkv", folder / "b.mkv", "-y") == ExitStatus.OK
    assert len(pictures(folder / "a_deblurred.mkv")) == 7


def test_a_dry_run_plans_all_and_writes_nothing(folder, capsys):
    before = set(folder.iterdir())
    assert (
        deblur(folder / "a.mkv", folder / "b.mkv", "--output-dir", folder / "out", "--dry-run") == 0
    )
    out = capsys.readouterr().out
    assert "a_deblurred.mkv" in out and "b_deblurred.mkv" in out
    assert set(folder.iterdir()) == before


@pytest.mark.parametrize(
    ("spikes", "expected"),
    [
        (["x.dat", "y.tif"], ["x.dat", "y.tif"]),
        (["s/{stem}.tif"], ["s/a.tif", "s/b.tif"]),
        (["{stem}/{stem}.dat"], ["a/a.dat", "b/b.dat"]),
    ],
)
def test_spikes_by_order_and_pattern(spikes, expected):
    jobs = plan_jobs(VIDEOS, [Path(each) for each in spikes], None, None)
    assert [str(job.spikes) for job in jobs] == expected


def test_weights_without_spikes_leave_those_beside_the_video_alone(folder, monkeypatch, capsys):
    @without_spikes
    def plain(rgb, voxels, target_time):
        assert voxels is None
        return rgb

    monkeypatch.setattr("spikedeblur.models.checkpoint.load_model", lambda weights, device: plain)
    assert deblur(folder / "a.mkv") == 0
    assert "warning" not in capsys.readouterr().err.replace("0 warnings", "")


def test_spikes_by_folder_and_beside_the_video(folder):
    videos = [folder / "a.mp4", folder / "c.mp4"]
    assert [job.spikes for job in plan_jobs(videos, [], None, None)] == [folder / "a.dat", None]
    assert [job.spikes for job in plan_jobs(videos, [folder], None, None)] == [
        folder / "a.dat",
        folder / "c.dat",
    ]


@pytest.mark.parametrize(
    "arguments",
    [
        (VIDEOS, [Path("x.dat")], None, None),
        (VIDEOS, [Path("x.dat")] * 3, None, None),
        (VIDEOS, [], Path("out.mkv"), None),
        (VIDEOS[:1], [], Path("out.mkv"), Path("out")),
        ([Path("a/x.mp4"), Path("b/x.mp4")], [], None, Path("out")),
    ],
)
def test_what_does_not_pair_is_refused(arguments):
    with pytest.raises(UsageError):
        plan_jobs(*arguments)


@pytest.mark.parametrize(
    "arguments",
    [([Path("-"), Path("a.mp4")], [], None, None), ([Path("-")], [], None, Path("out"))],
)
def test_standard_input_stands_alone(arguments):
    with pytest.raises(UsageError, match="standard input"):
        plan_jobs(*arguments)
    assert plan_jobs([Path("-")], [], None, None)[0].output == Path("-")


def test_a_folder_is_a_recording_in_several_files_or_a_file_for_each_video(tmp_path):
    assert plan_jobs(VIDEOS[:1], [tmp_path], None, tmp_path)[0].spikes == tmp_path
    (tmp_path / "a.dat").touch()
    assert plan_jobs(VIDEOS[:1], [tmp_path], None, tmp_path)[0].spikes == tmp_path / "a.dat"
    both = plan_jobs(VIDEOS, [tmp_path], None, tmp_path)
    assert [job.spikes for job in both] == [tmp_path / "a.dat", tmp_path / "b.dat"]


@pytest.mark.parametrize("place", [0, 2, 4])
def test_addresses_of_stores_are_no_paths(recording, tmp_path, capsys, monkeypatch, place):
    monkeypatch.chdir(tmp_path)
    arguments = [recording.blurry, "--spikes", recording.spikes, "-o", "out.mkv"]
    arguments[place] = "s3://bucket/folder/x.mkv"
    assert deblur(*arguments) == ExitStatus.USAGE
    assert "an address, not a path (s3://bucket/folder/x.mkv) - mount" in only_error(capsys)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("letter", ["a", "\u00e9"])
def test_a_name_that_would_be_too_long_is_cut(folder, capsys, letter):
    """Between two characters; with room for the comparison's, and the suffix."""
    stem = letter * (249 // len(letter.encode()))
    for suffix in (".mkv", ".dat", ".toml"):
        (folder / f"a{suffix}").rename(folder / f"{stem}{suffix}")
    assert deblur(folder / f"{stem}.mkv", "--compare", "side", "--end", "2f") == 0
    (made,) = folder.glob("*_deblurred.mkv")
    assert stem.startswith(made.stem.removesuffix("_deblurred"))
    assert len(made.name.encode()) in (246, 247) and len(list(folder.glob("*_compare.mkv"))) == 1
    assert f"the output is {made.name}" in capsys.readouterr().err
