"""What is said of a recording: checked in one place; who is believed, and who has said what."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spikedeblur.api.rigs import rig_settings
from spikedeblur.errors import InputError, UsageError
from spikedeblur.io.spikes.settings import KEYS, RecordingSettings, merged
from spikedeblur.io.spikes.sidecar import read_sidecar, write_sidecar
from spikedeblur.io.spikes.source import resolve_spike_source
from spikedeblur.io.spikes.stream import SpikeStream, write_dat
from spikedeblur.quantities import Exposure, Lens

HOMOGRAPHY = (2.0, 0.0, 0.5, 0.0, 2.0, 0.5, 0.0, 0.0, 1.0)
SAID = st.builds(
    RecordingSettings,
    rate_hz=st.none() | st.integers(1, 9),
    flip=st.none() | st.booleans(),
    offset_s=st.none() | st.integers(-9, 9),
    size=st.none() | st.tuples(st.integers(1, 9), st.integers(1, 9)),
)
ORIGINS = ("option", "environment", "sidecar", "default")


def test_values_are_taken_as_they_come_and_kept_exact():
    said = RecordingSettings(
        size=(np.int64(400), 250),
        rate_hz=0.1,
        offset_s=-1,
        exposure=0.008,
        crop=[0, 1, 2, 3],
        scale=2,
    )
    assert said.pixels == (400, 250) and type(said.width) is int
    assert (said.rate_hz, said.offset_s) == (Fraction(1, 10), Fraction(-1))
    assert said.exposure == Exposure(Fraction(8, 1000))
    assert (said.crop, said.scale) == ((0, 1, 2, 3), (2.0, 2.0))
    with pytest.raises(FrozenInstanceError):
        said.flip = True


@pytest.mark.parametrize(
    "said",
    [
        {"width": 400},
        {"size": (0, 5)},
        {"rate_hz": 0},
        {"rate_hz": True},
        {"exposure": Exposure(Fraction(0))},
        {"layout": "sps9"},
        {"bit_order": "middle"},
        {"scale": 1, "homography": HOMOGRAPHY},
    ],
)
def test_what_cannot_be_is_refused_whoever_says_it(said):
    with pytest.raises(UsageError):
        RecordingSettings(**said)


@given(st.lists(SAID, max_size=4))
def test_the_first_who_says_a_thing_is_believed(layers):
    found = merged(*zip(ORIGINS, layers, strict=False))
    for setting in KEYS.values():
        says = [
            (getattr(layer, setting.name), origin)
            for origin, layer in zip(ORIGINS, layers, strict=False)
            if getattr(layer, setting.name) is not None
        ]
        value, origin = says[0] if says else (None, None)
        assert getattr(found, setting.name) == value
        assert found.origins.get(setting.name) == origin


def test_layers_that_are_merged_already_keep_their_origins():
    upper = merged(
        ("option", RecordingSettings(flip=True)), ("environment", RecordingSettings(rate_hz=9))
    )
    found = merged(("option", upper), ("sidecar", None), ("default", RecordingSettings(key="k")))
    assert found.origins == {"flip": "option", "rate_hz": "environment", "key": "default"}
    assert found == replace(found, origins={})  # who has said it makes no other setting


@pytest.mark.parametrize("upper", [{"scale": (2.0, 3.0)}, {"homography": HOMOGRAPHY}])
def test_a_scale_or_a_homography_of_a_lower_layer_gives_way_to_the_other(upper):
    lower = {"homography": HOMOGRAPHY} if "scale" in upper else {"scale": (2.0, 3.0)}
    found = merged(("option", RecordingSettings(**upper)), ("sidecar", RecordingSettings(**lower)))
    assert found == RecordingSettings(**upper)


def test_every_key_says_what_it_is():
    for key, setting in KEYS.items():
        assert setting.metadata["wanted"], key
        assert setting.metadata["unit"] or setting.metadata["comment"] or key == "bit_order", key


def test_a_drift_makes_the_clock_faster_and_nothing_else(tmp_path):
    write_dat(tmp_path / "s.dat", [np.ones((5, 2, 8), bool)])
    said = RecordingSettings(size=(8, 2), rate_hz=20_000, drift_ppm=50)
    write_sidecar(tmp_path / "s.toml", said)
    with SpikeStream.open(tmp_path / "s.dat") as stream:
        assert stream.rate_hz == 20_001
        assert stream.duration_s == Fraction(5, 20_001)
        assert stream.with_settings(RecordingSettings(rate_hz=40_000)).rate_hz == 40_002
        assert stream.with_settings(RecordingSettings(drift_ppm=-50)).rate_hz == 19_999
        assert stream.with_settings(RecordingSettings(drift_ppm=0)).rate_hz == 20_000
    source = resolve_spike_source(tmp_path / "s.dat", RecordingSettings(), said)
    assert source.rate_hz == 20_000 and source.open().rate_hz == 20_001
    array = SpikeStream.of_array(np.ones((5, 2, 8), bool), said)
    assert array.rate_hz == 20_001
    for value in (100_001, float("nan"), True):
        with pytest.raises(UsageError, match="drift_ppm"):
            RecordingSettings(drift_ppm=value)


LENS = {"fx": 300.0, "fy": 290.5, "cx": 155.0, "cy": 92.0, "k1": -0.25, "p2": 1e-05}


def test_a_lens_is_pasted_written_and_read_back(tmp_path):
    text = "\n".join(f"{name} = {value}" for name, value in LENS.items())
    (tmp_path / "rig.toml").write_text(f"width = 8\nheight = 2\n[video.lens]\n{text}\n")
    told = read_sidecar(tmp_path / "rig.toml")
    assert told.video_lens == Lens(**LENS) and told.spike_lens is None
    both = replace(told, spike_lens=Lens(1, 2, 3, 4, 0.5), readout_s="4ms", drift_ppm=-3)
    write_sidecar(tmp_path / "s.toml", both)
    assert read_sidecar(tmp_path / "s.toml") == both
    assert RecordingSettings(video_lens="300,290.5,155,92,-0.25,0,0,1e-5") == RecordingSettings(
        video_lens=LENS
    )
    assert rig_settings({"video": {"lens": LENS}}) == RecordingSettings(video_lens=LENS)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[video.lens]\nfx = 300.0", "bad video.lens"),
        ("[video.lens]\nfx = 0\nfy = 1\ncx = 1\ncy = 1", "above zero"),
        ("[video.lens]\nfx = 9\nfy = 9\ncx = 1\ncy = 1\nk4 = 1", "k1, k2, p1, p2, k3"),
        ("[spikes.lens]\nfx = nan\nfy = 9\ncx = 1\ncy = 1", "bad spikes.lens"),
        ("[video.lense]\nfx = 300.0", "did you mean video.lens"),
        ("[video]\nlens = 'wide'", "without quotes"),
        ("[lens]\nfx = 300.0", "did you mean"),
        ("video = 3", "unknown key"),
        ("readout_s = 'fast'", "without quotes"),
    ],
)
def test_lenses_that_cannot_be_are_said(text, said, tmp_path):
    (tmp_path / "s.toml").write_text(text)
    with pytest.raises(InputError, match=said):
        read_sidecar(tmp_path / "s.toml")


@pytest.mark.parametrize("text", ["", "1,2,3,4", "0,1,2,3,4", "1,2,3,4,nan", "1,2,3,4,5,6,7,8,9,0"])
def test_numbers_that_are_no_lens(text):
    with pytest.raises(UsageError, match="not a lens"):
        RecordingSettings(spike_lens=text)
