"""Plots as SVG of a few shapes each: quality against speed, and lines."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

COLOURS = ("#2f6fde", "#e07b00", "#0a9d6c", "#c2327f", "#7a4fd6", "#0b93a8", "#7c9a12", "#cf3b2e")
WIDTH, HEIGHT = 640, 380
LEFT, RIGHT, TOP, BOTTOM = 58, 24, 18, 50
LINE_HEIGHT = 15
LETTER = 8.0  # width of a letter of a name at most, on average
RADIUS, BESIDE = 8, 12  # of a point with its rim; from its middle to its name
LOGARITHMIC_DIGITS = (
    (1,),
    (1, 2, 5),
    (1, 2, 3, 4, 6, 8),
    (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 7, 8, 9),
)


@dataclass(frozen=True)
class Point:
    """A method: seconds a frame (median, least, most) and its quality."""

    name: str
    colour: str
    seconds: float
    least: float
    most: float
    quality: float


@dataclass(frozen=True)
class Line:
    """A method: its places, from left to right."""

    name: str
    colour: str
    places: Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Box:
    """A part of the plot that something covers, in pixels."""

    left: float
    right: float
    top: float
    bottom: float

    def meets(self, other: Box) -> bool:
        """Return whether the two lie on one another."""
        return (
            self.left < other.right
            and other.left < self.right
            and self.top < other.bottom
            and other.top < self.bottom
        )


@dataclass(frozen=True)
class Scale:
    """Values from low to high along [start, stop] in pixels, evenly or by their logarithm."""

    low: float
    high: float
    start: float
    stop: float
    logarithmic: bool = False

    @classmethod
    def around(
        cls,
        values: Sequence[float],
        start: float,
        stop: float,
        *,
        logarithmic: bool = False,
        margin: float = 0.08,
    ) -> Scale:
        """An axis on which `values` fit with some room at both ends."""
        if logarithmic:
            room = max(10 ** (margin * math.log10(max(values) / min(values))), 1.3)
            return cls(min(values) / room, max(values) * room, start, stop, True)
        room = max(margin * (max(values) - min(values)), 1e-6 + 0.01 * abs(max(values)))
        return cls(min(values) - room, max(values) + room, start, stop)

    def at(self, value: float) -> float:
        """The pixel of a value."""
        scale: Callable[[float], float] = math.log10 if self.logarithmic else float
        share = (scale(value) - scale(self.low)) / (scale(self.high) - scale(self.low))
        return round(self.start + share * (self.stop - self.start), 1)

    def ticks(self) -> list[float]:
        """Round values inside, some four to eight."""
        if self.logarithmic:
            decades = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
            found: list[float] = []
            for digits in LOGARITHMIC_DIGITS:
                found = [
                    digit * 10.0**decade
                    for decade in decades
                    for digit in digits
                    if self.low <= digit * 10.0**decade <= self.high
                ]
                if len(found) >= 4:
                    break
            return found
        rough = (self.high - self.low) / 5
        decade = 10 ** math.floor(math.log10(rough))
        step = min((digit * decade for digit in (1, 2, 5, 10)), key=lambda each: abs(each - rough))
        first = math.ceil(self.low / step)
        return [number * step for number in range(first, math.floor(self.high / step) + 1)]


def quality_against_speed(points: Sequence[Point], baseline: float | None) -> str:
    """Each method's PSNR over its seconds a frame, whiskers over the runs; blurry as a line."""
    x = Scale.around(
        [value for point in points for value in (point.least, point.most)],
        LEFT,
        WIDTH - RIGHT,
        logarithmic=True,
        margin=0.15,
    )
    qualities = [point.quality for point in points]
    y = Scale.around(
        [*qualities, *([] if baseline is None else [baseline])], HEIGHT - BOTTOM, TOP, margin=0.15
    )
    parts = [_frame(x, y, "seconds a frame", "PSNR, dB")]
    if baseline is not None:
        parts.append(
            f'<line class="baseline" x1="{LEFT}" x2="{WIDTH - RIGHT}" '
            f'y1="{y.at(baseline)}" y2="{y.at(baseline)}"/>'
            + _text(LEFT + 6, y.at(baseline) - 6, f"blurry {baseline:.2f}")
        )
    places = [(x.at(point.seconds), y.at(point.quality)) for point in points]
    taken = [
        Box(across - RADIUS, across + RADIUS, down - RADIUS, down + RADIUS)
        for across, down in places
    ]
    for point, (across, down) in zip(points, places, strict=True):
        words = f"{point.name}  {point.quality:.2f}"
        box, anchor = _room_for(words, across, down, taken)
        taken.append(box)
        parts.append(
            f'<line class="whisker" stroke="{point.colour}" x1="{x.at(point.least)}" '
            f'x2="{x.at(point.most)}" y1="{down}" y2="{down}"/>'
            f'<circle class="point" fill="{point.colour}" cx="{across}" cy="{down}" r="6">'
            f"<title>{escape(words)} dB, {point.seconds:.3g} s</title></circle>"
            + _text(
                box.left if anchor == "start" else box.right,
                box.bottom - 4,
                words,
                anchor=anchor,
                kind="name",
            )
        )
    return _svg(parts, "PSNR of each method over its seconds a frame")


