"""The page: tables, plots and pictures of one benchmark, written by hand in HTML and SVG."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from html import escape
from importlib import resources
from typing import Any

import numpy as np

from spikedeblur.benchmarking.columns import (
    COST_COLUMNS,
    GROWTH_COLUMNS,
    MEANS_COLUMNS,
    PASS_COLUMNS,
    QUALITY_COLUMNS,
    Column,
    Row,
    cell,
    of_groups,
    telling,
)
from spikedeblur.io.image_files import png_bytes
from spikedeblur.report.gallery import SHARP, SPIKES, Shots
from spikedeblur.report.names import Names
from spikedeblur.report.plots import Line, Point, lines, quality_against_speed
from spikedeblur.vocabulary import BLURRY

POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'"
HINT = (
    "Of each case, the part of the frame that is blurred most. Click on the large picture, or "
    "press the arrow keys, to flip from blurry over the spikes and every method to sharp. Each "
    "PSNR is that of the whole frame."
)
WORDS = {BLURRY: "as the camera saw it", SHARP: "the truth", SPIKES: "⅛ of the exposure"}


def render(found: Mapping[str, Any], shots: Sequence[Shots] = (), left_out: int = 0) -> str:
    """The whole page of a benchmark, which refers to nothing outside itself.

    found: the object of `benchmark --json`; the page holds it too, for programs. shots: pictures.
    left_out: cases that have no pictures for want of space.
    """
    rows = found["cases"]
    names = Names.of(rows)
    body = [_head(found), _plots(found, names)]
    if shots:
        body.append(
            _section(
                "Pictures",
                f'<p class="hint">{HINT}</p>'
                + "".join(_pictures(number, each, rows, names) for number, each in enumerate(shots))
                + (f"<p>{left_out} more cases without pictures.</p>" if left_out else ""),
            )
        )
    body += [_tables(found, names), _settings(found), _data(found)]
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>spikedeblur benchmark</title>\n<style>\n{_asset('page.css')}</style>\n"
        f"</head>\n<body>\n<main>\n{''.join(body)}</main>\n"
        f"<script>\n{_asset('page.js')}</script>\n</body>\n</html>\n"
    )


def _head(found: Mapping[str, Any]) -> str:
    machine = found["machine"]
    parts = [
        machine["processor"],
        f"{machine['cores']} cores",
        machine["gpu"],
        f"spikedeblur {machine['spikedeblur']}",
        f"torch {machine['torch']}",
        found.get("settings", {}).get("date", "")[:10],
    ]
    words = " · ".join(escape(str(part)) for part in parts if part)
    return f"<header><h1>spikedeblur benchmark</h1><p>{words}</p></header>\n"


def _plots(found: Mapping[str, Any], names: Names) -> str:
    """Quality against speed for each group, or speed against size where nothing was compared."""
    scopes = [(row["group"] or "all cases", row) for row in found.get("means", ())]
    if not scopes:
        scopes = [(row["case"], row) for row in found["cases"]]
    figures = []
    for name in dict.fromkeys(name for name, _ in scopes):
        rows = [row for scope, row in scopes if scope == name and row.get("psnr") is not None]
        methods = [row for row in rows if row["method"] != BLURRY and row["seconds_per_frame"]]
        if methods:
            baseline = next((row["psnr"] for row in rows if row["method"] == BLURRY), None)
            points = [_point(row, names) for row in methods]
            figures.append(_figure(quality_against_speed(points, baseline), name))
    if figures:
        return _section("Quality against speed", f'<div class="plots">{"".join(figures)}</div>')
    drawn = _speed_lines(found["cases"], names)
    if any(len(line.places) > 1 for line in drawn):
        plot = lines(drawn, "megapixels", "seconds a frame", logarithmic=True)
        return _section(
            "Speed against size", f'<div class="plots">{_figure(plot, "made-up frames")}</div>'
        )
    return ""


def _point(row: Row, names: Names) -> Point:
    seconds = max(row["seconds_per_frame"], 1e-6)
    return Point(
        names.label(row),
        names.colour(row),
        seconds,
        max(row.get("seconds_per_frame_min") or seconds, 1e-6),
        row.get("seconds_per_frame_max") or seconds,
        row["psnr"],
    )


def _speed_lines(rows: Sequence[Row], names: Names) -> list[Line]:
    """A line for each method and setting over the sizes of frames."""
    found: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for row in rows:
        width, _, height = row["case"].partition("x")
        if row.get("seconds_per_frame") and width.isdigit() and height.isdigit():
            found.setdefault((names.label(row), names.colour(row)), []).append(
                (int(width) * int(height) / 1e6, row["seconds_per_frame"])
            )
    return [Line(*name, sorted(places)) for name, places in found.items()]


def _tables(found: Mapping[str, Any], names: Names) -> str:
    rows = found["cases"]
    alone = any("network" in row for row in rows)
    tables = ""
    if means := of_groups(found.get("means", ())):
        tables += _section(
            "Means over cases", _table("means", means, telling(MEANS_COLUMNS, means), names)
        )
    if alone:
        return tables + _section(
            "One pass of the network", _table("passes", rows, PASS_COLUMNS, names)
        )
    if any(row["psnr"] is not None for row in rows):
        tables += _section(
            "Quality", _table("quality", rows, telling(QUALITY_COLUMNS[:12], rows), names)
        )
    tables += _section(
        "Speed and memory", _table("speed", rows, telling(COST_COLUMNS, rows), names)
    )
    if growth := found.get("growth"):
        tables += _section(
            "Time grows as pixels to the power of",
            _table("growth", growth, telling(GROWTH_COLUMNS, growth), names),
        )
    return tables


def _table(name: str, rows: Sequence[Row], columns: Sequence[Column], names: Names) -> str:
    head = "".join(f"<th{_side(column)}>{escape(column[0])}</th>" for column in columns)
    body = "".join(
        "<tr>"
        + "".join(
            f'<td{_side(column)} data-field="{column[1]}">{_dot(row, column, names)}'
            f"{escape(cell(row, column))}</td>"
            for column in columns
        )
        + "</tr>\n"
        for row in rows
    )
    return (
        f'<div class="wide"><table id="{name}"><thead><tr>{head}</tr></thead>\n'
        f"<tbody>{body}</tbody></table></div>"
    )


def _side(column: Column) -> str:
    return ' class="figure"' if column[2] else ""


def _dot(row: Row, column: Column, names: Names) -> str:
    if column[1] != "method":
        return ""
    return f'<i class="dot" style="background:{names.colour(row)}"></i>'


def _pictures(number: int, shots: Shots, rows: Sequence[Row], names: Names) -> str:
    """A large picture that is flipped by the small ones below it."""
    case = shots.case
    of_case = {
        row["method"]: row
        for row in reversed(rows)
        if (row["case"], row["group"]) == (case.name, case.group)
    }
    inputs, large, small = [], [], []
    for place, (name, rgb) in enumerate(shots.crops.items()):
        source = picture_uri(rgb)
        key = f"flip-{number}-{place}"
        checked = " checked" if place == 0 else ""
        note = WORDS.get(name, "")
        if name in of_case:
            note = f"{of_case[name]['psnr_of_frames'][shots.frame]:.2f} dB"
        words = f"<b>{escape(name)}</b> <span>{escape(note)}</span>"
        inputs.append(f'<input type="radio" name="flip-{number}" id="{key}"{checked}>')
        large.append(f'<img src="{source}" alt="{escape(name)}">')
        small.append(f'<label for="{key}"><img src="{source}" alt="">{words}</label>')
    title = escape(f"{case.group}/{case.name}" if case.group else case.name)
    box, (width, height) = shots.box, shots.size
    place_in_frame = (
        f"left:{box.left / width:.2%};top:{box.top / height:.2%};"
        f"width:{box.width / width:.2%};height:{box.height / height:.2%}"
    )
    curves = [
        Line(method, names.colour(row), list(enumerate(row["psnr_of_frames"])))
        for method, row in of_case.items()
        if row["psnr_of_frames"]
    ]
    plot = _figure(lines(curves[::-1], "frame", "PSNR, dB"), "PSNR of every frame")
    return (
        f"<article><h3>{title}, frame {shots.frame}</h3>\n"
        f'<div class="flip">{"".join(inputs)}<div class="stage">{"".join(large)}</div>'
        f'<div class="strip">{"".join(small)}</div></div>\n'
        f'<div class="beside"><figure class="whole"><div><img alt="the whole blurry frame" '
        f'src="{picture_uri(shots.overview)}"><i style="{place_in_frame}"></i></div>'
        f"<figcaption>where it is in the frame: {box.width}x{box.height} of {width}x{height} "
        f"pixels</figcaption></figure>{plot}</div></article>\n"
    )


def picture_uri(rgb: np.ndarray) -> str:
    """(h, w, 3) uint8 -> a PNG inside a URI."""
    return f"data:image/png;base64,{base64.b64encode(png_bytes(rgb)).decode('ascii')}"


def _settings(found: Mapping[str, Any]) -> str:
    terms = [
        (name, value)
        for part in ("machine", "settings")
        for name, value in found.get(part, {}).items()
        if value is not None
    ]
    words = "".join(
        f"<dt>{escape(name.replace('_', ' '))}</dt><dd>{escape(_plain(value))}</dd>"
        for name, value in terms
    )
    return _section("Machine and settings", f"<dl>{words}</dl>")


def _plain(value: Any) -> str:
    if isinstance(value, Mapping):
        return "; ".join(f"{name}: {_plain(each)}" for name, each in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _data(found: Mapping[str, Any]) -> str:
    """The figures themselves; `<` is written so that no text in them can end the element."""
    text = json.dumps(found, ensure_ascii=False, allow_nan=False).replace("<", "\\u003c")
    return f'<script type="application/json" id="benchmark">{text}</script>\n'


def _section(title: str, content: str) -> str:
    return f"<section><h2>{escape(title)}</h2>\n{content}</section>\n"


def _figure(plot: str, caption: str) -> str:
    return f"<figure>{plot}<figcaption>{escape(caption)}</figcaption></figure>"


def _asset(name: str) -> str:
    return (resources.files("spikedeblur") / "report" / name).read_text(encoding="utf-8")
