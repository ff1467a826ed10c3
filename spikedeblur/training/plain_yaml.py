"""YAML from strangers: plain values only, bounded, every key once.

The tree of nodes is measured before a value is built from it. Aliases make a small text stand for
a tree that grows exponentially with its length, so what counts is the size with all of them
written out.
"""

from __future__ import annotations

from typing import Any

import yaml

from spikedeblur.errors import ConfigError, shown

MAX_CHARACTERS = 64 * 1024
MAX_VALUES = 10_000


def parse_yaml(text: str, source: str) -> Any:
    """The one document in `text` as dicts, lists and plain values; None when it is empty.

    Raises `ConfigError`, naming `source`, for what is too long or no YAML, for tags of Python
    objects, for a key that stands twice, for aliases that contain themselves, and for more than
    `MAX_VALUES` values with the aliases written out.
    """
    if len(text) > MAX_CHARACTERS:
        raise ConfigError(
            f"{source} is no configuration ({len(text)} characters, at most "
            f"{MAX_CHARACTERS}) - name a YAML file"
        )
    try:
        loader = yaml.SafeLoader(text)
        node = loader.get_single_node()
        if node is None:
            return None
        if (values := _size(node, {}, source)) > MAX_VALUES:
            raise ConfigError(
                f"{source} holds {values} values with its aliases written out (at "
                f"most {MAX_VALUES}) - shorten it"
            )
        return loader.construct_document(node)
    except ConfigError:
        raise
    # Beside its own errors the library lets out those of int(), date() and of its tables.
    except (
        yaml.YAMLError,
        ValueError,
        LookupError,
        ArithmeticError,
        AttributeError,
        TypeError,
        RecursionError,
    ) as error:
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise ConfigError(f"{source} is not valid YAML ({reason}) - correct it") from None


def _size(node: yaml.Node, known: dict[int, int], source: str) -> int:
    """How many values stand under a node, itself included. `known`: sizes by node, 0 while open."""
    if (size := known.get(id(node))) is not None:
        if size == 0:
            raise ConfigError(
                f"{source} has an alias that contains itself "
                f"(line {node.start_mark.line + 1}) - write the values out"
            )
        return size
    known[id(node)] = 0
    children: list[yaml.Node] = []
    if isinstance(node, yaml.MappingNode):
        _refuse_twice([key for key, _ in node.value], source)
        children = [child for pair in node.value for child in pair]
    elif isinstance(node, yaml.SequenceNode):
        children = node.value
    known[id(node)] = 1 + sum(_size(child, known, source) for child in children)
    return known[id(node)]


def _refuse_twice(keys: list[yaml.Node], source: str) -> None:
    """The library would silently take the last of two equal keys."""
    names = [key.value for key in keys if isinstance(key, yaml.ScalarNode)]
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise ConfigError(f"{source} has the key {shown(name)} twice - keep one of them")
        seen.add(name)
