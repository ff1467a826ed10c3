"""Whether spikes and video belong together: what is found, and what is said of it."""

from __future__ import annotations

import re
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from spikedeblur.agreement import Agreement, Finding
from spikedeblur.agreement.comparison import FrameComparison, Single
from spikedeblur.agreement.drift import drifting
from spikedeblur.errors import InputError
from spikedeblur.io.spikes.settings import RecordingSettings
from spikedeblur.restoration.pipeline import Deblurrer
from tests.agreement.rigs import HEIGHT, RATE, TICKS, WIDTH, Wall, moving

MISFIT = "spikes_do_not_match"


@pytest.fixture(scope="module")
def scene() -> Wall:
    return moving()


def check(files: tuple[Path, Path], **said: object) -> Agreement:
    found = Deblurrer(method="sdm").check(*files, spike_options=RecordingSettings(**said))
    assert found is not None
    return found


def only(found: Agreement) -> Finding:
    [finding] = found.findings
    assert " - " in finding.text and "\n" not in finding.text
    return finding


def remedied(finding: Finding) -> dict[str, object]:
    """The settings that a line asks for."""
    said: dict[str, object] = {}
    if match := re.search(r"--offset (-?[0-9.]+)", finding.text):
        said["offset_s"] = Fraction(match[1])
    if match := re.search(r"--(no-)?flip", finding.text):
        said["flip"] = match[1] is None
    if match := re.search(r"homography = \[([^]]+)\]", finding.text):
        said["homography"] = tuple(float(each) for each in match[1].split(","))
    return said


def test_spikes_of_the_video_fit_and_nothing_is_said(scene, tmp_path):
    found = check(scene.write(tmp_path))
    assert found.findings == [] and found.match > 0.97
    assert abs(found.late_s) < 0.0005 and np.hypot(*found.shift_px) < 0.5
    assert (found.coverage.frames, found.coverage.covered) == (12, 12)


@pytest.mark.parametrize("late_ms", [-5, 5, 40])
def test_spikes_of_another_time(scene, tmp_path, late_ms):
    files = scene.write(tmp_path, offset_s=Fraction(late_ms, 1000))
    finding = check(files).findings[-1]
    assert finding.figures["late_s"] == pytest.approx(-late_ms / 1000, abs=0.0005)
    assert ("earlier" if late_ms > 0 else "later") in finding.text
    said = remedied(finding)
    assert abs(said["offset_s"]) < Fraction(5, 10_000)
    assert check(files, **said).findings == []


TURNS = {
    "upside down": lambda spikes: spikes[:, ::-1],
    "mirrored": lambda spikes: spikes[:, :, ::-1],
    "turned by 180 degrees": lambda spikes: spikes[:, ::-1, ::-1],
}


@pytest.mark.parametrize("turn", TURNS)
def test_spikes_that_stand_wrong(scene, tmp_path, turn):
    files = scene.write(tmp_path, TURNS[turn])
    finding = only(check(files))
    assert finding.code == MISFIT and finding.figures["turn"] == turn and turn in finding.text
    assert finding.figures["spike_match"] < 0.3 < 0.95 < finding.figures["better_match"]
    assert check(files, **remedied(finding)).findings == []


