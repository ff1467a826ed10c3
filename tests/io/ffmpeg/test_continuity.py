"""Times that start again in the middle of a file, and rates that cannot be."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import pytest

from spikedeblur.io.ffmpeg.clock import rate_of
from spikedeblur.io.ffmpeg.continuity import Continuity
from spikedeblur.io.video import open_video
from tests.io.clips import Clip, frames_of, make_clip, packets_of, pass_through


@pytest.mark.parametrize("after", [".mp4", ".mkv"])
def test_recordings_joined_byte_by_byte_go_on(after: str, tmp_path: Path) -> None:
    once = make_clip(tmp_path, Clip(suffix=".ts", audio=True, times=tuple(range(0, 10 * 512, 512))))
    twice, target = tmp_path / "twice.ts", tmp_path / f"x{after}"
    twice.write_bytes(2 * once.read_bytes())
    warnings, _ = pass_through(twice, target)
    assert [each for each in warnings if "start again in the middle" in each and "(1)" in each]
    alone, joined = frames_of(once), frames_of(target)
    assert len(joined) == 2 * len(alone) == 20
    first = alone[0].time
    for number, frame in enumerate(joined):
        assert abs(frame.time - first - Fraction(number, 25)) <= Fraction(1, 1000)
    (sound,) = packets_of(target).values()
    (one,) = packets_of(once).values()
    for (data, *_), (old, *_) in zip(sound, 2 * one, strict=True):
        assert old.endswith(data)  # without the header that MPEG-TS needs before each
    steps = [after - before for (_, before, _), (_, after, _) in pairwise(sound)]
    assert all(abs(step - Fraction(1024, 48000)) <= Fraction(1, 900) for step in steps)


def test_disorder_is_no_new_beginning() -> None:
    line = Continuity(Fraction(1, 1000))
    stamps = [0, 40, 80, 60, 80, 120, 300, 260, 4000, 40, 80]
    moved = [line.moved(stamp) for stamp in stamps[:1]]
    taken = [line.note(moved[0], 40)]
    for stamp in stamps[1:]:
        moved.append(line.moved(stamp))
        taken.append(line.note(moved[-1], 40))
    assert moved == [*stamps[:-2], 4040, 4080]
    assert [stamp for stamp, new in zip(stamps, taken, strict=True) if not new] == [60, 80, 260]
    assert line.restarts == 1


@pytest.mark.parametrize(
    "average,highest,rate",
    [
        (60000, 25, 25),
        (25, 25, 25),
        (Fraction(30000, 1001), 30, Fraction(30000, 1001)),
        (12, 30, 12),
        (None, 24, 24),
        (50, None, 50),
        (None, None, 25),
    ],
)
def test_an_average_above_the_highest_rate_is_not_believed(
    average: Fraction | None, highest: Fraction | None, rate: Fraction
) -> None:
    """As FFmpeg says of DV: 60,000 frames a second on average, 25 at most."""
    stream = SimpleNamespace(average_rate=average, guessed_rate=highest)
    assert rate_of(stream) == rate  # type: ignore[arg-type]


@pytest.mark.parametrize("codec,suffix", [("mpeg1video", ".m1v"), ("mpeg2video", ".m2v")])
def test_raw_mpeg_streams_are_counted(codec: str, suffix: str, tmp_path: Path) -> None:
    """Their demuxer gives times to some packets only, and those of the wrong frames."""
    source = make_clip(
        tmp_path,
        Clip(
            suffix=suffix,
            codec=codec,
            time_base=Fraction(1, 25),
            times=tuple(range(9)),
            options={"bf": "2"},
        ),
    )
    with open_video(source) as reader:
        assert [frame.time for frame in reader] == [Fraction(number, 25) for number in range(9)]
        assert any("25 per second" in warning for warning in reader.warnings)
