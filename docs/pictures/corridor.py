"""The figure of docs/how-it-works.md as SVG: one frame on its way through the program.

It brings its own paper, so that it reads on a light page and on a dark one.
"""

from __future__ import annotations

import base64
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from spikedeblur.io.images import write_image

WIDTH, HEIGHT = 960, 590
PAPER, INK, SOFT = "#fdfcf8", "#23272e", "#6a7280"
VIDEO, SPIKES, BOTH = "#b4532a", "#17708f", "#5b4b8a"
LEFT, CELL, GAP = 40, 104, 6  # the strip of frames
FONT = "font-family='system-ui, Segoe UI, Helvetica, Arial, sans-serif'"


@dataclass(frozen=True)
class Stations:
    """What is shown on the way, pictures as (h, w, 3) uint8.

    strip: five blurry frames, the middle one is followed. planes: spikes of single ticks.
    bins: some of the 32. ticks: in the exposure. exposure: its part of the interval.
    """

    strip: list[np.ndarray]
    planes: list[np.ndarray]
    bins: list[np.ndarray]
    sharp: np.ndarray
    ticks: int
    exposure: float


def draw(stations: Stations) -> str:
    """The whole figure."""
    parts = [
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {WIDTH} {HEIGHT}' {FONT} "
        f"font-size='13' fill='{INK}'>",
        "<title>A frame and its spikes on their way through the program</title>",
        f"<rect width='{WIDTH}' height='{HEIGHT}' rx='14' fill='{PAPER}'/>",
        "<defs>",
        *(_kept(frame, number) for number, frame in enumerate(stations.strip)),
        "</defs>",
        *_frames(stations),
        *_ticks(stations),
        *_bins(stations),
        *_window(),
        *_network(),
        *_out(stations),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _frames(stations: Stations) -> list[str]:
    """Steps 1 and 2: the strip of frames, and the time the shutter was open for one of them."""
    parts = [_step(1, LEFT, 36, "frames of the video", VIDEO)]
    for place in range(5):
        x = LEFT + place * (CELL + GAP)
        parts.append(_again(place, x, 52, CELL))
        if place == 2:
            parts.append(_frame(x, 52, CELL, 58, VIDEO, 3))
    left, right = _shutter(stations)
    cell = LEFT + 2 * (CELL + GAP)
    parts.append(
        f"<path d='M{cell} 114 H{cell + CELL} L{right} 172 H{left} Z' fill='{VIDEO}' "
        "opacity='0.16'/>"
    )
    parts.append(_step(2, right + 14, 142, "its exposure, in seconds", VIDEO))
    return parts


def _shutter(stations: Stations) -> tuple[float, float]:
    """Where on the tick line the followed frame's exposure begins and ends."""
    interval = CELL + GAP
    begin = LEFT + 2 * interval + interval * (1 - stations.exposure) / 2
    return begin, begin + interval * stations.exposure


def _ticks(stations: Stations) -> list[str]:
    """Step 3: the line of ticks, those of the exposure marked, and what four of them hold."""
    left, right = _shutter(stations)
    end = LEFT + 5 * (CELL + GAP) - GAP
    lines = "".join(f"M{x} 174 V190 " for x in range(LEFT, end + 1, 3))
    inside = "".join(f"M{x} 170 V194 " for x in range(LEFT, end + 1, 3) if left <= x <= right)
    parts = [
        f"<path d='{lines}' stroke='{SOFT}' stroke-width='1' opacity='0.55'/>",
        f"<path d='{inside}' stroke='{SPIKES}' stroke-width='1.8'/>",
    ]
    for place, plane in enumerate(stations.planes):
        x = LEFT + 55 + place * (CELL + GAP)
        parts.append(
            f"<path d='M{left + (place + 0.5) * (right - left) / 4} 196 L{x + CELL / 2} "
            f"216' stroke='{SPIKES}' opacity='0.5'/>"
        )
        parts += [_picture(plane, x, 218, CELL, 58), _frame(x, 218, CELL, 58, SPIKES, 1)]
    parts.append(
        _step(3, LEFT, 302, f"its {stations.ticks} ticks of spikes: a plane of bits each", SPIKES)
    )
    return parts


def _bins(stations: Stations) -> list[str]:
    """Step 4: the voxel grid, a pile of pictures."""
    parts = [_step(4, 640, 36, "voxel grid: 32 bins of counts", SPIKES)]
    for place, counts in enumerate(stations.bins):
        x, y = 640 + place * 24, 52 + place * 22
        parts += [_picture(counts, x, y, 128, 72), _frame(x, y, 128, 72, SPIKES, 1)]
    parts.append(_arrow("M590 247 H680", SPIKES))
    return parts


def _window() -> list[str]:
    """Steps 5 and 6: the window of five frames with their grids, and the tiles over it."""
    top = 352
    parts = [
        f"<path d='M{LEFT} 326 H{WIDTH - LEFT}' stroke='{SOFT}' opacity='0.35'/>",
        _step(5, LEFT, top, "window: five frames", BOTH),
    ]
    for place in range(5):
        x, y = LEFT + place * 16, top + 16 + place * 14
        parts += [_again(place, x, y, 128), _frame(x, y, 128, 72, BOTH, 1)]
    parts.append(_step(6, 262, top, "overlapping tiles", BOTH))
    parts += [_again(2, 262, top + 34, 150), _arrow("M238 438 H256", BOTH)]
    for column in range(2):
        for row in range(2):
            parts.append(
                f"<rect x='{262 + column * 66}' y='{top + 34 + row * 34}' width='84' "
                f"height='50' fill='{PAPER}' fill-opacity='0.18' stroke='{BOTH}' "
                "stroke-width='1.6'/>"
            )
    return parts


def _network() -> list[str]:
    """Step 7: the pyramid of the frames, asked at each of its scales by that of the spikes."""
    top = 352
    parts = [_arrow("M420 438 H440", BOTH), _step(7, 450, top, "network", BOTH)]
    for scale in range(4):
        height, x = 64 - 14 * scale, 452 + 34 * scale
        for y, colour in ((top + 48, VIDEO), (top + 132, SPIKES)):
            parts.append(
                f"<rect x='{x}' y='{y - height / 2 + 8}' width='22' height='{height}' "
                f"rx='3' fill='{colour}' opacity='{0.9 - 0.12 * scale}'/>"
            )
        parts.append(
            _arrow(f"M{x + 11} {top + 140 - height / 2 - 2} V{top + 60 + height / 2}", SPIKES)
        )
    for scale in range(3):
        height, x = 36 + 14 * scale, 588 + 34 * scale
        parts.append(
            f"<rect x='{x}' y='{top + 56 - height / 2}' width='22' height='{height}' "
            f"rx='3' fill='{VIDEO}' opacity='{0.66 + 0.12 * scale}'/>"
        )
    parts += [
        _small(452, top + 190, "spikes: 3D convolutions,"),
        _small(452, top + 206, "attention along time"),
        _small(586, top + 116, "VRT; at each scale"),
        _small(586, top + 132, "it asks the spikes"),
        _small(586, top + 148, "(cross-attention)"),
    ]
    return parts


def _out(stations: Stations) -> list[str]:
    """Steps 8 and 9: what comes out."""
    top = 352
    return [
        _arrow("M692 408 H712", BOTH),
        _step(8, 720, top, "tiles and windows blended", BOTH),
        _picture(stations.sharp, 720, top + 16, 200, 112),
        _frame(720, top + 16, 200, 112, VIDEO, 2),
        _arrow(f"M820 {top + 132} V{top + 160}", VIDEO),
        _step(9, 720, top + 184, "the sharp video: the same", VIDEO),
        _small(746, top + 204, "time stamps, sound and tags", INK),
    ]


def _step(number: int, x: float, y: float, words: str, colour: str) -> str:
    return (
        f"<circle cx='{x + 9}' cy='{y - 5}' r='10' fill='{colour}'/>"
        f"<text x='{x + 9}' y='{y - 1}' fill='{PAPER}' font-size='12' font-weight='700' "
        f"text-anchor='middle'>{number}</text><text x='{x + 26}' y='{y}'>{words}</text>"
    )


def _small(x: float, y: float, words: str, colour: str = SOFT) -> str:
    return f"<text x='{x}' y='{y}' font-size='12' fill='{colour}'>{words}</text>"


def _arrow(path: str, colour: str) -> str:
    """A line whose end has a head; the last move of `path` is horizontal or vertical."""
    start, last = path[1:].split()[:2], path.split()[-1]
    x, y = (last[1:], start[1]) if last[0] == "H" else (start[0], last[1:])
    turn = 0 if last[0] == "H" else 90 if float(last[1:]) > float(start[1]) else -90
    return (
        f"<path d='{path}' stroke='{colour}' stroke-width='1.6' fill='none'/>"
        f"<path d='M2 0 L-6 -4 V4 Z' fill='{colour}' transform='translate({x} {y}) "
        f"rotate({turn})'/>"
    )


def _frame(x: float, y: float, width: float, height: float, colour: str, line: float) -> str:
    return (
        f"<rect x='{x}' y='{y}' width='{width}' height='{height}' fill='none' "
        f"stroke='{colour}' stroke-width='{line}'/>"
    )


def _kept(frame: np.ndarray, number: int) -> str:
    """A frame that is shown in several places, 128 wide."""
    return f"<g id='frame{number}'>{_picture(frame, 0, 0, 128, 72)}</g>"


def _again(number: int, x: float, y: float, width: float) -> str:
    return f"<use href='#frame{number}' transform='translate({x} {y}) scale({width / 128})'/>"


def _picture(rgb: np.ndarray, x: float, y: float, width: float, height: float) -> str:
    with tempfile.TemporaryDirectory() as folder:
        write_image(Path(folder) / "part.png", rgb)
        data = base64.b64encode((Path(folder) / "part.png").read_bytes()).decode()
    return (
        f"<image x='{x}' y='{y}' width='{width}' height='{height}' "
        f"preserveAspectRatio='none' href='data:image/png;base64,{data}'/>"
    )
