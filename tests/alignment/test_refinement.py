"""The parts of the refinement that have closed forms."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from spikedeblur.alignment.counting import CumulatedCounts
from spikedeblur.alignment.faults import faults_seen
from spikedeblur.alignment.fields import Fields
from spikedeblur.alignment.findings import Errors, Known
from spikedeblur.alignment.footage import Burst, Footage
from spikedeblur.alignment.leastsquares import Blur, robust_weights, solve
from spikedeblur.alignment.refinement import Refiner
from spikedeblur.alignment.state import (
    DRIFT,
    EXPOSURE,
    K1,
    K2,
    READOUT,
    TIME,
    UNKNOWNS,
    State,
    Step,
    displacement_basis,
    guessed_lens,
    radial_basis,
)
from spikedeblur.recording.lenses import bent, straight
from spikedeblur.recording.resample import blur

OF_NO_FAULT = (DRIFT, K1, K2, READOUT)


def wave(x, y, t):
    """Light that slides to the right and down and back: in closed form at any place and time."""
    x, y = x - 9 * np.sin(1.3 * t), y - 7 * np.cos(0.9 * t)
    return 0.4 + 0.1 * np.sin(0.35 * x) + 0.08 * np.cos(0.3 * y) + 0.07 * np.sin(0.2 * (x + y))


def looking(tone=lambda light: light, fixed=OF_NO_FAULT, readout=0.0, lens=None):
    """A refiner of ten frames of 90x60, of light by a `tone`, and 60x40 spikes without noise."""
    frames, ticks = 10, 40
    x, y = np.meshgrid(np.arange(90) + 0.5, np.arange(60) + 0.5)
    began = 0.2 + readout * (y / 60 - 0.5)
    if lens is not None:
        x, y, _ = straight(lens, x, y)
    instants = (np.arange(80) + 0.5) / 80
    light = np.stack(
        [
            np.mean([wave(x, y, number + began + 0.6 * instant) for instant in instants], axis=0)
            for number in range(frames)
        ]
    ).astype(np.float32)
    burst = Burst(tone(light), np.ones(light.shape, bool), np.arange(frames) + 0.5)
    footage = Footage((90, 60), (burst,), 1.0, 0, 1, None)
    columns, rows = np.meshgrid((np.arange(60) + 0.5) * 1.5, (np.arange(40) + 0.5) * 1.5)
    rates = np.stack([wave(columns, rows, (tick + 0.5) / ticks) for tick in range(ticks * frames)])
    planes = torch.from_numpy(np.concatenate([np.zeros((1, 40, 60)), rates.cumsum(0)])).float()
    return Refiner(
        Fields(footage),
        [CumulatedCounts(planes, 0, 1, 1)],
        spike_size=(60, 40),
        rate_hz=ticks,
        offset_s=0.0,
        sigma=1.0,
        matrix=np.diag([1.5, 1.5, 1.0]),
        fixed=fixed,
    )


@pytest.fixture(scope="module")
def refiner():
    return looking()


def test_it_comes_back_to_where_light_and_spikes_agree(refiner):
    askew = np.diag([1.53, 1.48, 1.0])
    askew[:2, 2] = 0.8, -0.6
    state, step = refiner.refine(State(askew, 0.12, 0.75), 25)
    points = np.array([[5, 55, 5, 55], [5, 5, 35, 35], [1, 1, 1, 1.0]])
    mapped = state.matrix @ points
    assert np.abs(mapped[:2] / mapped[2] - 1.5 * points[:2]).max() < 0.05
    assert state.lag == pytest.approx(0, abs=0.005)
    assert state.exposure == pytest.approx(0.6, abs=0.015)
    assert step.correlation > 0.999 and step.informative


def test_of_the_states_on_the_way_the_most_alike_is_kept(refiner):
    def past(state):
        delta = np.eye(UNKNOWNS)[TIME] * 0.1
        return Step(delta, np.zeros((UNKNOWNS, UNKNOWNS)), 1 - abs(state.lag - 0.3), 10, True)

    led = Refiner.__new__(Refiner)
    led.__dict__.update(refiner.__dict__, step=past)
    start = State(np.eye(3), 0.0, 0.6)
    state, step = led.likeliest(start, 8)
    assert state.lag == pytest.approx(0.3) and step.correlation == pytest.approx(1.0)
    assert led.refine(start, 8)[0].lag == pytest.approx(0.8)


def test_another_tone_curve_does_not_pass_for_another_exposure():
    """Squared, as if spikes had fired on encoded light; taken for linear, 0.68 would fit best."""
    state, step = looking(np.square).refine(State(np.diag([1.5, 1.5, 1.0]), 0.05, 0.5), 25)
    assert state.exposure == pytest.approx(0.6, abs=0.015)
    assert state.lag == pytest.approx(0, abs=0.005)
    assert step.correlation > 0.999


def test_the_basis_says_where_points_move():
    state = State(np.diag([1.5, 1.5, 1.0]), 0.0, 0.6)
    where = np.random.default_rng(0).uniform(0, 60, (2, 20))
    delta = np.zeros(UNKNOWNS)
    delta[:8] = 1e-5 * np.random.default_rng(1).standard_normal(8)
    moved = state.moved(delta, (90, 60)).matrix @ np.linalg.inv(state.matrix)
    after = moved @ np.vstack([where, np.ones(20)])
    np.testing.assert_allclose(
        after[:2] / after[2] - where, displacement_basis(where, (90, 60)) @ delta[:8], atol=1e-6
    )


def test_the_basis_of_a_lens_says_where_it_shows_points():
    places = np.random.default_rng(0).uniform(0, 60, (2, 20))
    x, y, _ = bent(guessed_lens((1e-4, -2e-4), (90, 60)), *places)
    moved = radial_basis(places, (90, 60)) @ [1e-4, -2e-4]
    np.testing.assert_allclose(np.stack([x, y]) - places, moved, atol=1e-9)


def refined(looks, fixed, iterations=15):
    looks.free = [each for each in range(UNKNOWNS) if each not in fixed]
    return looks.refine(State(np.diag([1.5, 1.5, 1.0]), 0.0, 0.6), iterations)[0]


def test_without_a_fault_none_is_seen():
    looks = looking(fixed=[DRIFT])
    assert faults_seen(looks, State(np.diag([1.5, 1.5, 1.0]), 0.0, 0.6)) == set()
    looks.free = [TIME, EXPOSURE]
    assert faults_seen(looks, State(np.diag([1.5, 1.5, 1.0]), 0.0, 0.6)) == set()


@pytest.mark.parametrize("readout", [0.3, -0.25])
def test_a_rolling_shutter_is_seen_and_measured(readout):
    looks = looking(readout=readout)
    state = refined(looks, OF_NO_FAULT)
    looks.free = [each for each in range(UNKNOWNS) if each not in (DRIFT, K1, K2)]
    assert READOUT in faults_seen(looks, state)
    state = refined(looks, (DRIFT, K1, K2))
    assert state.readout == pytest.approx(readout, abs=0.01)
    assert state.exposure == pytest.approx(0.6, abs=0.015)
    assert state.lag == pytest.approx(0, abs=0.005)


def test_a_lens_is_seen_and_measured():
    lens = guessed_lens((-0.15, 0.03), (90, 60))
    looks = looking(lens=lens)
    state = refined(looks, OF_NO_FAULT)
    looks.free = [each for each in range(UNKNOWNS) if each not in (DRIFT, READOUT)]
    assert {K1, K2} <= faults_seen(looks, state)
    state = refined(looks, (DRIFT, READOUT))
    edge = np.array([[0.0, 45, 90, 88, 20], [0, 2, 30, 58, 50]])
    there = bent(
        guessed_lens(state.radial, (90, 60)), *state.placed(np.vstack([edge / 1.5, np.ones(5)]))
    )
    np.testing.assert_allclose(there[:2], bent(lens, *edge)[:2], atol=0.1)


def test_what_is_fixed_does_not_move(refiner):
    fixed = Refiner.__new__(Refiner)
    fixed.__dict__.update(refiner.__dict__, free=[EXPOSURE])
    step = fixed.step(State(np.diag([1.5, 1.5, 1.0]), 0.1, 0.5))
    assert np.flatnonzero(step.delta).tolist() == [EXPOSURE]
    assert not step.covariance[TIME].any() and not step.covariance[DRIFT].any()


def test_blur_by_matrices_is_blur():
    planes = np.random.default_rng(2).random((3, 40, 50)).astype(np.float32)
    found = Blur((40, 50), (1.5, 1.5))(torch.from_numpy(planes)).numpy()
    np.testing.assert_allclose(found[:, 6:-6, 6:-6], blur(planes, 1.5)[:, 6:-6, 6:-6], atol=1e-6)


def test_least_squares_are_numpys():
    rng = np.random.default_rng(3)
    basis, values, weights = rng.random((30, 2)), rng.random((30, 3)), rng.random(30)
    root = np.sqrt(weights)[:, None]
    expected = np.linalg.lstsq(root * basis, root * values, rcond=None)[0]
    found = solve(*(torch.from_numpy(each).float() for each in (basis, weights, values)))
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4)


def test_a_plain_wall_has_a_least_square_too():
    basis = torch.stack([torch.ones(50), torch.full((50,), 0.3)], dim=-1)
    found = basis @ solve(basis, torch.ones(50), torch.full((50, 1), 0.7))
    np.testing.assert_allclose(found, 0.7, atol=1e-4)


def test_what_does_not_fit_has_little_weight():
    rng = np.random.default_rng(4)
    video = torch.from_numpy(rng.random((4, 900))).float()
    noise = 0.01 * rng.standard_normal((4, 900))
    spikes = 0.5 * video + torch.from_numpy(noise).float()
    spikes[:, :90] += 0.4  # three of thirty rows, in every frame
    basis = torch.stack([torch.ones_like(video), video], dim=-1)
    weights, _, fit = robust_weights(
        spikes, basis, torch.ones_like(video), (30, 30), Blur((30, 30), (1.0, 1.0))
    )
    assert weights[:, :60].max() < 0.01 and weights[:, 300:].min() > 0.5
    np.testing.assert_allclose(fit[:, 1], 0.5, atol=0.01)


def test_confidence_is_the_chance_of_being_within_the_limits():
    sure = Errors.of(0.0, 0.0, 0.0, Known())
    assert sure.confidence > 0.999
    half = Errors(0.02 / 0.6745, 0.0, 0.0)  # two of three within their quartiles
    assert half.confidence == pytest.approx(0.5, abs=1e-3)
    assert "the offset" in str(half.complaint(drift=False))
    assert "--fix exposure" in str(Errors(0.001, 0.1, 0.1).complaint(drift=False))
    assert "homography" in str(Errors(0.001, 0.001, 2.0).complaint(drift=False))
