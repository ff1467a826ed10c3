"""Frames of two planes at different depth, restored by what is found and by what is true."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spikedeblur.agreement.check import judged
from spikedeblur.agreement.glimpses import Look
from spikedeblur.agreement.grid import SampleGrid
from spikedeblur.io.pictures import Pictures
from spikedeblur.io.spikes.settings import RecordingSettings
from spikedeblur.restoration.exposing import exposed_frames, exposed_video
from spikedeblur.restoration.parallax import Displacing, Remembered
from spikedeblur.restoration.restorers import restorer_of
from spikedeblur.restoration.selection import Selection
from tests.parallax import SIZE, TwoPlanes, two_planes

INNER = np.s_[:, 8:-8, 8:-8]


def exposures_of(planes: TwoPlanes, parallax: bool | None = None):
    reader = Pictures(planes.video)
    options = RecordingSettings(parallax=parallax)
    return exposed_video(reader, planes.recorded[1], options, 32)[1]


def displaced(planes: TwoPlanes) -> list:
    exposed = planes.exposed()
    displacing = Displacing(exposed[0].source)
    return [
        displacing.displaced(each, before and before.frame)
        for before, each in zip([None, *exposed], exposed, strict=False)
    ]


def psnr(planes: TwoPlanes, exposed: list, method: str = "sdm") -> float:
    made = np.stack([each.pictures[0] for each in restorer_of(method).restore(exposed)])
    return float(-10 * np.log10(((made - planes.sharp)[INNER] ** 2).mean()))


@pytest.mark.parametrize("method", ["sdm", "joint"])
@pytest.mark.parametrize("parallax", [12, 24])
def test_what_is_found_restores_nearly_as_well_as_what_is_true(parallax, method):
    planes = two_planes(parallax)
    exposed = planes.exposed()
    without = psnr(planes, exposed, method)
    true = [replace(each, displacement=planes.true(n)) for n, each in enumerate(exposed)]
    best, found = psnr(planes, true, method), psnr(planes, displaced(planes), method)
    assert best > without + 3.5
    assert found > best - 0.7  # a third of the frame lies where one plane hides the other


def test_views_that_are_not_displaced_lose_next_to_nothing():
    planes = two_planes(0)
    assert psnr(planes, displaced(planes)) > psnr(planes, planes.exposed()) - 0.1


def test_the_sidecar_asks_for_it_and_an_option_beats_it():
    planes = two_planes(12)
    assert exposures_of(planes).parallax  # as simulate wrote it
    assert not exposures_of(planes, parallax=False).parallax
    assert exposures_of(two_planes(0), parallax=True).parallax
    assert not exposures_of(two_planes(0)).parallax


def test_a_frame_comes_out_the_same_wherever_a_video_is_cut():
    planes = two_planes(12)
    exposures, restorer = exposures_of(planes), restorer_of("sdm")

    def found(wanted: range) -> list:
        chosen = Selection(iter([wanted]), restorer.context)
        return list(exposed_frames(restorer, planes.video, exposures, chosen))

    whole, last = found(range(2)), found(range(1, 2))
    assert len(whole) == 2 and len(last) == 1
    np.testing.assert_array_equal(whole[1].displacement.way, last[0].displacement.way)
    alone = Displacing(exposures).displaced(planes.exposed()[1], None)
    assert (alone.displacement.way != last[0].displacement.way).any()


def test_a_frame_of_another_shot_is_not_looked_at():
    frames = two_planes(0).video
    shots = Remembered(zip(frames, (0, 1), strict=True))
    assert [shots.before for _ in shots] == [None, None]
    same = Remembered(zip(frames, (0, 0), strict=True))
    assert [same.before for _ in same] == [None, frames[0]]


def test_the_check_is_silent_where_places_are_found_frame_by_frame():
    planes = two_planes(24)
    for parallax, told in ((True, 0), (False, 1)):
        exposures = exposures_of(planes, parallax)
        grid = SampleGrid(exposures.size, SIZE, None)
        looks = [Look.at(frame, grid) for frame in planes.video]
        assert len(judged(looks, exposures, grid).findings) == told


def test_spikes_of_another_scene_are_told_and_change_nothing(caplog):
    planes = two_planes(12)
    exposed = [replace(each, counts=each.counts[..., ::-1].copy()) for each in planes.exposed()]
    displacing = Displacing(exposed[0].source)
    for each in [*exposed, *exposed]:
        assert not displacing.displaced(each, None).displacement.way.any()
    assert [record.event["code"] for record in caplog.records] == ["spikes_do_not_match"]
