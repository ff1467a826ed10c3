"""Curves between light and a video's numbers, against the standards' own figures."""

from __future__ import annotations

import numpy as np
import pytest

from spikedeblur.errors import UsageError
from spikedeblur.io.colour_tags import ColourTags
from spikedeblur.io.spikes.settings import RecordingSettings
from spikedeblur.quantities import parse_transfer
from spikedeblur.recording.light import linear_to_srgb
from spikedeblur.recording.transfer import PQ_WHITE, Transfer, transfer_of

TABLE = ((0.0, 0.0), (0.25, 0.04), (0.5, 0.2), (1.0, 1.0))
CURVES = ["linear", "bt709", "gamma:2.2", "pq", "hlg", TABLE]


@pytest.mark.parametrize(
    ("how", "code", "light"),
    [
        ("linear", 0.3, 0.3),
        ("gamma:2.2", 0.5, 0.217638),
        ("bt709", 0.5, 0.259589),  # ((0.5 + 0.099) / 1.099)^(1 / 0.45)
        ("bt709", 0.045, 0.01),
        ("hlg", 0.5, 1 / 12),  # BT.2100: half the signal is a twelfth of the light
        ("hlg", 0.75, 0.265),  # BT.2408: reference white
        ("pq", 0.5080784, 0.01 / PQ_WHITE),  # ST 2084: 100 cd/m2
        ("pq", 0.7518271, 0.1 / PQ_WHITE),  # 1000 cd/m2
        ("pq", 1.0, 1 / PQ_WHITE),  # 10,000 cd/m2
        (TABLE, 0.375, 0.12),
    ],
)
def test_codes_stand_for_the_light_that_the_standards_say(how, code, light):
    assert Transfer(how).light(np.array(code)) == pytest.approx(light, rel=2e-3)


@pytest.mark.parametrize("how", CURVES, ids=str)
def test_light_is_encoded_as_it_is_decoded(how):
    transfer, light = Transfer(how), np.linspace(0.001, 1, 500)
    np.testing.assert_allclose(transfer.light(transfer.codes(light)), light, rtol=2e-3, atol=1e-4)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("how", CURVES, ids=str)
def test_a_frame_that_is_left_as_it_is_comes_back(how, dtype):
    """To the code for 8 bits; of 16, within what their light differs by in sRGB."""
    highest = np.iinfo(dtype).max
    codes = np.unique(np.linspace(0, highest, 4096).astype(dtype))
    frame = np.repeat(codes[None, :, None], 3, axis=2)
    transfer = Transfer(how)
    seen = transfer.decoded(frame)
    assert seen.dtype == np.uint16 and seen.shape == frame.shape
    back = transfer.encoded(seen.astype(np.float32) / 65535, frame)
    light, again = transfer.light(codes / highest), transfer.light(back[0, :, 0])
    np.testing.assert_allclose(
        linear_to_srgb(again.clip(0, 1)), linear_to_srgb(light.clip(0, 1)), atol=2e-4
    )
    if dtype is np.uint8 and how not in ("pq",):
        np.testing.assert_array_equal(np.rint(back * 255), frame)


def test_light_above_the_white_of_pq_is_left_alone():
    frame = np.array([[[100, 200, 255]]], np.uint8)  # the last two: 1,500 and 10,000 cd/m2
    transfer = Transfer("pq")
    assert transfer.decoded(frame)[0, 0].tolist()[1:] == [65535, 65535]
    restored = transfer.encoded(np.full((1, 1, 3), 0.4, np.float32), frame)
    assert restored[0, 0, 1:].tolist() == pytest.approx([200 / 255, 1])
    assert transfer.light(restored[0, 0, 0]) == pytest.approx(0.1329, rel=1e-3)  # of sRGB 0.4


def test_the_curve_is_what_was_said_else_what_the_tag_tells_else_srgb():
    untagged, hlg = ColourTags(), ColourTags(transfer=18)
    assert (
        transfer_of(None, untagged) is None and transfer_of("auto", ColourTags(transfer=1)) is None
    )
    assert transfer_of("auto", hlg) == transfer_of(None, hlg) == Transfer("hlg")
    assert transfer_of("srgb", hlg) is None
    assert transfer_of("linear", hlg) == Transfer("linear")
    assert transfer_of(TABLE, hlg) == Transfer(TABLE)


@pytest.mark.parametrize("text", ["", "gamma", "gamma:", "gamma:0", "gamma:nan", "log", "srgb "])
def test_curves_that_there_are_not(text):
    with pytest.raises(UsageError, match=r"no such curve .* gamma:G"):
        parse_transfer(text)
    with pytest.raises(UsageError, match="transfer"):
        RecordingSettings(transfer=text)


@pytest.mark.parametrize(
    "pairs",
    [[], [[0, 0]], [[0, 0], [1]], [[0, 0.5], [1, 0.4]], [[0, 0], [2, 1]], [[0, "x"], [1, 1]]],
)
def test_tables_have_to_rise(pairs):
    with pytest.raises(UsageError, match="rise"):
        RecordingSettings(transfer=pairs)
    assert RecordingSettings(transfer=[[0, 0], [1, 1]]).transfer == ((0.0, 0.0), (1.0, 1.0))
