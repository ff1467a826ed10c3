"""The folder of finished parts: what is taken up again, what is refused, what is made again."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from spikedeblur.errors import OutputError, UsageError
from spikedeblur.output.frame_counts import FrameCounts
from spikedeblur.output.job import RunRecord, StoredSelection
from spikedeblur.output.options import OutputOptions
from spikedeblur.output.parts import End, Parts, Segment, SegmentFile, checksum, is_finished

LENGTH = 10  # frames of a segment


def record(**changes: object) -> RunRecord:
    values = {
        "version": "1",
        "video": "v",
        "spikes": "s",
        "sidecar": None,
        "weights": None,
        "reading": StoredSelection(),
        "slowmo": 1,
        "slowmo_timing": "keep",
        "method": {"method": "sdm"},
        "exposures": {},
        "output": OutputOptions(),
        "segment": LENGTH,
        "video_path": "/a/v.mkv",
        "tile": None,
    }
    return RunRecord(**{**values, **changes})


def segment_of(*contents: bytes) -> Segment:
    """A segment with a file for each content, by `hashlib` alone."""
    files = [SegmentFile(checksum=content.hex()) for content in contents]
    return Segment(tally=FrameCounts(read=LENGTH, written=LENGTH), warnings=[], files=files)


def add(parts: Parts, number: int, content: bytes = b"pictures") -> Path:
    """Write a segment as a run would."""
    file = parts.file(number, parts.output)
    file.write_bytes(content)
    sealed = hashlib.sha256(f"{file.name}\n".encode() + hashlib.sha256(content).digest())
    parts.add(number, segment_of(sealed.digest()))
    return file


@pytest.fixture
def parts(tmp_path: Path) -> Parts:
    parts = Parts(tmp_path / "out.mkv")
    parts.folder.mkdir()
    parts.take_up(record(), resume=False)
    return parts


def test_a_job_is_taken_up_as_it_was_begun(parts):
    add(parts, 0)
    moved = record(video_path="/b/v.mkv", tile=64)  # neither changes the pictures
    again = Parts(parts.output)
    assert again.take_up(moved, resume=True) == record()
    assert again.numbers() == [0]


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"video": "w"}, "the video"),
        ({"version": "2"}, "the program's version"),
        ({"slowmo": 4}, "slowmo (1 before, now 4)"),
        ({"method": {"method": "tfp"}}, "method ('sdm' before, now 'tfp')"),
        ({"output": OutputOptions(crf=3.0)}, "crf (None before, now 3.0)"),
    ],
)
def test_another_job_is_refused_by_what_differs(parts, change, named):
    add(parts, 0)
    with pytest.raises(UsageError) as caught:
        parts.take_up(record(**change), resume=True)
    assert f"is of another job: {named} -" in str(caught.value)
    assert parts.numbers() == [0]


def test_without_resume_finished_work_is_only_replaced_when_told_so(parts):
    add(parts, 0)
    with pytest.raises(OutputError, match="--resume"):
        parts.take_up(record(), resume=False)
    job = record(slowmo=2, output=OutputOptions(overwrite=True))
    assert parts.take_up(job, resume=False) == job == parts.job
    assert parts.numbers() == []


def test_segments_of_a_job_that_cannot_be_read_are_nobodys(parts):
    add(parts, 0)
    (parts.folder / "job.json").write_text("{}")
    with pytest.raises(OutputError, match="damaged"):
        parts.take_up(record(), resume=True)


@pytest.mark.parametrize("length", [0, 1, 9, 10, 11, 30])
def test_all_segments_are_there_when_they_cover_the_video(parts, length):
    needed = {frame // LENGTH for frame in range(length)}
    for number in sorted(needed):
        assert parts.complete() is None
        assert next(parts.missing(range(9))) == number
        add(parts, number)
    assert parts.complete() is None  # nobody has seen the end of the video
    parts.note_end(End(frames=length, damaged=0))
    assert len(parts.complete()) == len(needed)
    assert list(parts.missing(range(9))) == []


def test_what_is_lacking_is_named(parts):
    add(parts, 1)
    assert parts.lacking().startswith("1 segments are done")
    parts.note_end(End(frames=8 * LENGTH, damaged=0))
    assert parts.lacking() == "missing are segments 0, 2, 3, 4, 5 and more"


@pytest.mark.parametrize("spoil", ["pictures", "record", "lost"])
def test_a_damaged_segment_is_forgotten_with_a_warning(parts, spoil, caplog):
    file = add(parts, 3)
    note = parts.folder / "000003.json"
    if spoil == "pictures":
        file.write_bytes(b"Pictures")
    elif spoil == "record":
        note.write_bytes(note.read_bytes().replace(b'"read":10', b'"read":11'))
    else:
        file.unlink()
    again = Parts(parts.output)  # a run looks at each segment once
    assert again.segment(3) is None and not note.exists()
    assert "segment 3" in caplog.text


def test_the_comparison_has_files_of_its_own(parts):
    assert parts.file(7, parts.output).name == "000007.nut"
    beside = parts.output.with_name("out_compare.mkv")
    assert parts.file(7, beside).name == "000007-compare.nut"
    images = Parts(parts.output.with_name("%05d.png"))
    assert images.file(7, images.output).name == "000007"


def test_the_checksum_tells_images_apart_by_name_and_content(tmp_path):
    folders = []
    for number, (name, content) in enumerate([("1.png", b"a"), ("1.png", b"b"), ("2.png", b"a")]):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / name).write_bytes(content)
        folders.append(folder)
    assert len({checksum(folder) for folder in folders}) == 3
    (tmp_path / "copy").mkdir()
    (tmp_path / "copy" / "1.png").write_bytes(b"a")
    assert checksum(tmp_path / "copy") == checksum(folders[0])


def test_locks_outlive_a_new_beginning_but_not_the_end(parts):
    add(parts, 0)
    (parts.folder / "job.lock").touch()
    (parts.folder / "000001").mkdir()
    parts.clear()
    assert [path.name for path in parts.folder.iterdir()] == ["job.lock"]
    parts.remove()
    assert list(parts.output.parent.iterdir()) == []


def test_an_output_is_finished_when_no_parts_are_left(parts):
    parts.output.write_bytes(b"")
    assert not is_finished(parts.output)
    parts.remove()
    assert is_finished(parts.output)
    parts.output.unlink()
    assert not is_finished(parts.output)


@pytest.mark.parametrize("name", ["/", "."])
def test_an_output_has_a_name(name):
    with pytest.raises(UsageError, match="no name"):
        Parts(Path(name))
