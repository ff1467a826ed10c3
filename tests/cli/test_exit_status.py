"""What the program returns and says: one line on stderr, the right status, nothing left behind."""

from __future__ import annotations

import json
import os
from pathlib import Path

import click
import pytest

from spikedeblur.cli import main as program
from spikedeblur.cli.main import main
from spikedeblur.cli.status import ExitStatus
from tests.cli.running import deblur, only_error
from tests.recordings import HEIGHT, RATE, TICKS, WIDTH


def test_ok(copy, capsys):
    before = set(copy.iterdir())
    assert deblur(copy, "--progress", "none") == ExitStatus.OK
    captured = capsys.readouterr()
    assert captured.out == "" and "7 frames" in captured.err
    assert set(copy.iterdir()) - before == {copy / "blurry_deblurred.mkv"}


def test_quiet_says_nothing(copy, capsys):
    assert (
        main(
            [
                "-q",
                "deblur",
                str(copy / "blurry.mkv"),
                "--spikes",
                str(copy / "spikes.dat"),
                "--method",
                "sdm",
                "--offset",
                "0.02",
            ]
        )
        == ExitStatus.DAMAGED_INPUT
    )
    assert capsys.readouterr() == ("", "")


class TestBadInput:
    """Every case: one line, the right status, no output."""

    @pytest.fixture(autouse=True)
    def nothing_is_written(self, copy):
        yield
        assert not list(copy.glob("*_deblurred*")) and not list(copy.glob(".*"))

    def test_missing_video(self, copy, capsys):
        assert deblur(copy, video="nowhere.mp4") == ExitStatus.FAILED
        assert "nowhere.mp4" in only_error(capsys)

    def test_missing_spikes(self, copy, capsys):
        assert deblur(copy, spikes="nowhere.dat") == ExitStatus.FAILED
        assert "nowhere.dat" in only_error(capsys)

    def test_spikes_of_the_wrong_size(self, copy, capsys):
        with (copy / "spikes.dat").open("ab") as file:
            file.write(b"x")
        assert deblur(copy) == ExitStatus.FAILED
        assert "spikes.dat" in only_error(capsys)

    @pytest.mark.parametrize("size", ["0x16", "24x0", "-24x16", "24", "axb"])
    def test_impossible_sizes(self, copy, capsys, size):
        assert deblur(copy, "--spike-size", size) == ExitStatus.USAGE
        assert size in only_error(capsys)

    @pytest.mark.parametrize("rate", ["0", "-5", "fast"])
    def test_impossible_rates(self, copy, capsys, rate):
        assert deblur(copy, f"--spike-rate={rate}") == ExitStatus.USAGE
        assert "--spike-rate" in only_error(capsys)

    def test_no_geometry(self, copy, capsys):
        (copy / "spikes.toml").unlink()
        assert deblur(copy) == ExitStatus.USAGE
        assert "--spike-size" in only_error(capsys)

    def test_misspelt_sidecar(self, copy, capsys):
        (copy / "spikes.toml").write_text("widht = 24\n")
        assert deblur(copy) == ExitStatus.FAILED
        assert "did you mean width" in only_error(capsys)

    def test_text_renamed_to_video(self, copy, capsys):
        (copy / "text.mp4").write_text("this is no video\n" * 100)
        assert deblur(copy, video="text.mp4") == ExitStatus.FAILED
        assert "text.mp4" in only_error(capsys)

    def test_no_video_stream(self, copy, capsys):
        write_silence(copy / "sound.mkv")
        assert deblur(copy, video="sound.mkv") == ExitStatus.FAILED
        assert "no video stream" in only_error(capsys)

    def test_output_is_the_input(self, copy, capsys):
        before = (copy / "blurry.mkv").read_bytes()
        os.symlink(copy / "blurry.mkv", copy / "link.mkv")
        for output in ("blurry.mkv", "link.mkv", "../" + copy.name + "/blurry.mkv"):
            assert deblur(copy, "-y", "-o", str(copy / output)) == ExitStatus.USAGE
            assert "the output is the input" in only_error(capsys)
        assert deblur(copy, "-y", "-o", str(copy / "spikes.dat")) == ExitStatus.USAGE
        assert (copy / "blurry.mkv").read_bytes() == before

    def test_spikes_that_cover_nothing(self, copy, capsys):
        for offset in ("-100", "100"):
            assert deblur(copy, f"--offset={offset}", "--progress", "none") == ExitStatus.FAILED
            assert "--offset" in only_error(capsys)

    def test_weights_that_are_not_ours(self, copy, capsys):
        (copy / "w.safetensors").write_bytes(b"\x08\0\0\0\0\0\0\0{}      ")
        for weights in (copy / "w.safetensors", copy / "spikes.dat", "nowhere"):
            status = deblur(copy, "--method", "net", "--weights", str(weights))
            assert status == ExitStatus.FAILED
            assert "weights" in only_error(capsys) or "safetensors" in str(weights)

    def test_part_outside_the_video(self, copy, capsys):
        assert deblur(copy, "--start", "100") == ExitStatus.FAILED
        assert "--start" in only_error(capsys)
        assert deblur(copy, "--start", "2", "--end", "1") == ExitStatus.USAGE

    def test_output_folder_that_cannot_be_made(self, copy, capsys):
        (copy / "file").write_text("")
        assert deblur(copy, "-o", str(copy / "file" / "out.mkv")) == ExitStatus.FAILED
        assert "folder" in only_error(capsys)

    @pytest.mark.parametrize(
        "args",
        [
            ["--shard", "3/2"],
            ["--shard", "half"],
            ["--segment", "0"],
            ["--slowmo", "0"],
            ["--crf", "-1"],
            ["--codec", "nope"],
            ["-e", "novalue"],
            ["-e", "nope=1"],
            ["--tile", "x"],
            ["--tile", "4"],
            ["--progress", "x"],
            ["--exposure", "0"],
            ["--exposure", "5parsec"],
            ["--offset", "later"],
            ["-y", "-n"],
            ["--start", "1:2:3:4"],
            ["--method", "net", "--device", "abacus"],
            ["--nope"],
            ["b.mkv"],
        ],
    )
    def test_usage(self, copy, capsys, args):
        assert deblur(copy, *args) == ExitStatus.USAGE
        only_error(capsys)


