"""Folders of parts that were changed: the whole comes out, or one error, and nothing else."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spikedeblur.errors import SpikedeblurError
from spikedeblur.io.lock import InUseError
from spikedeblur.output.joining import join_output
from spikedeblur.output.parts import Parts
from tests.fuzz.examples import fuzzed
from tests.fuzz.mutations import CHANGES, spoilt
from tests.hostile import check_message
from tests.integration.killing import Job, assert_same_video, make_job

# What JSON can say and no program wants to hear, as it stands in the file.
TEXTS = [
    "[" * 5000 + "]" * 5000,
    '{"a":' * 300 + "1" + "}" * 300,
    "9" * 5000,
    "-" + "9" * 400,
    "1e999",
    "-1e999",
    "NaN",
    "Infinity",
    '"\\ud800"',
    '"\\u0000"',
    '"%00"',
    f'"{"x" * 99_999}"',
    '"/dev/zero"',
    '"/etc/passwd"',
    '"../../../x"',
    '"%2e%2e/x.mkv"',
    '"/proc/self/mem"',
    '"%d.png"',
    '"pipe:0"',
    '{"stats": "evil"}',
    '{"x264-params": "pass=1:stats=evil"}',
    '{"flags": "+pass1"}',
    "[{}]",
]
MARKS = {f"text {number}": text for number, text in enumerate(TEXTS)}
VALUES = st.one_of(
    st.sampled_from([*MARKS]),
    st.none(),
    st.booleans(),
    st.integers(-3, 9),
    st.sampled_from(
        [2**31, 2**63, 10**30, -(2**62), 1.5, "", "x", "1/0", "-1", "../../x", "ffv1", "side"]
    ),
    st.lists(st.integers(-9, 9), max_size=3),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
)


@pytest.fixture(scope="module")
def unjoined(tmp_path_factory) -> Job:
    """A job whose parts are complete; its output is beside, as `expected.mkv`."""

    def stopped(*_arguments: object, **_options: object) -> None:
        raise InUseError("another process joins - wait")

    job = make_job(tmp_path_factory.mktemp("parts") / "job", ".mkv", 12)
    assert job.deblur(output=job.video.with_name("expected.mkv")) == 0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("spikedeblur.output.segmented.join", stopped)
        for shard in ("1/2", "2/2"):
            assert job.deblur("--shard", shard) == 0
    assert Parts(job.output).numbers() == [0, 1]
    return job


def joined(unjoined: Job, folder: Path, name: str, content: bytes) -> Path | None:
    """The output that is joined when a file of the parts has this content; None if none is."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    parts = Parts(folder / unjoined.output.name)
    parts.folder.mkdir()
    for file in Parts(unjoined.output).folder.glob("*.*"):
        if file.name != name and file.suffix != ".lock":
            os.link(file, parts.folder / file.name)
    (parts.folder / name).write_bytes(content)
    try:
        join_output(parts)
    except SpikedeblurError as error:
        check_message(error)
    assert {path.name for path in folder.iterdir()} <= {
        parts.output.name,
        parts.folder.name,
        "out_compare.mkv",
    }
    return parts.output if parts.output.exists() else None


@fuzzed(500)
@given(st.data(), CHANGES)
def test_bytes(unjoined: Job, tmp_path: Path, data: st.DataObject, changes: bytes) -> None:
    file = data.draw(st.sampled_from(sorted(Parts(unjoined.output).folder.glob("*.[jn]*"))))
    output = joined(unjoined, tmp_path / "x", file.name, spoilt(file.read_bytes(), changes))
    if output is not None:
        assert_same_video(unjoined.video.with_name("expected.mkv"), output)


def sealed(tree: Any) -> bytes:
    """The tree as a file of the parts, its marks replaced by what they stand for."""
    text = re.sub('"(text [0-9]+)"', lambda mark: MARKS[mark[1]], json.dumps(tree)).encode()
    return text + b"\n" + hashlib.sha256(text).hexdigest().encode() + b"\n"


def test_a_name_that_is_too_long(unjoined: Job, tmp_path: Path) -> None:
    file = Parts(unjoined.output).folder / "job.json"
    tree = {**json.loads(file.read_bytes().split(b"\n")[0]), "video_path": "x" * 99_999}
    assert joined(unjoined, tmp_path / "x", file.name, sealed(tree)) is None


@pytest.mark.parametrize("value", ["top", 1, [], {"side": 1}])
def test_a_comparison_that_there_is_not(unjoined: Job, tmp_path: Path, value: object) -> None:
    file = Parts(unjoined.output).folder / "job.json"
    tree = json.loads(file.read_bytes().split(b"\n")[0])
    tree["output"]["compare"] = value
    assert joined(unjoined, tmp_path / "x", file.name, sealed(tree)) is None


def change(tree: Any, data: st.DataObject) -> Any:
    """The tree with one value, somewhere, replaced or taken away."""
    if not isinstance(tree, dict | list) or not tree or data.draw(st.integers(0, 4)) == 0:
        return data.draw(VALUES)
    key = data.draw(st.sampled_from(sorted(tree) if isinstance(tree, dict) else range(len(tree))))
    if data.draw(st.integers(0, 9)) == 0:
        del tree[key]
    else:
        tree[key] = change(tree[key], data)
    return tree


@fuzzed(1500)
@given(st.data())
def test_values_under_a_seal_that_fits(unjoined: Job, tmp_path: Path, data: st.DataObject) -> None:
    file = data.draw(st.sampled_from(sorted(Parts(unjoined.output).folder.glob("*.json"))))
    tree = change(json.loads(file.read_bytes().split(b"\n")[0]), data)
    joined(unjoined, tmp_path / "x", file.name, sealed(tree))
