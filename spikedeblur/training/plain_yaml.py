"""YAML from strangers: plain values only, as long as the text is, every key once."""

from __future__ import annotations

from typing import Any

import yaml

from spikedeblur.errors import ConfigError, shown

MAX_CHARACTERS = 64 * 1024


def parse_yaml(text: str, source: str) -> Any:
    """Return the one document in `text` as dicts, lists and plain values; None when it is empty.

    Raises `ConfigError`, naming `source`, for what is too long or no YAML, for tags of Python
    objects, for a key that stands twice, and for aliases: a few lines of them make a huge tree.
    """
    if len(text) > MAX_CHARACTERS:
        raise ConfigError(
            f"{source} is no configuration ({len(text)} characters, at most "
            f"{MAX_CHARACTERS}) - name a YAML file"
        )
    try:
        return _PlainLoader(text).get_single_data()
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


class _PlainLoader(yaml.SafeLoader):
    """The library's safe loader, without aliases and without its habit of taking a key's last."""

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            line = self.peek_event().start_mark.line + 1
            raise ValueError(f"an alias in line {line}: write its values out")
        node: yaml.Node | None = super().compose_node(parent, index)
        return node

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        node: yaml.MappingNode = super().compose_mapping_node(anchor)
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                if key.value in seen:
                    raise ValueError(f"the key {shown(key.value)} twice: keep one of them")
                seen.add(key.value)
        return node