def write_silence(path: Path) -> None:
    import av
    import numpy as np

    with av.open(str(path), "w") as output:
        stream = output.add_stream("pcm_s16le", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), layout="mono")
        frame.sample_rate = 8000
        output.mux(stream.encode(frame) + stream.encode(None))


class TestExistingOutput:
    def test_is_refused(self, copy, capsys):
        (copy / "out.mkv").write_text("precious")
        assert deblur(copy, "-o", str(copy / "out.mkv")) == ExitStatus.FAILED
        assert "-y" in only_error(capsys)
        assert (copy / "out.mkv").read_text() == "precious"

    def test_is_replaced_with_overwrite(self, copy):
        (copy / "out.mkv").write_text("old")
        assert deblur(copy, "-y", "-o", str(copy / "out.mkv")) == ExitStatus.OK
        assert (copy / "out.mkv").stat().st_size > 1000

    def test_is_kept_with_no_clobber(self, copy):
        (copy / "out.mkv").write_text("precious")
        assert deblur(copy, "-n", "-o", str(copy / "out.mkv")) == ExitStatus.OK
        assert (copy / "out.mkv").read_text() == "precious"


def test_uncovered_frames_give_status_3_with_their_count(copy, capsys):
    assert deblur(copy, "--offset", "0.02") == ExitStatus.DAMAGED_INPUT
    assert "no spikes cover 1 of 7 frames" in capsys.readouterr().err


def test_a_damaged_video_gives_status_3_and_an_error_with_strict(copy, capsys):
    video = copy / "blurry.mkv"
    video.write_bytes(video.read_bytes()[:-3000])
    assert deblur(copy, "--progress", "none", "--strict") == ExitStatus.FAILED
    assert "damaged" in only_error(capsys)
    assert not (copy / "blurry_deblurred.mkv").exists()
    assert deblur(copy, "--json", "--progress", "none") == ExitStatus.DAMAGED_INPUT
    captured = capsys.readouterr()
    done = json.loads(captured.out.splitlines()[-1])
    assert 0 < done["frames"] < 7 and done["damaged"] == 1
    assert "the file may be truncated" in captured.err


def test_partly_covered_frames_are_only_warned_of(copy, capsys):
    assert deblur(copy, "--offset", "0.01") == ExitStatus.OK
    assert "only part of the exposure of 1 of 7 frames" in capsys.readouterr().err


def raising(error: BaseException) -> click.Command:
    @click.command("raise")
    def command() -> None:
        raise error

    return command


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (KeyboardInterrupt(), ExitStatus.CTRL_C),
        (program.Terminated(), ExitStatus.TERMINATED),
        (RuntimeError("oops"), ExitStatus.FAILED),
        (click.UsageError("no"), ExitStatus.USAGE),
    ],
)
def test_status_of_exceptions(monkeypatch, capsys, error, status):
    monkeypatch.setattr(program.LazyGroup, "get_command", lambda *_: raising(error))
    assert main(["bug"]) == status
    assert "Traceback" not in capsys.readouterr().err


def test_a_bug_shows_its_traceback_on_request_only(monkeypatch, capsys):
    monkeypatch.setattr(program.LazyGroup, "get_command", lambda *_: raising(ValueError("odd")))
    assert main(["bug"]) == ExitStatus.FAILED
    assert "this is a bug" in only_error(capsys)
    assert main(["-vv", "bug"]) == ExitStatus.FAILED
    assert "Traceback" in capsys.readouterr().err


def test_control_characters_are_escaped(tmp_path, capsys):
    name = "a\x1b[31m\nb.dat"
    assert main(["info", str(tmp_path / name)]) == ExitStatus.FAILED
    assert r"a\x1b[31m\nb.dat" in only_error(capsys)


def test_environment_stands_in_for_options(copy, capsys, monkeypatch):
    (copy / "spikes.toml").unlink()
    monkeypatch.setenv("SPIKEDEBLUR_SPIKE_SIZE", f"{WIDTH // 2}x{HEIGHT // 2}")
    monkeypatch.setenv("SPIKEDEBLUR_SPIKE_RATE", str(RATE * TICKS))
    assert deblur(copy) == ExitStatus.OK
    monkeypatch.setenv("SPIKEDEBLUR_DEBLUR_CRF", "low")
    capsys.readouterr()
    assert deblur(copy, "-y") == ExitStatus.USAGE
    assert "low" in only_error(capsys)