def _room_for(words: str, across: float, down: float, taken: Sequence[Box]) -> tuple[Box, str]:
    """Find room for the name of a point, right or left of it, with its anchor there.

    As near to its height as what is taken allows; on the point's height if there is no room at all.
    """
    width = LETTER * len(words)
    sides = {"start": across + BESIDE, "end": across - BESIDE - width}
    usual = "start" if across < (LEFT + WIDTH) / 2 else "end"
    steps = sorted(range(-8, 9), key=lambda step: (abs(step), step))
    for step in steps:
        middle = down + step * LINE_HEIGHT
        for anchor in (usual, *(sides.keys() - {usual})):
            box = Box(
                sides[anchor],
                sides[anchor] + width,
                middle - LINE_HEIGHT / 2,
                middle + LINE_HEIGHT / 2,
            )
            inside = (
                box.left > LEFT
                and box.right < WIDTH
                and box.top > 0
                and box.bottom < HEIGHT - BOTTOM
            )
            if inside and not any(box.meets(other) for other in taken):
                return box, anchor
    return Box(
        sides[usual], sides[usual] + width, down - LINE_HEIGHT / 2, down + LINE_HEIGHT / 2
    ), usual


def lines(drawn: Sequence[Line], x_title: str, y_title: str, *, logarithmic: bool = False) -> str:
    """Lines with their names at the right end; `logarithmic` is for both axes."""
    places = [place for line in drawn for place in line.places]
    stop = WIDTH - RIGHT - 90
    x = Scale.around(
        [across for across, _ in places], LEFT, stop, logarithmic=logarithmic, margin=0.02
    )
    y = Scale.around([value for _, value in places], HEIGHT - BOTTOM, TOP, logarithmic=logarithmic)
    parts = [_frame(x, y, x_title, y_title)]
    ends = _apart([y.at(line.places[-1][1]) for line in drawn])
    for line, end in zip(drawn, ends, strict=True):
        path = " ".join(f"{x.at(across)},{y.at(value)}" for across, value in line.places)
        dots = "".join(
            f'<circle fill="{line.colour}" cx="{x.at(across)}" cy="{y.at(value)}" '
            f'r="2.6"><title>{escape(line.name)}: {value:.4g}</title></circle>'
            for across, value in line.places
        )
        parts.append(
            f'<polyline fill="none" stroke="{line.colour}" points="{path}"/>{dots}'
            + _text(stop + 8, end + 4, line.name, kind="name")
        )
    return _svg(parts, f"{y_title} over {x_title}")


def _frame(x: Scale, y: Scale, x_title: str, y_title: str) -> str:
    """Grid, numbers and titles of both axes."""
    parts = []
    for value in x.ticks():
        parts.append(
            f'<line class="grid" x1="{x.at(value)}" x2="{x.at(value)}" y1="{TOP}" '
            f'y2="{HEIGHT - BOTTOM}"/>'
            + _text(x.at(value), HEIGHT - BOTTOM + 18, f"{value:g}", anchor="middle")
        )
    for value in y.ticks():
        parts.append(
            f'<line class="grid" x1="{LEFT}" x2="{x.stop}" y1="{y.at(value)}" '
            f'y2="{y.at(value)}"/>'
            + _text(LEFT - 8, y.at(value) + 4, f"{round(value, 6):g}", anchor="end")
        )
    middle = (TOP + HEIGHT - BOTTOM) / 2
    return "".join(
        [
            *parts,
            _text((LEFT + x.stop) / 2, HEIGHT - 10, x_title, anchor="middle"),
            f'<text text-anchor="middle" transform="translate(14,{middle}) rotate(-90)">'
            f"{escape(y_title)}</text>",
        ]
    )


def _apart(heights: Sequence[float]) -> list[float]:
    """The heights, moved down where names would lie on one another."""
    moved = list(heights)
    last = -math.inf
    for index in sorted(range(len(moved)), key=lambda each: moved[each]):
        moved[index] = last = max(moved[index], last + LINE_HEIGHT)
    return moved


def _text(x: float, y: float, words: str, *, anchor: str = "start", kind: str = "number") -> str:
    return (
        f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">'
        f"{escape(words)}</text>"
    )


def _svg(parts: Sequence[str], title: str) -> str:
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}">'
        f"{''.join(parts)}</svg>"
    )
