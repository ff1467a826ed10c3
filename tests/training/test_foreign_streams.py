"""Spike streams of another group's simulator, with the sharp picture of one of their ticks."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from fractions import Fraction

import numpy as np
import pytest

from spikedeblur.io.spikes.settings import RecordingSettings
from spikedeblur.io.spikes.source import resolve_spike_source
from spikedeblur.io.spikes.stream import SpikeStream
from spikedeblur.simulation.photos import read_photo

PACKAGE = "spikezoo==0.2.3.7"
TRUE_TICK, WINDOW = 150, 9


@pytest.fixture(scope="module")
def streams(tmp_path_factory):
    """The spike files of the package; skipped where it cannot be had."""
    folder = tmp_path_factory.mktemp("spikezoo")
    fetched = subprocess.run(
        [sys.executable, "-m", "pip", "download", "--no-deps", "-q", PACKAGE, "-d", str(folder)],
        capture_output=True,
        check=False,
    )
    wheels = list(folder.glob("*.whl"))
    if fetched.returncode or not wheels:
        pytest.skip(f"{PACKAGE} cannot be downloaded")
    with zipfile.ZipFile(wheels[0]) as archive:
        names = [name for name in archive.namelist() if name.startswith("spikezoo/data/base/")]
        archive.extractall(folder, names)
    return sorted(folder.rglob("*.dat"))


def evenly_spread(planes):
    """Rates (N, H, W): each spike's light spread over the ticks since the spike before.

    A pixel fires once light has filled it, so that the light came over the whole interval. Counts
    of whole spikes are off by one at each end of a window; parts of spikes are not.
    """
    rates = np.empty(planes.shape, np.float32)
    follows = np.full(planes.shape[1:], len(planes))
    for tick in reversed(range(len(planes))):
        follows = np.where(planes[tick], tick, follows)
        rates[tick] = follows
    precedes = np.full(planes.shape[1:], -1)
    for tick, plane in enumerate(planes):
        rates[tick] = 1 / (rates[tick] - precedes)
        precedes = np.where(plane, tick, precedes)
    return rates


def likeness(rates, tick, truth):
    """Correlation of the mean rate around a tick (TFP) with the true picture."""
    first = tick - WINDOW // 2
    return np.corrcoef(rates[first : first + WINDOW].mean(axis=0).ravel(), truth.ravel())[0, 1]


@pytest.mark.slow
def test_the_rate_around_the_true_tick_is_the_true_picture(streams):
    assert len(streams) == 5
    for path in streams:
        truth = read_photo(path.parents[1] / "gt" / f"{path.stem}.png")[..., 1] / 255
        with SpikeStream.open(path, width=400, height=250, rate_hz=20000) as stream:
            assert len(stream) == 301
            rates = evenly_spread(stream[: len(stream)])
        found = {tick: likeness(rates, tick, truth) for tick in range(130, 171, 5)}
        assert max(found, key=found.__getitem__) == TRUE_TICK
        assert found[TRUE_TICK] > 0.98


@pytest.mark.slow
def test_they_open_with_no_more_than_the_rate(streams):
    for path in streams:
        source = resolve_spike_source(path, RecordingSettings(rate_hz=Fraction(20_000)))
        assert (source.settings.pixels, source.settings.layout) == ((400, 250), "plain")
        with source.open() as stream:
            assert stream.shape == (301, 250, 400)