def test_the_remedy_for_a_mirror_counts_on_the_whole_sensor(scene, tmp_path):
    def in_a_wider_sensor(spikes: np.ndarray) -> np.ndarray:
        return np.pad(spikes[:, :, ::-1], ((0, 0), (3, 2), (5, 1)))

    files = scene.write(tmp_path, in_a_wider_sensor, crop=(5, 3, WIDTH // 2, HEIGHT // 2))
    finding = only(check(files))
    assert check(files, **remedied(finding)).findings == []


def test_a_negative_is_told(scene, tmp_path):
    finding = only(check(scene.write(tmp_path, np.logical_not)))
    assert finding.code == MISFIT and finding.figures["inverted"]
    assert finding.figures["spike_match"] < -0.8 and "invert" in finding.text


@pytest.mark.parametrize("sideways", [2, 9])
def test_spikes_that_lie_beside(scene, tmp_path, sideways):
    """The video's pixels are half as large as those of the spikes."""
    finding = only(check(scene.write(tmp_path, lambda spikes: np.roll(spikes, sideways, 2))))
    across, down = finding.figures["shift_px"]
    assert across == pytest.approx(-2 * sideways, abs=1) and abs(down) < 1
    assert "to the left" in finding.text and "spikedeblur align" in finding.text


def test_spikes_of_another_scene_and_noise(scene, tmp_path):
    other = moving(seed=5).spikes
    noise = np.random.default_rng(0).random(other.shape) < 0.3
    for spikes in (other, noise):
        found = check(scene.write(tmp_path, lambda _, spikes=spikes: spikes))
        finding = only(found)
        assert finding.code == MISFIT and found.match < 0.3
        assert f"({finding.figures['spike_match']:.2f})" in finding.text
        assert "spikedeblur align" in finding.text and "--no-flip" in finding.text


@pytest.mark.parametrize(("value", "code"), [(False, "spikes_all_zero"), (True, "spikes_all_one")])
def test_recordings_without_light_or_dark(scene, tmp_path, value, code):
    found = check(scene.write(tmp_path, lambda spikes: np.full_like(spikes, value)))
    assert only(found).code == code and found.match == 0


@pytest.mark.parametrize(("value", "name"), [(False, "dead"), (True, "hot")])
def test_regions_that_do_not_follow_the_light(scene, tmp_path, value, name):
    def spoilt(spikes: np.ndarray) -> np.ndarray:
        spikes = spikes.copy()
        spikes[:, 4:12, 10:22] = value
        return spikes

    found = check(scene.write(tmp_path, spoilt))
    finding = only(found)
    share = 8 * 12 / (WIDTH * HEIGHT / 4)
    assert finding.code == f"spikes_{name}" and found.match > 0.9
    assert 0.3 * share < finding.figures[f"{name}_share"] <= share + 0.001
    assert f"{100 * finding.figures[f'{name}_share']:.1f} %" in finding.text


def test_a_sensor_with_too_much_light(tmp_path):
    bright = moving(light=np.clip(moving_light() * 3.5, 0, 1.6))
    found = check(Wall(np.clip(bright.frames * 0.55, 0, 1), bright.spikes).write(tmp_path))
    assert "spikes_saturated" in [finding.code for finding in found.findings]


def moving_light() -> np.ndarray:
    from tests.rigs import wall

    return wall(3)


def test_spikes_that_stop_half_way(scene, tmp_path):
    def stopped(spikes: np.ndarray) -> np.ndarray:
        spikes = spikes.copy()
        spikes[6 * TICKS :] = False
        return spikes

    finding = only(check(scene.write(tmp_path, stopped)))
    assert finding.code == "spikes_drift"
    assert 0.12 <= finding.figures["from_s"] <= 0.16 and "from 0.1" in finding.text


def test_spikes_that_are_missing_in_the_middle(scene, tmp_path):
    def covered(spikes: np.ndarray) -> np.ndarray:
        spikes = spikes.copy()
        spikes[4 * TICKS : 8 * TICKS] = False
        return spikes

    finding = only(found := check(scene.write(tmp_path, covered)))
    assert found.match > 0.97, "of the frames that have spikes"
    assert finding.code == "spikes_drift" and "elsewhere" in finding.text
    assert 0.08 <= finding.figures["from_s"] <= finding.figures["until_s"] < 0.16


def test_dark_frames_need_no_spikes(scene, tmp_path):
    dark, spikes = scene.frames.copy(), scene.spikes.copy()
    dark[8:], spikes[8 * TICKS :] = 0, False
    assert check(Wall(dark, spikes).write(tmp_path)).findings == []


@pytest.mark.parametrize("lost", ["ticks", "frames"])
def test_what_was_lost_within_a_recording_is_told_with_where_and_how_much(tmp_path, lost):
    scene, interval = moving(frames=20), 1 / RATE
    if lost == "ticks":
        spikes = np.concatenate([scene.spikes[: 8 * TICKS], scene.spikes[10 * TICKS :]])
        scene, late = Wall(scene.frames, spikes), 2 * interval
    else:
        frames = np.concatenate([scene.frames[:8], scene.frames[10:]])
        scene, late = Wall(frames, scene.spikes), -2 * interval
    finding = check(scene.write(tmp_path)).findings[-1]
    assert finding.code == "spikes_drift" and "offset_jumps" in finding.text
    assert finding.figures["late_s"] == pytest.approx(late, abs=0.3 * interval)
    assert finding.figures["late_before_s"] == 0
    assert 0.12 <= finding.figures["from_s"] <= 0.26


def test_frames_that_hardly_blur_do_not_pass_for_clocks_that_drift(tmp_path):
    """Where in the exposure they lie says nothing, and changes from frame to frame."""
    scene = moving(frames=12, speed=3.0)
    lags = [0.78, 1.53, 0.27, -1.37, -1.88, -2.0]  # ms, as seen once
    each = tuple(Single(0.03 * n, 0.99, lag / 1000) for n, lag in enumerate(lags))
    found = FrameComparison(0.99, 0.9, each=each, moving=True)
    assert drifting(found, 0.018) is None
    line = tuple(Single(one.start_s, 0.99, 0.05 * one.start_s) for one in each)
    assert drifting(replace(found, each=line), 0.018) is not None
    assert check(scene.write(tmp_path)).findings == []


def test_a_recording_of_less_than_a_frame_is_not_judged(scene, tmp_path):
    short = Wall(scene.frames, scene.spikes[: TICKS // 2])
    found = check(short.write(tmp_path))
    assert found.match is None and "spikes" in found.untold


def test_clocks_that_drift_apart(tmp_path):
    scene = moving(frames=40, speed=6.0)
    files = scene.write(tmp_path, rate_hz=Fraction(RATE * TICKS) * Fraction(102, 100))
    finding = check(files).findings[-1]
    assert finding.code == "spikes_drift" and "--drift" in finding.text
    assert finding.figures["drift_ppm"] == pytest.approx(-19_608, rel=0.1)  # as a sidecar has it


def test_what_cannot_be_told_is_not_guessed(tmp_path):
    flat = check(moving(light=np.full((640, 640), 0.3)).write(tmp_path))
    assert flat.match is None and "texture" in flat.untold and flat.findings == []
    still = check(moving(speed=0.0).write(tmp_path))
    assert still.match > 0.9 and still.late_s is None and still.findings == []


def test_a_video_of_one_frame(scene, tmp_path):
    alone = Wall(scene.frames[:1], scene.spikes[:TICKS])
    assert check(alone.write(tmp_path)).findings == []
    finding = only(check(alone.write(tmp_path, TURNS["upside down"])))
    assert finding.figures["turn"] == "upside down"


def test_ten_bits_are_read_like_eight(scene, tmp_path):
    files = scene.write(tmp_path, codec="libx265", pix_fmt="yuv420p10le")
    found = check(files)
    assert found.findings == [] and found.match > 0.9


def test_uncovered_frames_are_counted_beforehand(scene, tmp_path):
    found = check(scene.write(tmp_path, lambda spikes: spikes[: 7 * TICKS + 10]))
    finding = only(found)
    assert finding.code == "frames_uncovered" and "4 of 12 frames" in finding.text
    assert (found.coverage.covered, found.coverage.partial) == (8, 1)
    with pytest.raises(InputError, match="cover none of the 12 frames"):
        check(scene.write(tmp_path), offset_s=Fraction(5))


def test_voxel_grids_are_compared_too(scene, tmp_path):
    from spikedeblur.cli.main import main

    for turn, codes in ((np.s_[:, :], []), (np.s_[:, ::-1], [MISFIT])):
        video, spikes = scene.write(tmp_path, lambda planes, turn=turn: planes[turn])
        voxels = tmp_path / "v.npy"
        assert main(["voxelize", str(spikes), "--video", str(video), "-o", str(voxels), "-y"]) == 0
        assert [each.code for each in check((video, voxels)).findings] == codes


def test_bits_in_the_other_order(scene, tmp_path):
    def reversed_bits(spikes: np.ndarray) -> np.ndarray:
        packed = np.packbits(spikes.reshape(len(spikes), -1), axis=1)
        unpacked = np.unpackbits(packed, axis=1, bitorder="little")
        return unpacked.reshape(spikes.shape).astype(bool)

    files = scene.write(tmp_path, reversed_bits)
    finding = only(check(files))
    assert finding.code == MISFIT and finding.text.endswith("give --bit-order big")
    assert finding.figures["bit_order"] == "big" and finding.figures["better_match"] > 0.9
    assert check(files, bit_order="big").findings == []


@pytest.mark.parametrize(
    ("length", "whole"), [(2 * TICKS, True), (10 * TICKS, False)], ids=["stutter", "loop"]
)
def test_a_recording_that_repeats_itself_is_told_from_which_tick_on(tmp_path, length, whole):
    scene, at = moving(frames=20), 10 * TICKS + 7

    def repeated(spikes: np.ndarray) -> np.ndarray:
        return np.concatenate([spikes[:at], spikes[at - length :]])[: len(spikes)]

    finding = check(scene.write(tmp_path, repeated)).findings[-1]
    assert finding.code == "spikes_drift" and f"from tick {at} on" in finding.text
    assert finding.figures["repeat_from_tick"] == at
    assert finding.figures["repeats_tick"] == at - length
    assert finding.figures["repeat_from_s"] == pytest.approx(at / (RATE * TICKS))
    assert (f"the {length} from" in finding.text) == whole


def test_dark_ticks_are_no_repetition(scene, tmp_path):
    """Nor are those of a recording that stops, which are all alike."""

    def stopped(spikes: np.ndarray) -> np.ndarray:
        return np.where(np.arange(len(spikes))[:, None, None] < 6 * TICKS, spikes, False)

    assert "repeat" not in only(check(scene.write(tmp_path, stopped))).text
