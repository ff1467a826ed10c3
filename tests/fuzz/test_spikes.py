"""Spike files of any bytes, read in any way: the planes that were meant, or one error."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from spikedeblur.errors import SpikedeblurError
from spikedeblur.inspection.files import inspect
from spikedeblur.io.spikes.settings import RecordingSettings
from spikedeblur.io.spikes.sidecar import find_sidecar
from spikedeblur.io.spikes.source import resolve_spike_source
from spikedeblur.io.spikes.stream import SpikeStream
from spikedeblur.io.video_info import VideoFrame
from spikedeblur.quantities import Exposure
from spikedeblur.recording.exposures import StreamExposures
from tests.fuzz.examples import fuzzed
from tests.fuzz.mutations import write
from tests.hostile import check_message
from tests.recordings import frame_at

SIDES = st.integers(1, 20) | st.sampled_from(
    [0, -1, 250, 400, 1000, 1 << 13, 1 << 14, 2**31 - 1, 2**31, 2**63, 10**30]
)
NUMBERS = st.one_of(
    st.integers(-(10**6), 10**6),
    st.floats(),
    st.fractions(-100, 100, max_denominator=10**6),
    st.sampled_from([0, 1e-300, 5e-324, 1e300, 10**400, -(10**400), Fraction(1, 10**400)]),
)
ORDERS = st.sampled_from(["little", "big"]) | st.text(max_size=4)
BOUNDS = st.none() | st.integers(-40, 40) | st.sampled_from([2**63, -(2**63), 10**30])
BLURRY = frame_at(0, np.zeros((2, 2, 3), np.uint8))


def meant(content: bytes, width: int, height: int, flip: bool, order: str) -> list[np.ndarray]:
    """The planes of a file, pixel by pixel as the format's manual page says."""
    size = (width * height + 7) // 8
    planes = []
    for start in range(0, len(content), size):
        bits = [
            byte >> (bit if order == "little" else 7 - bit) & 1
            for byte in content[start : start + size]
            for bit in range(8)
        ]
        plane = np.array(bits[: width * height], bool).reshape(height, width)
        planes.append(plane[::-1] if flip else plane)
    return planes


@fuzzed(1500)
@given(
    st.binary(max_size=120), SIDES, SIDES, NUMBERS, st.booleans(), ORDERS, NUMBERS, BOUNDS, BOUNDS
)
def test_geometries(
    tmp_path: Path,
    content: bytes,
    width: int,
    height: int,
    rate: Any,
    flip: bool,
    order: str,
    offset: Any,
    first: int | None,
    last: int | None,
) -> None:
    path = tmp_path / "s.dat"
    write(path, content)
    try:
        with SpikeStream.open(
            path,
            width=width,
            height=height,
            rate_hz=rate,
            flip=flip,
            bit_order=order,
            offset_s=offset,
        ) as stream:
            planes = stream[first:last]
            assert repr(stream)
    except SpikedeblurError as error:
        check_message(error)
        return
    expected = meant(content, width, height, flip, order)[first:last]
    assert planes.shape == (len(expected), height, width)
    assert all((seen == plane).all() for seen, plane in zip(planes, expected, strict=True))


# Plain numbers, for those are the quickest to draw; and most of them such as may be.
PARTS = st.integers(1, 40) | st.integers(-30, 30) | st.integers(-(10**9), 10**9)
DIVISORS = st.sampled_from([1, 3, 30, 1000, 1001, 90_000, 10**9])
RATES = st.integers(1, 3000) | st.sampled_from([0, -1, 10**9, 10**10])
SIZES = st.tuples(st.integers(1, 8), st.integers(1, 8))


@fuzzed(500)
@given(
    st.binary(min_size=1, max_size=8),
    st.integers(1, 6),
    SIZES | st.none(),
    RATES,
    st.none() | st.tuples(PARTS, st.booleans()),
    st.none() | PARTS,
    PARTS,
    PARTS,
    DIVISORS,
    st.integers(1, 9),
)
def test_exposures(
    tmp_path: Path,
    part: bytes,
    repeats: int,
    size: tuple[int, int] | None,
    rate: int,
    shutter: tuple[int, bool] | None,
    offset: int | None,
    time: int,
    interval: int,
    divisor: int,
    bins: int,
) -> None:
    """Whatever the clocks say: no more is counted than there is."""
    path, content = tmp_path / "s.dat", part * 24 * repeats
    write(path, content)
    shown, lasting = Fraction(time, divisor), Fraction(interval, divisor)
    frame = VideoFrame(0, time, Fraction(1, divisor), 1, lasting, np.zeros((2, 2, 3), np.uint8))
    try:
        options = RecordingSettings(
            size=size,
            rate_hz=Fraction(rate),
            exposure=None
            if shutter is None
            else Exposure(Fraction(shutter[0], divisor), shutter[1]),
            offset_s=None if offset is None else Fraction(offset, divisor),
        )
        source = resolve_spike_source(path, options, duration_s=lasting, interval_s=lasting)
        exposures = StreamExposures.of_source(source, bins=bins, first_pts_s=shown)
        counted, seen = exposures.counts(frame)
        exposures.stream.close()
    except SpikedeblurError as error:
        check_message(error)
        return
    assert 0 <= seen <= 1 and (counted is None) == (seen == 0)
    if counted is not None:
        assert counted.shape == (bins, source.settings.height, source.settings.width)
        assert np.isfinite(counted).all() and (counted >= 0).all()
        if seen == 1:
            assert counted.sum() <= 8 * len(content) + 0.01


