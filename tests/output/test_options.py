"""The options of an output: known by name, checked where they are made, kept through a job."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, fields

import pytest

from spikedeblur.errors import UsageError
from spikedeblur.io.ffmpeg.encoders import EncoderSettings
from spikedeblur.output.options import OutputOptions
from spikedeblur.restoration.pipeline import Deblurrer


def test_keywords_become_the_fields_of_their_names():
    options = OutputOptions.of({"codec": "ffv1", "audio": False, "compare": "side"})
    assert (options.codec, options.audio, options.compare) == ("ffv1", False, "side")
    assert options == OutputOptions("ffv1", audio=False, compare="side")


def test_they_are_all_that_an_encoder_takes_and_nobody_changes_them():
    assert isinstance(OutputOptions(), EncoderSettings)
    with pytest.raises(FrozenInstanceError):
        OutputOptions().crf = 3


@pytest.mark.parametrize(
    "keywords,named",
    [
        ({"codek": "ffv1"}, "codec"),
        ({"quite_other": 1}, ", ".join(field.name for field in fields(OutputOptions))),
        ({"compare": "top"}, "top"),
    ],
)
def test_what_is_no_option_is_refused(keywords, named):
    with pytest.raises(UsageError, match=named):
        OutputOptions.of(keywords)


@pytest.mark.parametrize(
    "keywords,named",
    [({"codek": "ffv1"}, "codek"), ({"options": OutputOptions(), "crf": 3}, "crf")],
)
def test_a_run_refuses_them_before_it_reads_or_writes(keywords, named, recording, tmp_path):
    with pytest.raises(UsageError, match=named):
        Deblurrer(method="sdm").run(
            recording.blurry, recording.spikes, tmp_path / "out.mkv", **keywords
        )
    assert not list(tmp_path.iterdir())
