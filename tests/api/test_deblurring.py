"""`spikedeblur.deblur` as a notebook calls it: any mix of arrays, files and iterators."""

from __future__ import annotations

import inspect
import os
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

import spikedeblur
from spikedeblur import RecordingSettings, SharpFrames, SpikedeblurError, SpikeStream, deblur
from spikedeblur.errors import CallError, InputError, OutputError, UsageError
from spikedeblur.io.spikes.sidecar import write_sidecar
from tests.api.conftest import pictures
from tests.recordings import RATE, TICKS

KNOWN = {"rate_hz": RATE * TICKS, "method": "sdm"}
ROOT = Path(__file__).parents[2]


def psnr(frames: np.ndarray, truth: np.ndarray) -> float:
    return float(-10 * np.log10(np.square(frames / 255 - truth / 255).mean()))


def test_arrays_in_memory_are_deblurred_in_five_lines_without_a_file(arrays, tmp_path):
    blurry, sharp, spikes = arrays
    np.save(tmp_path / "input.npy", blurry)
    np.save(tmp_path / "spikes.npy", spikes)
    code = f"""
import numpy, spikedeblur
frames, spikes = numpy.load("input.npy"), numpy.load("spikes.npy")
sharp = spikedeblur.deblur(frames, spikes, rate_hz="4kHz", fps={RATE}, method="sdm")
print(sharp.shape == frames.shape, sharp.dtype == frames.dtype)
"""
    before = sorted(tmp_path.iterdir())
    command = [sys.executable, "-c", code]
    done = subprocess.run(
        command,
        cwd=tmp_path,
        check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert (done.stdout, done.stderr) == ("True True\n", "")
    assert sorted(tmp_path.iterdir()) == before
    found = deblur(blurry, spikes, fps=RATE, **KNOWN)
    assert psnr(found, sharp) > psnr(blurry, sharp) + 3


def test_any_mix_of_arrays_files_and_iterators_gives_the_same(arrays, recording):
    blurry, _, spikes = arrays
    expected = deblur(blurry, spikes, fps=RATE, **KNOWN)
    with spikedeblur.open_video(recording.blurry) as video:
        timed = list(video)
    for frames in (blurry, list(blurry), timed):
        found = deblur(frames, recording.spikes, fps=f"{RATE}fps", **KNOWN)
        assert isinstance(found, np.ndarray)
        np.testing.assert_array_equal(found, expected)
    stream = SpikeStream.open(recording.spikes)
    for frames, given in (
        (str(recording.blurry), spikes),
        (recording.blurry, stream),
        (iter(blurry), spikes),
        (iter(timed), stream),
    ):
        lazy = deblur(frames, given, fps=Fraction(RATE), **KNOWN)
        assert isinstance(lazy, SharpFrames)
        np.testing.assert_array_equal(np.asarray(lazy), expected)
    of_floats = deblur((blurry / 255).astype(np.float32), spikes, fps=RATE, **KNOWN)
    assert of_floats.dtype == np.float32 and of_floats.max() <= 1
    assert np.abs(of_floats * 255 - expected).max() < 0.51


def test_frames_are_asked_for_only_as_sharp_ones_are(arrays):
    blurry, _, spikes = arrays
    read = []

    def camera():
        for number, frame in enumerate(np.concatenate([blurry] * 50)):
            read.append(number)
            yield frame

    sharp = deblur(camera(), np.concatenate([spikes] * 50), fps=RATE, **KNOWN)
    first = next(sharp)
    assert first.shape == blurry.shape[1:] and sharp.time_s == 0 and len(read) < 10
    assert next(sharp) is not None and sharp.time_s == Fraction(1, RATE)
    assert sharp.tally.written == 2


def test_a_file_is_written_where_one_is_named(arrays, recording, tmp_path):
    blurry, _, spikes = arrays
    expected = deblur(blurry, spikes, fps=RATE, **KNOWN)
    seen = []
    for number, frames in enumerate((blurry, iter(blurry), recording.blurry)):
        tally = deblur(
            frames,
            spikes,
            output=tmp_path / f"{number}.mkv",
            fps=RATE,
            progress=lambda done, expected: seen.append((done, expected)),
            **KNOWN,
        )
        assert tally.written == len(blurry)
        np.testing.assert_array_equal(pictures(tmp_path / f"{number}.mkv"), expected)
        assert "<td>7</td>" in tally._repr_html_()
    assert seen[:7] == [(number, 7) for number in range(1, 8)] and seen[7] == (1, None)
    with pytest.raises(OutputError, match="overwrite=True"):
        deblur(blurry, spikes, output=tmp_path / "0.mkv", fps=RATE, **KNOWN)


def test_what_is_said_of_a_rig_counts_in_turn(arrays, recording, tmp_path):
    """Keywords beat the sidecar, which beats the rig."""
    blurry, _, spikes = arrays
    wrong = {"rate_hz": 9999, "offset_s": "5ms", "exposure_s": "0.5x"}
    late = deblur(blurry, spikes, fps=RATE, method="sdm", rig={**wrong, "rate_hz": RATE * TICKS})
    told = deblur(blurry, spikes, fps=RATE, offset_s=0.005, exposure="0.5x", **KNOWN)
    np.testing.assert_array_equal(late, told)
    plain = deblur(blurry, recording.spikes, fps=RATE, method="sdm")
    path = tmp_path / "rig.toml"
    write_sidecar(path, RecordingSettings(rate_hz=9999))
    for rig in ({"rate_hz": 9999}, path, RecordingSettings(rate_hz="9999Hz")):
        found = deblur(blurry, recording.spikes, fps=RATE, method="sdm", rig=rig)
        np.testing.assert_array_equal(found, plain)


def test_parts_instants_and_slow_motion(arrays):
    blurry, _, spikes = arrays

    def shape(**settings):
        return deblur(blurry, spikes, fps=RATE, **KNOWN, **settings).shape

    assert shape(slowmo=2) == (14, 32, 48, 3)
    assert shape(start="1/25", region="16x12+8+8") == (5, 12, 16, 3)
    assert shape(instants=[0.01, "30ms"]) == (2, 32, 48, 3)


@pytest.mark.parametrize(
    ("settings", "error", "words"),
    [
        ({"methd": "sdm"}, CallError, "no keyword 'methd' - did you mean method?"),
        ({"method": 3}, CallError, "method cannot be int .3 seen. - give str"),
        ({"window": "5"}, CallError, "window cannot be str"),
        ({"slowmo": True}, CallError, "slowmo cannot be bool"),
        ({"crf": 18}, CallError, "crf is for a file"),
        ({"rig": {"offset": 3}}, CallError, "did you mean offset_s?"),
        ({"fps": "fast"}, UsageError, "not a rate above zero"),
        ({"threads": 0}, UsageError, "give 1 to"),
        ({"start": 0.1, "end": 0.05}, UsageError, r"end \(0.05 s\) is not after start"),
        ({"slowmo": 99_999}, UsageError, r"slowmo 99999\) - give 1 to"),
        ({"fps": None}, UsageError, "give fps"),
        ({"rate_hz": None}, UsageError, "give rate_hz"),
        ({"offset_s": 9}, InputError, "check offset_s, rate_hz and spike_size"),
    ],
)
def test_errors_speak_of_keywords(arrays, settings, error, words):
    blurry, _, spikes = arrays
    with pytest.raises(error, match=words) as caught:
        deblur(blurry, spikes, **{**KNOWN, "fps": RATE, **settings})
    assert isinstance(caught.value, SpikedeblurError)
    assert isinstance(caught.value, TypeError) == (error is CallError)
    assert "\n" not in str(caught.value) and "--" not in str(caught.value)


def test_what_cannot_be_frames_or_spikes_is_said(arrays):
    blurry, _, spikes = arrays
    for frames in (3, None, {"a": 1}, b"x"):
        with pytest.raises(CallError, match="frames cannot be"):
            deblur(frames, spikes)
    with pytest.raises(CallError, match="missing a required argument: 'frames'"):
        deblur()
    with pytest.raises(UsageError, match="needs spikes - give spikes"):
        deblur(blurry, fps=RATE, method="sdm")


def test_warnings_speak_of_keywords(arrays, caplog):
    blurry, _, spikes = arrays
    deblur(blurry, spikes[: 3 * TICKS // 2], fps=RATE, **KNOWN)
    said = [record.getMessage() for record in caplog.records]
    assert any("check offset_s and rate_hz" in each for each in said), said
    assert any("restored from that part" in each for each in said), said
    assert not any("--" in each for each in said)


def test_help_shows_every_keyword():
    shown = inspect.signature(deblur).parameters
    assert {"rate_hz", "fps", "rig", "method", "codec", "progress"} <= shown.keys()
    assert not [name for name in shown if shown[name].kind is shown[name].VAR_KEYWORD]