WHOLE = """\
width = 4
height = 6
rate_hz = 1000.0
flip = true
bit_order = "little"
offset_s = -0.5
exposure_s = 0.016
exposure_start_s = 0.001
homography = [1.0, 0, 0, 0, 1.0, 0, 0, 0, 1.0]
"""
KEYS = [line.split()[0] for line in WHOLE.splitlines()]
VALUES = st.one_of(
    st.integers(),
    st.floats(),
    st.booleans(),
    st.sampled_from(
        [
            "",
            "'little'",
            '"""',
            "'''",
            "inf",
            "nan",
            "-nan",
            "0x" + "f" * 9000,
            "9" * 9000,
            "1e400",
            "1e-400",
            "5e-324",
            "[" * 5000,
            "{" * 5000,
            "[[]]",
            "{}",
            "1979-05-27T07:32:00Z",
            "07:32:00.999999999999",
            "9999-99-99",
            '"\\u0000"',
            '"\\ud800"',
            '"\x1b[2J"',
            "[1,2,3,4,5,6,7,8,9]",
            "[0,0,0,0,0,0,0,0,0]",
            f"[{'1e300,' * 9}]",
            f"[{'1e-300,' * 9}]",
            "[1,0,0,0,1,0,0,0,inf]",
            f"[{'9' * 400},0,0,0,1,0,0,0,1]",
            "true",
            "True",
            "# x",
            "\\",
            "\ufeff",
        ]
    ),
    st.text(max_size=8),
).map(str)
LINES = st.one_of(
    st.sampled_from(WHOLE.splitlines()),
    st.builds("{} = {}".format, st.sampled_from(KEYS) | st.text(max_size=8), VALUES),
    st.builds("[{}]".format, st.sampled_from(KEYS) | st.text(max_size=4)),
    st.builds("{}.{} = 1".format, st.sampled_from(KEYS), st.sampled_from(KEYS)),
    VALUES,
)


@st.composite
def sidecars(draw: st.DrawFn) -> bytes:
    """A sidecar with some lines of others in it, or changed byte by byte, or no text at all."""
    if draw(st.booleans()):
        lines = draw(st.lists(LINES, max_size=10))
        return "\n".join(lines).encode("utf-8", "surrogatepass")
    lines = WHOLE.splitlines()
    for _ in range(draw(st.integers(1, 3))):
        lines[draw(st.integers(0, len(lines) - 1))] = draw(LINES)
    content = bytearray("\n".join(lines).encode("utf-8", "surrogatepass"))
    for at in draw(st.lists(st.integers(0, len(content) - 1), max_size=3)):
        content[at] = draw(st.integers(0, 255))
    return bytes(content)


@fuzzed()
@given(sidecars())
@example(WHOLE.replace("1000.0", "5e-324").encode())
def test_sidecars(tmp_path: Path, content: bytes) -> None:
    spikes = tmp_path / "s.dat"
    write(spikes, bytes(range(30)))
    write(spikes.with_suffix(".toml"), content)
    try:
        source = resolve_spike_source(spikes, RecordingSettings(), find_sidecar(spikes))
        with source.open() as stream:
            assert stream.ticks <= 30
            exposures = StreamExposures.of_source(source)
            exposures.counts(BLURRY)
            exposures.stream.close()
        assert inspect(spikes)["kind"] == "spikes"
        assert inspect(spikes.with_suffix(".toml"))["kind"] == "sidecar"
    except SpikedeblurError as error:
        check_message(error)


def test_the_whole_sidecar_is_one(tmp_path: Path) -> None:
    (tmp_path / "s.toml").write_text(WHOLE)
    (tmp_path / "s.dat").write_bytes(bytes(30))
    sidecar = find_sidecar(tmp_path / "s.dat")
    source = resolve_spike_source(tmp_path / "s.dat", RecordingSettings(), sidecar)
    assert source.settings.height == 6
