"""Sidecars: what they may say, and what they may not."""

from __future__ import annotations

import tomllib
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spikedeblur.errors import InputError, OutputError
from spikedeblur.io.spikes.settings import RecordingSettings
from spikedeblur.io.spikes.sidecar import read_sidecar, sidecar_path, write_sidecar
from spikedeblur.quantities import Exposure

EXAMPLE = """
width = 400            # pixels
height = 250
rate_hz = 20000.0
flip = false
bit_order = "big"
offset_s = -0.25
exposure_s = 0.0166
exposure_start_s = 0.001
layout = "sps10"
key = "spk"
crop = [3, 0, 390, 250]
homography = [1, 0, 0.5, 0, 1, 0, 0, 1e-6, 1]
"""


def read(tmp_path, text):
    path = tmp_path / "s.toml"
    path.write_text(text)
    return read_sidecar(path)


def test_every_key(tmp_path):
    assert read(tmp_path, EXAMPLE) == RecordingSettings(
        width=400,
        height=250,
        rate_hz=Fraction(20000),
        flip=False,
        bit_order="big",
        offset_s=Fraction(-1, 4),
        exposure=Exposure(Fraction(166, 10000)),
        exposure_start_s=Fraction(1, 1000),
        layout="sps10",
        key="spk",
        crop=(3, 0, 390, 250),
        homography=(1.0, 0.0, 0.5, 0.0, 1.0, 0.0, 0.0, 1e-6, 1.0),
    )


def test_a_scale_is_one_number_or_two(tmp_path):
    assert read(tmp_path, "scale = 2.5\n") == RecordingSettings(scale=(2.5, 2.5))
    two = read(tmp_path, "scale = [2, 3.5]\n")
    assert two == RecordingSettings(scale=(2.0, 3.5))
    write_sidecar(tmp_path / "t.toml", two)
    assert read_sidecar(tmp_path / "t.toml") == two


def test_says_nothing(tmp_path):
    assert read(tmp_path, "# nothing known\n") == RecordingSettings()


def test_what_is_written_is_toml_and_reads_back_equal(tmp_path):
    path = tmp_path / "s.toml"
    sidecar = read(tmp_path, EXAMPLE)
    write_sidecar(path, sidecar, overwrite=True)
    assert tomllib.loads(path.read_text())["homography"][2] == 0.5
    assert read_sidecar(path) == sidecar
    with pytest.raises(OutputError, match="exists"):
        write_sidecar(path, sidecar)


@settings(max_examples=50)
@given(st.floats(1e-6, 1e8), st.floats(-1e8, 1e8), st.booleans())
def test_numbers_survive(tmp_path_factory, rate, offset, flip):
    path = tmp_path_factory.mktemp("toml") / "s.toml"
    sidecar = RecordingSettings(
        rate_hz=Fraction(str(rate)), offset_s=Fraction(str(offset)), flip=flip
    )
    write_sidecar(path, sidecar)
    assert read_sidecar(path) == sidecar


def test_stands_beside_the_stream():
    assert sidecar_path("rec/a.b.dat").as_posix() == "rec/a.b.toml"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rate = 20000", "'rate' seen.*did you mean rate_hz"),
        ("widht = 4", "did you mean width"),
        ("zzz = 1", "known keys: width"),
        ("width = 400", "only one of width and height"),
        ("width = 0\nheight = 1", "bad width"),
        ("width = 400.0\nheight = 1", "bad width"),
        ("width = true\nheight = 1", "bad width"),
        ("rate_hz = '20 kHz'", "bad rate_hz.*'20 kHz' seen.*ticks per second"),
        ("rate_hz = 0", "bad rate_hz"),
        ("rate_hz = nan", "bad rate_hz"),
        ("rate_hz = true", "bad rate_hz"),
        ("offset_s = inf", "bad offset_s"),
        ("offset_s = 1e400", "bad offset_s"),
        ("exposure_s = -0.1", "bad exposure_s"),
        ("flip = 1", "bad flip"),
        ("bit_order = 'middle'", "bad bit_order"),
        ("bit_order = ['little']", "bad bit_order"),
        ("layout = 'sps9'", "bad layout.*one of plain, sps10, sps100"),
        ("key = ''", "bad key"),
        ("key = 3", "bad key"),
        ("crop = [0, 0, 4]", "bad crop.*left, top, width, height"),
        ("crop = [0, 0, 4, 0]", "bad crop"),
        ("crop = [-1, 0, 4, 4]", "bad crop"),
        ("crop = [0, 0, 4.0, 4]", "bad crop"),
        ("scale = 0", "bad scale"),
        ("scale = [1, 2, 3]", "bad scale"),
        ("scale = '2'", "bad scale"),
        ("scale = 2\nhomography = [1, 0, 0, 0, 1, 0, 0, 0, 1]", "both scale and homography"),
        ("homography = [1, 0, 0, 0, 1, 0]", "bad homography.*nine numbers"),
        ("homography = [1, 0, 0, 0, 1, 0, 0, 0, 'one']", "bad homography"),
        ("homography = [1, 0, 0, 2, 0, 0, 0, 0, 1]", "bad homography.*invertible"),
        ("homography = [0, 0, 0, 0, 0, 0, 0, 0, 0]", "bad homography"),
        ("width 400", "not valid TOML"),
    ],
)
def test_what_cannot_be_is_one_line(tmp_path, text, message):
    with pytest.raises(InputError, match=message) as raised:
        read(tmp_path, text)
    assert "\n" not in str(raised.value) and len(str(raised.value)) < 500


def test_files_that_are_no_text(tmp_path):
    with pytest.raises(InputError, match="not found"):
        read_sidecar(tmp_path / "s.toml")
    with pytest.raises(InputError, match="cannot read"):
        read_sidecar(tmp_path)
    (tmp_path / "s.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="not valid TOML"):
        read_sidecar(tmp_path / "s.toml")
