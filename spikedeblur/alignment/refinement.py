"""The exact position of both planes and clocks: Gauss-Newton on light, robust against what differs.

A frame is the spikes of its exposure: a + b V(H x) + c sqrt(V(H x)) ~ S(x; opening, closing), with
a, b and c as fits each frame best: black level, gain, and how far a camera's tone curve is from
what its video says, which would otherwise pass for exposure. Unknown are H (8 numbers), the clock
offset, the exposure, and how much softer one camera sees than the other, which would pass for
exposure, too. Derivatives in time are rates of spikes at the opening and the closing. Those are
noisy, and noise in derivatives looks like knowledge; so they are taken from the black squares of a
chessboard and multiplied by those of the white (as instrumental variables are), whose noise is
independent. A scene that stands still then says nothing of time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
import torch.nn.functional as F

from spikedeblur.alignment.counting import CumulatedCounts
from spikedeblur.alignment.fields import SPOILT, Compared, Fields, sample_fields
from spikedeblur.alignment.leastsquares import (
    Blur,
    correlation_of,
    correlation_terms,
    normal_equations,
    robust_weights,
)
from spikedeblur.alignment.state import (
    DRIFT,
    EXPOSURE,
    FEWEST_FRAMES,
    GEOMETRY,
    K1,
    K2,
    READOUT,
    SOFTNESS,
    TIME,
    UNKNOWNS,
    State,
    Step,
    bounded,
    displacement_basis,
    guessed_lens,
    radial_basis,
)
from spikedeblur.recording.lenses import UNSEEN, Lenses, bent, straight

SUPPORT = 4.0  # spreads of the blur over which errors are separated from noise
TILES = 8
DARK = 1e-3  # light, below which its root is lost in noise
SATURATED = 0.9  # spikes per tick, of at most one
SHARE_OF_RATE = 6  # derivatives in time are taken over this part of the interval, either way


class Refiner:
    """Both recordings at one level of detail.

    sigma: blur of the comparison, in spike samples. fixed: unknowns that are known.
    """

    def __init__(
        self,
        fields: Fields,
        counts: Sequence[CumulatedCounts],
        *,
        spike_size: tuple[int, int],
        rate_hz: float,
        offset_s: float,
        sigma: float,
        matrix: np.ndarray,
        fixed: Sequence[int] = (DRIFT, K1, K2, READOUT),
        lenses: Lenses | None = None,
    ) -> None:
        """matrix: spike point -> video point, about. lenses: of both planes, which are known."""
        self.lenses = lenses or Lenses()
        footage = fields.footage
        self.video_size, self.spike_size = footage.size, spike_size
        self.counts, self.sigma = counts, sigma
        self.free = [number for number in range(UNKNOWNS) if number not in fixed]
        bursts = footage.bursts
        self.interval = footage.interval_s * rate_hz
        middles = self.middles_s = np.concatenate([burst.middles_s for burst in bursts])
        self.ticks = (middles - offset_s) * rate_hz
        self.since = (middles - middles.mean()) / footage.interval_s
        self.owner = np.repeat(np.arange(len(bursts)), [len(burst.light) for burst in bursts])
        self._place_pixels(counts[0].block)
        self.fields = fields.blurred(matrix, counts[0].block)

    def _place_pixels(self, block: int) -> None:
        height, width = self.counts[0].planes.shape[1:]
        x, y = (np.arange(width) + 0.5) * block, (np.arange(height) + 0.5) * block
        ones = np.ones((height, width))
        x, y = ones * x, ones * y[:, None]
        if self.lenses.spikes is not None:
            x, y, shown = straight(self.lenses.spikes, x, y)
            x, y = np.where(shown, x, UNSEEN), np.where(shown, y, UNSEEN)
        self.points = np.stack([x, y, ones]).reshape(3, -1)
        rows, columns = np.indices((height, width))
        self.white = torch.from_numpy(((rows + columns) % 2).astype(np.float32))
        tile = (rows * TILES // height) * TILES + columns * TILES // width
        self.tile = torch.from_numpy(tile.ravel())
        self.shape = height, width
        self.blur = Blur(self.shape, (self.sigma,) * 2)
        self.widely = Blur(self.shape, (SUPPORT * self.sigma,) * 2)

    def step(self, state: State) -> Step:
        """One Gauss-Newton step from `state`."""
        both = self._compared(state)
        if int(both.weights.any(dim=1).sum()) < FEWEST_FRAMES:
            return Step.none()
        basis, mean = both.basis, both.rates[:, 0].mean(dim=0)
        weights, spread, fit = robust_weights(
            mean, basis.mean(dim=0), both.weights, self.shape, self.widely
        )
        displaced, radial, parts = (
            torch.from_numpy(basis.astype(np.float32))
            for basis in (
                displacement_basis(both.where, self.video_size),
                radial_basis(both.where, self.video_size),
                self._parts(both.where),
            )
        )
        size = len(self.free)
        information, tiles = np.zeros((size, size)), torch.zeros(TILES * TILES, size)
        for frame, tone in enumerate(fit.tolist()):
            columns = self._derivatives(state, both, frame, tone, displaced, radial, parts)
            columns = columns[..., self.free]
            product, scores = normal_equations(
                columns, both.rates[:, 0, frame], basis[:, frame], weights[frame]
            )
            information += product.double().numpy()
            tiles.index_add_(0, self.tile, scores)
        fitted = (basis.mean(dim=0) @ fit[..., None])[..., 0]
        return Step.solved(
            self.free,
            information,
            tiles.double().numpy(),
            spread * 4 * self.sigma,
            correlation_of(mean, fitted, weights),
            int(weights.any(dim=1).sum()),
        )

    def terms(self, state: State) -> np.ndarray:
        """What each frame adds to the correlation, (F, 3), see `correlation_terms`."""
        both = self._compared(state)
        basis, mean = both.basis.mean(dim=0), both.rates[:, 0].mean(dim=0)
        *_, fit = robust_weights(mean, basis, both.weights, self.shape, self.widely)
        return np.asarray(correlation_terms(mean, (basis @ fit[..., None])[..., 0], both.weights))

    def _compared(self, state: State) -> Compared:
        where = self._seen_at(state)
        video, seen = sample_fields(self.fields, where, self.video_size, self.shape)
        rates, clear = self._spikes(state, where)
        weights = (clear & seen).float()
        root = video[:1].clamp(min=DARK).sqrt()
        halves = self._halves(torch.cat([rates, video, root]), weights)
        tones = halves[:, [3, 6]]
        softer = self._laplacian(tones.mean(dim=0))
        return Compared(
            halves[:, :3],
            tones + state.softness * softer,
            softer,
            halves[:, 4:6].mean(dim=0),
            weights.flatten(1),
            where,
        )

    def _seen_at(self, state: State) -> np.ndarray:
        """Where the video's lens shows the points, (2, P)."""
        where = state.placed(self.points)
        lens = self.lenses.video or guessed_lens(state.radial, self.video_size)
        if lens is None:
            return where
        x, y, shown = bent(lens, *where)
        return np.stack([np.where(shown, x, UNSEEN), np.where(shown, y, UNSEEN)])

    def _derivatives(
        self,
        state: State,
        both: Compared,
        frame: int,
        tone: Sequence[float],
        displaced: torch.Tensor,
        radial: torch.Tensor,
        parts: torch.Tensor,
    ) -> torch.Tensor:
        """Of a frame's fitted rates (less the spikes'), by the unknowns: (2, P, 15).

        displaced, radial: video pixels by the numbers of the homography, and of the lens. parts:
        of the frame's height below its middle, (P,).
        """
        _, linear, rooted = tone
        columns = torch.empty(2, displaced.shape[1], UNKNOWNS)
        root = both.tones[:, 1, frame].mean(dim=0).clamp(min=DARK**0.5)
        steepness = (linear + rooted / (2 * root)).clamp(min=0)
        across, down = (steepness * both.slopes[:, frame])[..., None]
        columns[..., :GEOMETRY] = across * displaced[0] + down * displaced[1]
        rate, opening, closing = both.rates[:, :, frame].unbind(dim=1)
        columns[..., TIME] = (closing - opening) / state.exposure
        columns[..., EXPOSURE] = (rate - (closing + opening) / 2) / state.exposure
        columns[..., SOFTNESS] = linear * both.softer[0, frame] + rooted * both.softer[1, frame]
        columns[..., DRIFT] = columns[..., TIME] * float(self.since[frame])
        columns[..., K1 : K2 + 1] = across * radial[0] + down * radial[1]
        columns[..., READOUT] = -columns[..., TIME] * parts
        return columns

    def _parts(self, where: np.ndarray) -> np.ndarray:
        """Which part of the frame's height points (2, P) lie below its middle, within the frame."""
        parts: np.ndarray = np.clip(where[1] / self.video_size[1], 0, 1) - 0.5
        return parts

    def _halves(self, planes: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        """Planes (A, F, h, w), blurred from their black and from their white squares: (2, A, F, P).

        Spikes and video alike, from the same samples only, so that what is missing between the
        squares is missing from both.
        """
        halves = []
        for squares in (1 - self.white, self.white):
            there = weights * squares
            halves.append((self.blur(planes * there) / self.blur(there).clamp(min=1e-3)).flatten(2))
        return torch.stack(halves)

    def _spikes(self, state: State, where: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
        """Rates (3, F, h, w) in spikes per tick, and which of them can be used, (F, h, w).

        Over the exposure, at its opening, at its closing. where: the points in the video, (2, P).
        """
        late = None
        if state.readout:
            late = state.readout * self.interval * self._parts(where).reshape(self.shape)
        middle = self.ticks - (state.lag + state.drift * self.since) * self.interval
        length = state.exposure * self.interval
        frames, usable = [], []
        for which, tick in zip(self.owner.tolist(), middle.tolist(), strict=True):
            counts = self.counts[which]
            delta = max(self.interval / SHARE_OF_RATE, counts.step)
            first, last = tick - length / 2, tick + length / 2
            at = np.array([first - delta, first, first + delta, last - delta, last, last + delta])
            planes = counts.at(at) if late is None else counts.at_pixels(at[:, None, None] + late)
            frames.append(
                torch.stack(
                    [
                        (planes[4] - planes[1]) / length,
                        (planes[2] - planes[0]) / (2 * delta),
                        (planes[5] - planes[3]) / (2 * delta),
                    ]
                )
            )
            most = abs(state.readout) * self.interval / 2
            usable.append(bool(counts.covers(at[:1] - most, at[-1:] + most)[0]))
        rates = torch.stack(frames, dim=1)
        bright = (rates.amax(dim=0) > SATURATED).float()
        clear = self.widely(bright) < SPOILT
        return rates, clear & torch.tensor(usable)[:, None, None]

    def _laplacian(self, light: torch.Tensor) -> torch.Tensor:
        """Half the Laplacian of (..., P), per spike sample squared: what a unit of blur adds."""
        plane = light.reshape(-1, 1, *self.shape)
        kernel = torch.tensor([[0.0, 1, 0], [1, -4, 1], [0, 1, 0]])[None, None] / 2
        padded = F.pad(plane, (1, 1, 1, 1), mode="replicate")
        return F.conv2d(padded, kernel).view_as(light)

    def seen_s(self, state: State) -> float:
        """The middle of a frame's interval, of one amid those that have spikes, seconds."""
        covered = self._spikes(state, self._seen_at(state))[1].any(dim=2).any(dim=1)
        return float(self.middles_s[np.flatnonzero(covered.numpy())[int(covered.sum()) // 2]])

    def place_error(self, state: State, step: Step) -> float:
        """Standard error of the homography, video pixels, root mean square over what both see."""
        where = state.placed(self.points)
        inside = ((where > 0) & (where < np.array(self.video_size)[:, None])).all(axis=0)
        basis = displacement_basis(where[:, inside], self.video_size)
        covariance = step.covariance[:GEOMETRY, :GEOMETRY]
        variance = np.einsum("cpi,ij,cpj->p", basis, covariance, basis)
        return float(np.sqrt(max(variance.mean(), 0)))

    def refine(self, state: State, iterations: int) -> tuple[State, Step]:
        """Gauss-Newton until it stands still; the last step is the one not taken."""
        *_, last = self._walk(state, iterations)
        return last

    def likeliest(self, state: State, iterations: int) -> tuple[State, Step]:
        """The most alike of all states that Gauss-Newton comes by, and the step from there.

        A picture too coarse to tell lag and exposure leads it away from what was nearly right.
        """
        return max(self._walk(state, iterations), key=lambda each: each[1].correlation)

    def _walk(self, state: State, iterations: int) -> Iterator[tuple[State, Step]]:
        """States, each with the step from it, which leads to the next."""
        for _ in range(iterations):
            step = self.step(state)
            yield state, step
            if step.frames == 0 or step.tiny:
                return
            state = state.moved(bounded(step.delta), self.video_size)
        yield state, self.step(state)
