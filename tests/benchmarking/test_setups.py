"""Names of methods on the command line, and what they are run with."""

from __future__ import annotations

import pytest

from spikedeblur.benchmarking.setups import KNOWN, Setup, parse_methods, vary
from spikedeblur.cli import benchmark
from spikedeblur.errors import UsageError, WeightsError
from spikedeblur.models.checkpoint import weights_path
from spikedeblur.vocabulary import WEIGHTS_SUFFIXES


def test_methods_windows_and_weights(tiny_weights):
    found = parse_methods(f"blurry, sdm:0.125,tfi,net,{tiny_weights},small,sdm:0.125")
    assert [(setup.method, setup.kind) for setup in found] == [
        ("blurry", "blurry"),
        ("sdm:0.125", "sdm:0.125"),
        ("tfi", "tfi"),
        ("net", "net"),
        ("tiny", "net"),
        ("small", "net"),
    ]
    shipped = str(weights_path())
    assert [setup.weights for setup in found[3:]] == [shipped, str(tiny_weights), shipped]
    assert parse_methods("net", str(tiny_weights))[0].weights == str(tiny_weights)


def test_weights_are_taken_with_every_suffix_that_deblur_takes(tiny_weights, tmp_path):
    for suffix in WEIGHTS_SUFFIXES:
        path = tmp_path / f"own{suffix}"
        path.write_bytes(tiny_weights.read_bytes())
        assert parse_methods(str(path)) == [Setup("own", "net", str(path))]


def test_the_help_names_every_method():
    text = next(each.help for each in benchmark.command.params if each.name == "methods")
    assert ", ".join(KNOWN) in text


def test_files_of_one_name_keep_their_folders(tmp_path, tiny_weights):
    other = tmp_path / tiny_weights.name
    other.write_bytes(tiny_weights.read_bytes())
    assert [setup.method for setup in parse_methods(f"{tiny_weights},{other}")] == [
        str(tiny_weights),
        str(other),
    ]


@pytest.mark.parametrize(
    "text",
    ["magic", "", " , ", "sdm:", "sdm:0", "sdm:1.5", "sdm:wide", "sdm:nan", "tfi:0.5", "net:0.5"],
)
def test_what_is_no_method(text):
    with pytest.raises(UsageError):
        parse_methods(text)


def test_weights_that_are_not_there():
    with pytest.raises(WeightsError, match=r"nowhere\.safetensors"):
        parse_methods("nowhere.safetensors")


def test_every_combination_that_a_method_uses():
    setups = [Setup("blurry", "blurry"), Setup("sdm", "sdm"), Setup("net", "net", "w")]
    varied = vary(
        setups, device="cuda", precisions=["fp32", "bf16"], threads=[1, 2], tiles=[None, 64]
    )
    found = [
        (setup.method, setup.device, setup.precision, setup.tile, setup.threads) for setup in varied
    ]
    assert found[:3] == [
        ("blurry", "cpu", "auto", None, 1),
        ("sdm", "cpu", "auto", None, 1),
        ("sdm", "cpu", "auto", None, 2),
    ]
    assert len(set(found[3:])) == len(found[3:]) == 8
    assert {method for method, *_ in found[3:]} == {"net"}
