"""Option before sidecar before inference, and an error where nothing is certain."""

from __future__ import annotations

from fractions import Fraction

import pytest

from spikedeblur.errors import InputError, UsageError
from spikedeblur.io.spikes.settings import RecordingSettings
from spikedeblur.io.spikes.sidecar import find_sidecar
from spikedeblur.io.spikes.source import SpikeSource, resolve_spike_source
from spikedeblur.quantities import Exposure, parse_exposure

VIDAR = 12_500
SECOND = Fraction(1)
FRAME = Fraction(1, 25)


def file_of(tmp_path, size):
    path = tmp_path / "s.dat"
    with path.open("wb") as file:
        file.truncate(size)
    return path


def resolve(path, options=None, sidecar=None, **video):
    source = resolve_spike_source(path, options or RecordingSettings(), sidecar, **video)
    return source.settings


def test_options_come_before_the_sidecar_and_the_sidecar_before_defaults(tmp_path):
    path = file_of(tmp_path, 100)
    sidecar = RecordingSettings(
        width=8,
        height=5,
        rate_hz=Fraction(1000),
        flip=False,
        bit_order="big",
        offset_s=Fraction(3),
        exposure=Fraction(1, 100),
        exposure_start_s=Fraction(1, 50),
        homography=(1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0),
    )
    noted = resolve(path, sidecar=sidecar)
    assert (noted.width, noted.height, noted.rate_hz) == (8, 5, 1000)
    assert (noted.flip, noted.bit_order, noted.offset_s) == (False, "big", 3)
    assert noted.exposure == Exposure(Fraction(1, 100))
    assert (noted.exposure_start_s, noted.homography) == (Fraction(1, 50), sidecar.homography)
    assert {key for key, origin in noted.origins.items() if origin != "sidecar"} == {"layout"}
    options = RecordingSettings(
        size=(5, 8),
        rate_hz=Fraction(2000),
        exposure=parse_exposure("0.5x"),
        offset_s=Fraction(0),
        flip=True,
    )
    said = resolve(path, options, sidecar)
    assert (said.width, said.height, said.rate_hz, said.offset_s) == (5, 8, 2000, 0)
    assert (said.flip, said.exposure) == (True, parse_exposure("180deg"))
    assert {key for key, origin in said.origins.items() if origin == "sidecar"} == {
        "bit_order",
        "exposure_start_s",
        "homography",
    }


def test_defaults(tmp_path):
    path = file_of(tmp_path, 10)
    source = resolve(path, RecordingSettings(size=(8, 5), rate_hz=Fraction(1000)))
    assert source.exposure.seconds(FRAME) == FRAME
    assert source.flip and source.offset_s is None and source.homography is None
    assert source.origins["exposure"] == source.origins["flip"] == "default"
    assert SpikeSource(path, source).open(first_pts_s=Fraction(7)).offset_s == 7
    given = RecordingSettings(size=(8, 5), rate_hz=Fraction(1000), offset_s=Fraction(0))
    assert SpikeSource(path, resolve(path, given)).open(Fraction(7)).offset_s == 0


@pytest.mark.parametrize("rate", [20_000, 40_000])
def test_a_video_tells_the_rates_of_one_camera_apart(tmp_path, rate):
    path = file_of(tmp_path, VIDAR * (rate + 101))
    source = resolve(path, duration_s=SECOND, interval_s=FRAME)
    assert (source.width, source.height, source.rate_hz) == (400, 250, rate)
    assert source.origins["width"] == source.origins["rate_hz"] == "inferred"


def test_a_size_is_found_when_the_rate_is_given(tmp_path):
    path = file_of(tmp_path, VIDAR * 20_001)
    source = resolve(path, RecordingSettings(rate_hz=Fraction(30_000)))
    assert (source.width, source.height, source.rate_hz) == (400, 250, 30_000)
    assert source.origins["rate_hz"] == "option" and source.origins["width"] == "inferred"


def test_a_rate_is_found_when_the_size_is_given(tmp_path):
    path = file_of(tmp_path, 5 * 2000)  # no known camera's size, but one known rate fits
    options = RecordingSettings(size=(8, 5))
    assert resolve(path, options, duration_s=Fraction(2), interval_s=FRAME).rate_hz == 1000
    with pytest.raises(UsageError, match=r"8x5 at 1000 Hz .*--spike-rate HZ"):
        resolve(path, options)


