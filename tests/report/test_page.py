"""The report: it shows what was measured, all of it, and needs nothing else."""

from __future__ import annotations

import base64
import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from spikedeblur.benchmarking.cases import Case
from spikedeblur.cli.main import main
from spikedeblur.errors import InputError
from spikedeblur.io.image_files import read_image
from spikedeblur.io.video import create_video, open_video
from spikedeblur.io.video_info import VideoInfo
from spikedeblur.report.gallery import Gallery, most_blurred
from spikedeblur.report.names import Names
from spikedeblur.report.page import render
from spikedeblur.report.plots import COLOURS
from tests.recordings import frame_at

VOID = {"meta", "input", "img"}
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


class Page(HTMLParser):
    """Elements with their attributes, and the text of table cells; fails on what is not closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.rows: list[dict[str, str]] = []
        self.texts: list[str] = []
        self._open: list[str] = []
        self._field: str | None = None
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag, attributes):
        found = {name: value or "" for name, value in attributes}
        self.elements.append((tag, found))
        if tag not in VOID and not self.get_starttag_text().endswith("/>"):
            self._open.append(tag)
        if tag == "tr":
            self.rows.append({})
        self._field = found.get("data-field") if tag == "td" else self._field

    def handle_startendtag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self._open.pop() == tag
        if tag == "td":
            self._field = None

    def handle_data(self, data):
        self.texts.append(data)
        if self._field:
            self.rows[-1][self._field] = self.rows[-1].get(self._field, "") + data

    def all(self, tag: str, **attributes: str) -> list[dict[str, str]]:
        return [
            found
            for name, found in self.elements
            if name == tag and all(found.get(key) == value for key, value in attributes.items())
        ]


@pytest.fixture(scope="module")
def made(tmp_path_factory, recording) -> tuple[str, dict]:
    """The text of a page, and the JSON that was printed with it."""
    page = tmp_path_factory.mktemp("report") / "page.html"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPIKEDEBLUR_BENCHMARK_ISOLATE", "0")
        printed: list[dict] = []
        patch.setattr(
            "spikedeblur.cli.console.Console.json",
            lambda console, value: printed.append(json.loads(json.dumps(value))),
        )
        assert (
            main(
                [
                    "benchmark",
                    str(recording.folder),
                    "--methods",
                    "blurry,sdm,tfp:0.5",
                    "--json",
                    "--html",
                    str(page),
                ]
            )
            == 0
        )
    return page.read_text(encoding="utf-8"), printed[0]


def test_it_refers_to_nothing_outside(made):
    text, _ = made
    page = Page(text)
    for _, attributes in page.elements:
        for name in ("src", "href", "srcset", "data", "action", "xlink:href"):
            assert attributes.get(name, "data:").startswith("data:")
    assert page.all("link") == [] and "@import" not in text and "url(" not in text
    assert "http:" not in text and "https:" not in text
    [policy] = page.all("meta", **{"http-equiv": "Content-Security-Policy"})
    assert policy["content"].startswith("default-src 'none'")


def test_its_figures_are_those_of_the_json(made):
    text, found = made
    digits = {
        "psnr": 2,
        "ssim": 4,
        "psnr_y": 2,
        "ssim_y": 4,
        "temporal": 4,
        "seconds_per_frame": 3,
        "seconds_per_frame_min": 3,
        "seconds_per_frame_max": 3,
        "frames_per_second": 2,
        "first_frame_seconds": 2,
        "load_seconds": 2,
        "warm_up_seconds": 2,
        "peak_rss_mb": 0,
        "peak_growth_mb": 0,
        "frames": 0,
        "runs": 0,
    }
    shown = [row for row in Page(text).rows if row]
    assert len(shown) == 2 * len(found["cases"]) == 6
    assert {field for row in shown for field in row} == {"case", "method", *digits}
    for cells, row in zip(shown, found["cases"] * 2, strict=True):
        assert (cells["case"], cells["method"]) == (row["case"], row["method"])
        for field in digits.keys() & cells.keys():
            rounding = 0.5001 * 10.0 ** -digits[field]
            assert float(cells[field]) == pytest.approx(row[field], abs=rounding)
    data = re.search(r'<script type="application/json" id="benchmark">(.*?)</script>', text)[1]
    assert json.loads(data) == found


def test_every_method_has_a_picture_to_flip_and_a_point(made):
    text, found = made
    page = Page(text)
    names = ["blurry", "spikes", "sdm", "tfp:0.5", "sharp"]
    assert [image["alt"] for image in page.all("img") if image["alt"] in names] == names
    assert len(page.all("input", type="radio")) == len(page.all("label")) == len(names)
    assert {label["for"] for label in page.all("label")} == {
        radio["id"] for radio in page.all("input")
    }
    assert len(page.all("circle", **{"class": "point"})) == 2
    assert all(f"{row['method']}  {row['psnr']:.2f}" in page.texts for row in found["cases"][1:])


def test_pictures_are_those_of_the_videos(made, recording, tmp_path):
    """The crop is the whole frame here, which is small; the frame is the most blurred one."""
    images = {image["alt"]: image["src"] for image in Page(made[0]).all("img")}

    def shown(name: str) -> np.ndarray:
        path = tmp_path / f"{name}.png"
        path.write_bytes(base64.b64decode(images[name].partition(",")[2]))
        return read_image(path)

    with open_video(recording.blurry) as blurry, open_video(recording.sharp) as sharp:
        pairs = [(one.rgb, other.rgb) for one, other in zip(blurry, sharp, strict=True)]
    worst = max(pairs, key=lambda pair: np.square(pair[0] / 255 - pair[1] / 255).mean())
    np.testing.assert_array_equal(shown("blurry"), worst[0])
    np.testing.assert_array_equal(shown("sharp"), worst[1])
    spikes = shown("spikes")
    assert (spikes == spikes[..., :1]).all() and spikes.std() > 10


def test_the_crop_lies_where_the_error_is():
    sharp = np.zeros((400, 600, 3), np.uint8)
    blurry = sharp.copy()
    blurry[250:280, 450:500] = 255
    box = most_blurred(blurry, sharp)
    assert (box.width, box.height) == (200, 133)
    assert box.left <= 450 and box.left + 200 >= 500
    assert box.top <= 250 and box.top + 133 >= 280
    assert (box.of(blurry) == 255).sum() == (blurry == 255).sum()


def test_only_so_many_cases_have_pictures(recording, monkeypatch):
    monkeypatch.setattr("spikedeblur.report.gallery.MOST_CASES", 1)
    case = Case.of_folder(recording.folder)
    gallery = Gallery(
        [
            case,
            Case("other", "", case.blurry, case.spikes, case.sharp),
            Case("untrue", "", case.blurry, case.spikes, None),
        ]
    )
    assert [shots.case.name for shots in gallery.shots] == [case.name] and gallery.left_out == 1


def test_what_cannot_be_compared_is_said(recording, tmp_path):
    case = Case.of_folder(recording.folder)
    with create_video(tmp_path / "sharp.mkv", VideoInfo.synthetic(16, 16, 50)) as writer:
        writer.write(frame_at(0, np.zeros((16, 16, 3), np.uint8)))
    with pytest.raises(InputError, match="differ in frames or size"):
        Gallery([Case("other", "", case.blurry, case.spikes, tmp_path / "sharp.mkv")])


def test_a_frame_without_spikes_has_no_picture_of_them(recording, tmp_path):
    """The spikes end with the first frame; the worst frame is another."""
    ticks = recording.spikes.stat().st_size // recording.frames
    for name in ("spikes.dat", "spikes.toml"):
        shutil.copy(recording.folder / name, tmp_path)
    (tmp_path / "spikes.dat").write_bytes(recording.spikes.read_bytes()[:ticks])
    [shots] = Gallery(
        [Case("a", "", recording.blurry, tmp_path / "spikes.dat", recording.sharp)]
    ).shots
    assert shots.frame > 0 and list(shots.crops) == ["blurry", "sharp"]


def test_names_cannot_break_the_page(made):
    _, found = made
    nasty = '</script><script>alert("1")</script>&'
    rows = [{**row, "case": nasty, "method": nasty} for row in found["cases"]]
    text = render({**found, "cases": rows, "settings": {nasty: nasty}})
    page = Page(text)
    assert len(page.all("script")) == len(Page(made[0]).all("script"))
    assert any(nasty in words for words in page.texts)


@pytest.mark.usefixtures("small_convolution")
def test_speed_over_size(tmp_path, monkeypatch):
    monkeypatch.setenv("SPIKEDEBLUR_BENCHMARK_ISOLATE", "0")
    assert (
        main(
            [
                "benchmark",
                "--speed",
                "--methods",
                "sdm",
                "--size",
                "64x48",
                "--size",
                "32x32",
                "--repeats",
                "1",
                "--html",
                str(tmp_path / "page.html"),
            ]
        )
        == 0
    )
    page = Page((tmp_path / "page.html").read_text(encoding="utf-8"))
    assert len(page.all("polyline")) == 1 and len(page.all("circle")) == 2
    assert len(page.all("table", id="growth")) == 1
    assert page.all("img") == []


def test_settings_that_differ_have_names_and_colours_of_their_own():
    rows = [
        {"method": "blurry"},
        {"method": "sdm", "threads": 1},
        {"method": "net", "threads": 1, "precision": "fp32", "tile": 64},
        {"method": "net", "threads": 1, "precision": "bf16", "tile": 64},
    ]
    names = Names.of(rows)
    assert [names.label(row) for row in rows] == ["blurry", "sdm", "net, fp32", "net, bf16"]
    assert len({names.colour(row) for row in rows}) == 4


def test_a_page_that_is_there_is_kept(tmp_path, recording, capsys):
    page = tmp_path / "page.html"
    page.write_text("mine")
    assert main(["benchmark", str(recording.folder), "--html", str(page)]) == 1
    assert "exists" in capsys.readouterr().err and page.read_text() == "mine"
    assert main(["benchmark", "--html", str(tmp_path / "no" / "page.html")]) == 1


def screenshot(text: str, folder: Path) -> np.ndarray:
    """The page as a browser without a network shows it, (H, W, 3)."""
    (folder / "page.html").write_text(text, encoding="utf-8")
    subprocess.run(
        [
            CHROMIUM,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--hide-scrollbars",
            "--host-resolver-rules=MAP * ~NOTFOUND",
            "--window-size=1000,2000",
            f"--user-data-dir={folder / 'profile'}",
            f"--screenshot={folder / 'page.png'}",
            (folder / "page.html").as_uri(),
        ],
        check=True,
        capture_output=True,
        timeout=240,
    )
    return read_image(folder / "page.png")


def likeness(seen: np.ndarray, picture: np.ndarray) -> float:
    """Share of the pixels of `picture`, 900 wide in the middle, at the best height of the page."""
    height, width = picture.shape[:2]
    cell = 900 / width
    across = (50 + (np.arange(width) + 0.5) * cell).astype(int)
    down = ((np.arange(height) + 0.5) * cell).astype(int)
    return max(
        float((seen[top + down][:, across] == picture).all(axis=-1).mean())
        for top in range(len(seen) - down[-1])
    )


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
def test_a_browser_shows_plots_and_pictures_and_flips_them(made, recording, tmp_path):
    text, _ = made
    images = {image["alt"]: image["src"] for image in Page(text).all("img")}
    pictures = {}
    for name in ("blurry", "sharp"):
        (tmp_path / "crop.png").write_bytes(base64.b64decode(images[name].partition(",")[2]))
        pictures[name] = read_image(tmp_path / "crop.png")
    seen = screenshot(text, tmp_path)
    colour = [int(COLOURS[0][place : place + 2], 16) for place in (1, 3, 5)]
    assert (seen == colour).all(axis=-1).sum() > 150  # the point, the dot, the line
    assert likeness(seen, pictures["blurry"]) > 0.9
    last = text.replace(" checked", "").replace('id="flip-0-4"', 'id="flip-0-4" checked')
    flipped = screenshot(last, tmp_path)
    assert likeness(flipped, pictures["sharp"]) > 0.9 > 0.3 > likeness(flipped, pictures["blurry"])
    broken = screenshot(text.replace("image/png;base64,", "image/png;base64,x"), tmp_path)
    assert likeness(broken, pictures["blurry"]) < 0.1
