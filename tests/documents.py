"""The pages for readers, as a test sees them: blocks of code, links, headings.

A block of code is what it would run as: its fence names the language (```sh, ```python, ```toml,
```yaml, ```text). An HTML comment on the line before it, which no reader sees, says how it is
tried where that is not simply by running it:

    <!-- slow -->            takes more than seconds: run with the slow tests
    <!-- parsed: GPUs -->    needs what not every machine has: its options are read, nothing is run
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

import click

from spikedeblur.cli.main import root
from spikedeblur.training.config import load_config

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
LANGUAGES = {"sh", "python", "toml", "yaml", "json", "text"}
FENCE = re.compile(
    r"(?:^<!-- (?P<mark>\w+)[^\n]*-->\n)?"
    r"^```(?P<language>\S*)[^\n]*\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")


@dataclass(frozen=True)
class Block:
    """A block of code. mark: slow, parsed or nothing. line: where it stands in its page."""

    page: Path
    line: int
    language: str
    text: str
    mark: str | None

    @property
    def commands(self) -> list[str]:
        """Its lines as a shell reads them: continued ones joined, comments and blanks dropped."""
        joined = self.text.replace("\\\n", " ")
        return [line for line in joined.splitlines() if line.strip() and not line.startswith("#")]

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def blocks(page: Path) -> list[Block]:
    """The fenced blocks of a page, in order."""
    text = page.read_text(encoding="utf-8")
    return [
        Block(
            page,
            text.count("\n", 0, match.start()) + 1,
            match["language"],
            match["text"],
            match["mark"],
        )
        for match in FENCE.finditer(text)
    ]


def prose(page: Path) -> str:
    """A page without its blocks."""
    return FENCE.sub("", page.read_text(encoding="utf-8"))


def links(page: Path) -> list[str]:
    """Targets of the links and pictures of a page."""
    return LINK.findall(prose(page))


def anchors(page: Path) -> set[str]:
    """What the headings of a page may be linked by: lower case, words joined by hyphens."""
    headings = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def program_calls(line: str) -> list[list[str]]:
    """The arguments of each `spikedeblur` in a line, also behind torchrun, srun or a pipe."""
    words = shlex.split(line.replace("$(", " ").replace("|", " | "), comments=True)
    if "install" in words:  # the package of that name
        return []
    calls: list[list[str]] = []
    inside = False
    for word in words:
        if word in ("|", ">", "&&", ";"):
            inside = False
        elif word == "spikedeblur":
            inside = True
            calls.append([])
        elif inside:
            calls[-1].append(word)
    return calls


def parse_call(arguments: list[str]) -> None:
    """What the command line does with a call before it does anything; raises what it raises.

    Of a training the configuration is resolved, too.
    """
    try:
        whole = root.make_context("spikedeblur", list(arguments), obj=None)
    except click.exceptions.Exit:  # of --version
        return
    name, *rest = [*whole._protected_args, *whole.args]
    command = root.get_command(whole, name)
    assert command is not None, name
    context = command.make_context(name, rest, parent=whole)
    if name == "train" and not str(context.params["config"] or "").endswith(".yaml"):
        load_config(context.params["config"] or "small", context.params["overrides"])
