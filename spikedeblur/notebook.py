"""Results as notebooks show them: small tables of HTML."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape

__all__ = ["fact_table", "row_table"]


def fact_table(title: str, facts: Mapping[str, object]) -> str:
    """A table with a row for each fact: its name, its value."""
    rows = ((name.replace("_", " "), value) for name, value in facts.items())
    return row_table(title, (), rows)


def row_table(title: str, heads: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table of HTML; everything in it is text, whatever a file was called."""
    head = "".join(f"<th>{escape(each)}</th>" for each in heads)
    body = "".join(
        f"<tr>{''.join(f'<td>{escape(_text(value))}</td>' for value in row)}</tr>" for row in rows
    )
    caption = f"<caption>{escape(title)}</caption>"
    return f"<table>{caption}{f'<tr>{head}</tr>' if head else ''}{body}</table>"


def _text(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list | tuple):
        return ", ".join(_text(each) for each in value)
    return "" if value is None else str(value)
