"""The exact position of both planes and clocks: Gauss-Newton on light, robust against what differs.

A frame is the spikes of its exposure, up to gain and offset: V(H x) ~ S(x; opening, closing).
Unknown are H (8 numbers), the clock offset, the exposure, and how much softer one camera sees than
the other, which would otherwise pass for exposure. Derivatives in time are rates of spikes at the
opening and the closing. Those are noisy, and noise in derivatives looks like knowledge; so they are
taken from the black squares of a chessboard and multiplied by those of the white (as instrumental
variables are), whose noise is independent. A scene that stands still then tells nothing of time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F

from spikedeblur.alignment.counting import CumulatedCounts
from spikedeblur.alignment.footage import Footage
from spikedeblur.resample import blur, gaussian_taps

GEOMETRY = 8
TIME, EXPOSURE, SOFTNESS, DRIFT = 8, 9, 10, 11
UNKNOWNS = 12
NEIGHBOURHOOD = 4.0  # spreads of the blur over which errors are told from noise
TOLERANCE = 9.0  # times the usual error, squared, at which a neighbourhood is mistrusted
TILES = 8
EDGE = 1.5  # spreads of the blur at the borders of both planes that are left out
FEWEST_FRAMES = 3
# What is known beforehand, as spreads: half widths of the frame, frame intervals, spike samples^2.
PRIOR = (*(1.0,) * 6, 0.05, 0.05, 3.0, 1.0, 1.0, 0.02)
SHARE_OF_RATE = 16  # derivatives in time are taken over one part in so many of the interval


@dataclass(frozen=True)
class State:
    """An alignment. matrix: spike point -> video point; times in frame intervals.

    drift: by how much the lag grows in an interval. softness: variance, in spike samples squared,
    that the spikes' blur has more than the video's.
    """

    matrix: np.ndarray
    lag: float
    exposure: float
    drift: float = 0.0
    softness: float = 0.0


@dataclass(frozen=True)
class Step:
    """Where Gauss-Newton would go from a state, and how sure it is of it.

    delta, covariance: (12,), (12, 12), zero where nothing is unknown. correlation: of frames and
    spikes. frames: how many were seen by both.
    """

    delta: np.ndarray
    covariance: np.ndarray
    correlation: float
    frames: int
    informative: bool

    @classmethod
    def none(cls) -> Step:
        """Where nothing can be compared."""
        return cls(np.zeros(UNKNOWNS), np.zeros((UNKNOWNS, UNKNOWNS)), 0.0, 0, False)


class Refiner:
    """Both recordings at one level of detail.

    sigma: blur of the comparison, in spike samples. fixed: unknowns that are known.
    """

    def __init__(self, footage: Footage, counts: Sequence[CumulatedCounts], *,
                 spike_size: tuple[int, int], rate_hz: float, offset_s: float, sigma: float,
                 pitch: float, fixed: Sequence[int] = (DRIFT,)) -> None:
        """pitch: video pixels per spike pixel, about."""
        self.video_size, self.spike_size = footage.size, spike_size
        self.counts, self.sigma = counts, sigma
        self.free = [number for number in range(UNKNOWNS) if number not in fixed]
        bursts = footage.bursts
        self.interval = footage.interval_s * rate_hz
        middles = np.concatenate([burst.middles_s for burst in bursts])
        self.middles_s = middles
        self.ticks = (middles - offset_s) * rate_hz
        self.since = (middles - middles.mean()) / footage.interval_s
        self.owner = np.repeat(np.arange(len(bursts)), [len(burst.light) for burst in bursts])
        block = counts[0].block
        self.pitch = pitch * block
        self.fields = self._fields(footage, sigma * self.pitch / footage.pitch[0])
        self._place_pixels(block)

    def _fields(self, footage: Footage, sigma: float) -> torch.Tensor:
        """(F, 4, h, w): blurred light, its slopes in x and y per video pixel, and where it is."""
        light = np.concatenate([burst.light for burst in footage.bursts])
        usable = np.concatenate([burst.usable for burst in footage.bursts]).astype(np.float32)
        across, down = footage.pitch
        soft = blur(light, sigma)
        spoilt = blur(1 - usable, max(sigma, 0.5)) > 0.02
        slopes_y, slopes_x = np.gradient(soft, down, across, axis=(1, 2))
        fields = np.stack([soft, slopes_x, slopes_y, 1 - spoilt.astype(np.float32)], axis=1)
        return torch.from_numpy(fields.astype(np.float32))

    def _place_pixels(self, block: int) -> None:
        height, width = self.counts[0].planes.shape[1:]
        x, y = (np.arange(width) + 0.5) * block, (np.arange(height) + 0.5) * block
        ones = np.ones((height, width))
        self.points = np.stack([ones * x, ones * y[:, None], ones]).reshape(3, -1)
        rows, columns = np.indices((height, width))
        self.white = torch.from_numpy(((rows + columns) % 2).astype(np.float32))
        tile = (rows * TILES // height) * TILES + columns * TILES // width
        self.tile = torch.from_numpy(tile.ravel())
        self.shape = height, width
        self.blur = Blur(self.shape, self.sigma)
        self.widely = Blur(self.shape, NEIGHBOURHOOD * self.sigma)
        border = np.minimum(np.minimum(rows, height - 1 - rows),
                            np.minimum(columns, width - 1 - columns))
        self.away_from_edge = (border >= EDGE * self.sigma).ravel()

    def step(self, state: State) -> Step:
        """One Gauss-Newton step from `state`."""
        rates, covered = self._spikes(state)
        video, seen, where = self._video(state)
        weights = (covered[:, None] & seen).float()
        if int((weights.sum(dim=1) > 0).sum()) < FEWEST_FRAMES:
            return Step.none()
        softer = self._laplacian(video[:, 0])
        model = video[:, 0] + state.softness * softer
        basis = torch.stack([torch.ones_like(model), model], dim=-1)
        mean = rates[:, 0].mean(dim=0)
        weights, spread, gains = _robust(mean, basis, weights, self.shape, self.widely)
        displaced = torch.from_numpy(self.displacement_basis(where).astype(np.float32))
        size = len(self.free)
        information = np.zeros((size, size))
        tiles = torch.zeros(TILES * TILES, size)
        for frame, gain in enumerate(gains.tolist()):
            columns = torch.empty(2, model.shape[1], UNKNOWNS)
            slopes = gain * video[frame, 1:3, :, None]
            columns[..., :GEOMETRY] = slopes[0] * displaced[0] + slopes[1] * displaced[1]
            rate, opening, closing = rates[:, :, frame].unbind(dim=1)
            columns[..., TIME] = (closing - opening) / state.exposure
            columns[..., EXPOSURE] = (rate - (closing + opening) / 2) / state.exposure
            columns[..., SOFTNESS] = gain * softer[frame]
            columns[..., DRIFT] = columns[..., TIME] * float(self.since[frame])
            product, scores = _normal_equations(columns[..., self.free], rate, basis[frame],
                                                weights[frame])
            information += product.double().numpy()
            tiles.index_add_(0, self.tile, scores)
        return self._step(information, tiles.double().numpy(), spread,
                          _correlation(mean, model, weights), int((weights.sum(dim=1) > 0).sum()))

    def _step(self, information: np.ndarray, tiles: np.ndarray, spread: float,
              correlation: float, frames: int) -> Step:
        prior = np.array(PRIOR)[self.free]
        held = np.diag((spread * 4 * self.sigma / prior)**2)
        values = np.linalg.eigvalsh(information * np.outer(prior, prior))
        inverse = np.linalg.inv(information + held + 1e-9 * np.eye(len(prior)))
        used = tiles[(tiles != 0).any(axis=1)]
        few = len(used) / max(len(used) - len(prior), 1)
        covariance = np.zeros((UNKNOWNS, UNKNOWNS))
        free = np.ix_(self.free, self.free)
        covariance[free] = few * inverse @ (used.T @ used) @ inverse.T
        delta = np.zeros(UNKNOWNS)
        delta[self.free] = inverse @ tiles.sum(axis=0)
        return Step(delta, covariance, correlation, frames, bool(values.min() > 0))

    def _spikes(self, state: State) -> tuple[torch.Tensor, torch.Tensor]:
        """Rates (2, 3, F, P) in spikes per tick, and which frames have them, (F,).

        Of black and white squares; over the exposure, at its opening, at its closing.
        """
        middle = self.ticks - (state.lag + state.drift * self.since) * self.interval
        length = state.exposure * self.interval
        frames, usable = [], []
        for which, tick in zip(self.owner.tolist(), middle.tolist(), strict=True):
            counts = self.counts[which]
            delta = max(self.interval / SHARE_OF_RATE, counts.step)
            first, last = tick - length / 2, tick + length / 2
            at = np.array([first - delta, first, first + delta, last - delta, last, last + delta])
            planes = counts.at(at)
            frames.append(torch.stack([(planes[4] - planes[1]) / length,
                                       (planes[2] - planes[0]) / (2 * delta),
                                       (planes[5] - planes[3]) / (2 * delta)]))
            usable.append(bool(counts.covers(at[:1], at[-1:])[0]))
        rates = torch.stack(frames, dim=1)
        halves = []
        for mask in (1 - self.white, self.white):
            smooth = self.blur(rates * mask) / self.blur(mask)
            halves.append(smooth.flatten(2))
        return torch.stack(halves), torch.tensor(usable)

    def _video(self, state: State) -> tuple[torch.Tensor, torch.Tensor, np.ndarray]:
        """The video's fields (F, 4, P) at the spike samples, which to use, and where they lie."""
        mapped = state.matrix @ self.points
        where = mapped[:2] / mapped[2]
        size = np.array(self.video_size)[:, None]
        margin = EDGE * self.sigma * self.pitch
        grid = torch.from_numpy((2 * where / size - 1).T.astype(np.float32))
        grid = grid.reshape(1, 1, -1, 2).expand(len(self.fields), -1, -1, -1)
        fields = F.grid_sample(self.fields, grid, padding_mode="zeros", align_corners=False)
        fields = fields[:, :, 0]
        inside = torch.from_numpy(
            ((where > margin) & (where < size - margin)).all(axis=0) & self.away_from_edge)
        return fields, (fields[:, 3] > 0.99) & inside, where

    def displacement_basis(self, where: np.ndarray) -> np.ndarray:
        """Video pixels that each number moves the points (2, P) by: (2, P, 8)."""
        half = self.video_size[0] / 2
        u, v = ((place - side / 2) / half
                for place, side in zip(where, self.video_size, strict=True))
        one, none = np.ones_like(u), np.zeros_like(u)
        across = np.stack([one, u, v, none, none, none, -u * u, -u * v], axis=-1)
        down = np.stack([none, none, none, one, u, v, -u * v, -v * v], axis=-1)
        basis: np.ndarray = half * np.stack([across, down])
        return basis

    def _laplacian(self, light: torch.Tensor) -> torch.Tensor:
        """Half the Laplacian of (F, P), per spike sample squared: what a unit of blur adds."""
        plane = light.reshape(-1, 1, *self.shape)
        kernel = torch.tensor([[0.0, 1, 0], [1, -4, 1], [0, 1, 0]])[None, None] / 2
        return F.conv2d(F.pad(plane, (1, 1, 1, 1), mode="replicate"), kernel).flatten(1)

    def seen_s(self, state: State) -> float:
        """The middle of a frame's interval, of one amid those that have spikes, seconds."""
        _, covered = self._spikes(state)
        return float(self.middles_s[np.flatnonzero(covered.numpy())[int(covered.sum()) // 2]])

    def place_error(self, state: State, step: Step) -> float:
        """Standard error of the homography, video pixels, root mean square over what both see."""
        mapped = state.matrix @ self.points
        where = mapped[:2] / mapped[2]
        inside = ((where > 0) & (where < np.array(self.video_size)[:, None])).all(axis=0)
        basis = self.displacement_basis(where[:, inside])
        covariance = step.covariance[:GEOMETRY, :GEOMETRY]
        variance = np.einsum("cpi,ij,cpj->p", basis, covariance, basis)
        return float(np.sqrt(max(variance.mean(), 0)))

    def moved(self, state: State, delta: np.ndarray) -> State:
        """The state after a step."""
        half = self.video_size[0] / 2
        centre = np.array([[1 / half, 0, -self.video_size[0] / 2 / half],
                           [0, 1 / half, -self.video_size[1] / 2 / half], [0, 0, 1]])
        d = delta[:GEOMETRY]
        change = np.eye(3) + np.array([[d[1], d[2], d[0]], [d[4], d[5], d[3]], [d[6], d[7], 0]])
        matrix = np.linalg.inv(centre) @ change @ centre @ state.matrix
        return replace(state, matrix=matrix / matrix[2, 2], lag=state.lag + delta[TIME],
                       exposure=float(np.clip(state.exposure + delta[EXPOSURE], 0.05, 1.2)),
                       drift=state.drift + delta[DRIFT],
                       softness=state.softness + delta[SOFTNESS])

    def refine(self, state: State, iterations: int) -> tuple[State, Step]:
        """Gauss-Newton until it stands still; the last step is the one not taken."""
        for _ in range(iterations):
            step = self.step(state)
            if step.frames == 0:
                return state, step
            delta = step.delta * min(1.0, 0.25 / max(abs(step.delta[TIME]), 1e-9),
                                     0.15 / max(abs(step.delta[EXPOSURE]), 1e-9),
                                     0.06 / max(np.abs(step.delta[:GEOMETRY]).max(), 1e-9))
            state = self.moved(state, delta)
            if max(np.abs(delta[:GEOMETRY]).max(), np.abs(delta[TIME:EXPOSURE + 1]).max()) < 1e-4:
                break
        return state, self.step(state)


class Blur:
    """Gaussian blur of planes (..., h, w) of one shape, nothing beyond the border.

    As products with banded matrices, which for many small planes is faster than a convolution.
    """

    def __init__(self, shape: tuple[int, int], sigma: float) -> None:
        self._rows, self._columns = (_band(side, sigma) for side in shape)

    def __call__(self, planes: torch.Tensor) -> torch.Tensor:
        return self._rows @ (planes @ self._columns)


def _band(side: int, sigma: float) -> torch.Tensor:
    taps = gaussian_taps(sigma)
    radius = len(taps) // 2
    near = np.subtract.outer(np.arange(side), np.arange(side)) + radius
    inside = (near >= 0) & (near < len(taps))
    return torch.from_numpy(np.where(inside, taps[near.clip(0, len(taps) - 1)], np.float32(0)))


def _robust(spikes: torch.Tensor, basis: torch.Tensor, weights: torch.Tensor,
            shape: tuple[int, int], blur: Blur) -> tuple[torch.Tensor, float, torch.Tensor]:
    """Weights (F, P) that shun what does not fit, what is left elsewhere, and each frame's gain.

    They go by the errors of the neighbourhood in the frames before and after (Geman and McClure,
    1987). A pixel's own errors would prefer noise of black squares that cancels that of white
    ones, which biases exposures.
    """
    def around(values: torch.Tensor) -> torch.Tensor:
        near = blur(values.reshape(-1, *shape)).flatten(1)
        return near.roll(1, dims=0) + near.roll(-1, dims=0)

    robust, usual, there = weights, 0.0, around(weights).clamp(min=1e-3)
    for _ in range(3):
        solution = _solve(basis, robust, spikes[..., None])
        energy = around((spikes - (basis @ solution)[..., 0])**2 * weights) / there
        usual = float(energy[weights > 0].median()) + 1e-12
        robust = weights / (1 + energy / (TOLERANCE * usual))**2
    return robust, usual**0.5, solution[:, 1, 0].clamp(min=0)


def _normal_equations(columns: torch.Tensor, rate: torch.Tensor, basis: torch.Tensor,
                      weights: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Information (n, n) and scores (P, n) of a frame, gain and offset being whatever fits best.

    columns (2, P, n) and rate (2, P) of black and white squares: one's errors meet the other's
    derivatives.
    """
    wanted = torch.cat([columns, rate[..., None]], dim=-1)
    wanted = wanted - basis @ _solve(basis, weights, wanted)
    jacobian, errors = wanted[..., :-1], wanted[..., -1:]
    weighted = jacobian * weights[:, None]
    product = weighted[0].T @ jacobian[1]
    scores = (weighted[0] * errors[1] + weighted[1] * errors[0]) / 2
    return (product + product.T) / 2, scores


def _solve(basis: torch.Tensor, weights: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
    """Weighted least squares per frame: basis (F, P, 2), weights (F, P), values (..., F, P, n)."""
    weighted = (basis * weights[..., None]).transpose(-1, -2)
    normal = weighted @ basis + 1e-9 * torch.eye(basis.shape[-1])
    return torch.linalg.solve(normal, weighted @ values)


def _correlation(spikes: torch.Tensor, video: torch.Tensor, weights: torch.Tensor) -> float:
    """Weighted correlation within frames, over all of them."""
    total = weights.sum(dim=1, keepdim=True).clamp(min=1e-9)
    one, two = (each - (each * weights).sum(dim=1, keepdim=True) / total
                for each in (spikes, video))
    product = (one * two * weights).sum()
    return float(product / ((one**2 * weights).sum() * (two**2 * weights).sum()).sqrt())