def test_an_hour_of_an_unlikely_camera_is_not_believed(tmp_path):
    with pytest.raises(UsageError, match=r"but not the video's 3.6e\+03 s: 400x250 at 20000 Hz"):
        resolve(file_of(tmp_path, VIDAR * 20_001), duration_s=Fraction(3600), interval_s=FRAME)


def test_the_file_that_fits_several_cameras(tmp_path):
    path = file_of(tmp_path, 1_612_800)
    with pytest.raises(UsageError) as raised:
        resolve(path)
    message = str(raised.value)
    for size in ("320x180", "640x360", "640x480", "1280x720"):
        assert size in message
    assert "--spike-size WxH and --spike-rate HZ" in message and "\n" not in message
    with pytest.raises(UsageError, match="give --spike-size WxH, or"):
        resolve(path, RecordingSettings(rate_hz=Fraction(20_000)))


def test_the_video_tells_sizes_apart_at_a_known_rate(tmp_path):
    path = file_of(tmp_path, 1_612_800)
    said = RecordingSettings(rate_hz=Fraction(1_920))
    for size in ((320, 180), (640, 360), (1280, 720)):
        lasting = Fraction(1_612_800 * 8, size[0] * size[1] * 1_920)
        source = resolve(path, said, duration_s=lasting, interval_s=lasting / 10)
        assert (source.width, source.height) == size


def test_a_recording_longer_than_the_video_opens_if_its_rate_is_known(tmp_path):
    path = file_of(tmp_path, VIDAR * 20_001)
    said = RecordingSettings(rate_hz=Fraction(20_000))
    assert resolve(path, said, duration_s=SECOND / 4, interval_s=FRAME).width == 400


def test_nothing_known_fits(tmp_path):
    with pytest.raises(UsageError, match=r"12,501 bytes seen; no known camera's planes fill it"):
        resolve(file_of(tmp_path, 12_501))


def test_a_size_without_a_known_rate_is_never_chosen(tmp_path):
    with pytest.raises(UsageError, match="640x480 at an unknown rate"):
        resolve(file_of(tmp_path, 38_400))


def test_header_columns_are_not_taken_for_pixels(tmp_path):
    path = file_of(tmp_path, 13_000 * 20_001)
    for options in (RecordingSettings(), RecordingSettings(size=(400, 250))):
        source = resolve(path, options, duration_s=SECOND, interval_s=FRAME)
        assert (source.width, source.layout, source.rate_hz) == (400, "sps10", 20_000)
    own = resolve(path, RecordingSettings(size=(416, 250)), duration_s=SECOND, interval_s=FRAME)
    assert (own.width, own.layout, own.rate_hz) == (416, "plain", 20_000)


def test_a_size_that_is_said_is_taken_for_plain_pixels_where_they_fill_the_file(tmp_path):
    path = file_of(tmp_path, 13_000 * 20_000)  # 20800 plain planes of 400x250
    said = resolve(path, RecordingSettings(size=(400, 250), rate_hz=Fraction(20_000)))
    assert said.layout == "plain"
    layout = RecordingSettings(layout="sps10", rate_hz=Fraction(20_000))
    assert (resolve(path, layout).width, resolve(path, layout).layout) == (400, "sps10")
    with pytest.raises(UsageError, match=r"400x250 in the layout sps10 .*--spike-layout NAME"):
        resolve(path)


def test_a_bad_file_is_said_to_be_bad(tmp_path):
    with pytest.raises(InputError, match="not found"):
        resolve(tmp_path / "none.dat")
    with pytest.raises(InputError, match="empty"):
        resolve(file_of(tmp_path, 0))
    with pytest.raises(UsageError, match="above zero"):
        resolve(file_of(tmp_path, 10), RecordingSettings(size=(0, 5)))


def test_the_sidecar_beside_the_stream(tmp_path):
    assert find_sidecar(tmp_path / "s.dat") is None
    (tmp_path / "s.toml").write_text("width = 4\nheight = 2\n")
    assert find_sidecar(tmp_path / "s.dat") == RecordingSettings(width=4, height=2)
