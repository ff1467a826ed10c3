"""`Deblurrer` from Python: its errors are those of `deblur`, in keywords of its own."""

from __future__ import annotations

import inspect
from fractions import Fraction

import numpy as np
import pytest

from spikedeblur import Deblurrer, RecordingSettings, SpikedeblurError, SpikeStream, open_video
from spikedeblur.errors import CallError, InputError, OutputError, UsageError
from spikedeblur.restoration import pipeline

SDM = {"method": "sdm"}


@pytest.mark.parametrize(
    ("settings", "error", "words"),
    [
        (
            {"metod": "sdm"},
            CallError,
            r"Deblurrer\(\) has no keyword 'metod' - did you mean method",
        ),
        ({"window": "5"}, CallError, "window cannot be str"),
        ({"window": 0}, UsageError, r"window 0\) - give 1 or more"),
        ({"overlap": -1}, UsageError, "overlap -1"),
        ({"threads": -1}, UsageError, "give 1 to 1024"),
        ({"slowmo": 0}, UsageError, r"\(slowmo 0\)"),
        ({"precision": "fp16"}, UsageError, "give precision fp32"),
    ],
)
def test_a_deblurrer_that_cannot_be(settings, error, words, tiny_weights):
    with pytest.raises(error, match=words) as caught:
        Deblurrer(tiny_weights, **{"device": "cpu", **settings})
    assert "--" not in str(caught.value)


@pytest.mark.parametrize(
    ("settings", "error", "words"),
    [
        ({"crff": 3}, CallError, r"Deblurrer\.run\(\) has no keyword 'crff' - did you mean crf"),
        ({"region": (1, 2, 3, 4)}, CallError, "region cannot be tuple"),
        ({"start": "0.1", "end": "50ms"}, UsageError, r"end \(0.05 s\) is not after start"),
        ({"segment": 0}, UsageError, r"segment 0\) - give 1 or more"),
        ({"instants": [0.01], "resume": True}, UsageError, "leave resume and shard out"),
        (
            {"spike_options": RecordingSettings(offset_s=9)},
            InputError,
            "check spike_options.offset_s, spike_options.rate_hz and spike_options.size",
        ),
    ],
)
def test_a_run_that_cannot_be(settings, error, words, recording, tmp_path):
    with pytest.raises(error, match=words) as caught:
        Deblurrer(**SDM).run(recording.blurry, recording.spikes, tmp_path / "o.mkv", **settings)
    assert "--" not in str(caught.value) and not (tmp_path / "o.mkv").exists()


def test_what_stands_is_kept_by_a_keyword(recording, tmp_path):
    run = Deblurrer(**SDM).run
    first = run(recording.blurry, recording.spikes, tmp_path / "o.mkv", start="1/200", end=0.04)
    assert first.written > 0
    with pytest.raises(OutputError, match="give overwrite=True"):
        run(recording.blurry, recording.spikes, tmp_path / "o.mkv")


def test_check_and_frames_speak_likewise(recording):
    deblurrer = Deblurrer(**SDM)
    with pytest.raises(UsageError, match=r"needs spikes - give spikes$"):
        deblurrer.check(recording.blurry, None)
    with pytest.raises(CallError, match="video cannot be ndarray"):
        deblurrer.check(np.zeros((3, 8, 8, 3), np.uint8), None)
    late = RecordingSettings(offset_s=9)
    with open_video(recording.blurry) as video, pytest.raises(SpikedeblurError) as caught:
        list(deblurrer.frames(video, recording.spikes, spike_options=late))
    assert "spike_options.offset_s" in str(caught.value) and "--" not in str(caught.value)


def test_frames_alone_leave_it_to_the_tally_what_was_not_covered(recording, caplog):
    """A dry run restores a few of them, too, of which there is nothing to say."""
    deblurrer, late = Deblurrer(**SDM), RecordingSettings(offset_s=0.005)
    with open_video(recording.blurry) as video:
        sharp = list(deblurrer.frames(video, recording.spikes, spike_options=late))
    assert len(sharp) == 7 and deblurrer.tally.partial >= 1 and not caplog.records


def test_help_is_that_of_what_it_does():
    assert "spike_options" in (Deblurrer.run.__doc__ or "") and Deblurrer.__doc__
    shown = inspect.signature(Deblurrer.run).parameters
    meant = inspect.signature(pipeline.Deblurrer.run).parameters
    assert set(meant) - {"output_options"} <= set(shown) and {"crf", "overwrite"} <= set(shown)
    assert "strength" in inspect.signature(Deblurrer).parameters


def test_findings_name_keywords(recording):
    """Those that are given back, as those that are logged."""
    late = RecordingSettings(offset_s=Fraction(1, 25))
    found = Deblurrer(**SDM).check(recording.blurry, recording.spikes, spike_options=late)
    assert len(found.findings) > 1
    for text in [*(each.text for each in found.findings), found._repr_html_()]:
        assert "--" not in text and "spike_options.offset_s" in text


def test_a_stream_speaks_of_its_keywords(tmp_path):
    path = tmp_path / "s.dat"
    path.write_bytes(bytes(1000))
    for settings, error, words in (
        (
            {"with": 40},
            CallError,
            r"SpikeStream.open\(\) has no keyword 'with' - did you mean width",
        ),
        ({"width": "40"}, CallError, "width cannot be str"),
        ({"width": 33, "height": 31, "rate_hz": 1000}, InputError, "width and height"),
        ({"width": 8, "height": 8, "rate_hz": 1, "layout": "sps100"}, UsageError, "another layout"),
    ):
        with pytest.raises(error, match=words) as caught:
            SpikeStream.open(path, **settings)
        assert "--" not in str(caught.value)
    size = {"width": 33, "height": 31, "rate_hz": 1000}
    assert SpikeStream.open(path, **size, lenient=True).ticks == 7
    assert "memory" in SpikeStream.__doc__ and "lenient" in SpikeStream.open.__doc__
