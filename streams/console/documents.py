"""The project's documents as pages: where an alert's `runbook_url` leads, without asking anybody else's server."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

HERE = Path(__file__).parent
FOLDERS = (HERE.parents[1] / "docs", HERE / "docs")
"""Beside the code in a checkout, within the package when installed."""
_NAME = re.compile(r"(?:[\w-]+/)?[\w-]+\.md")
_MARKDOWN = MarkdownIt("commonmark", {"html": False}).enable("table")


@dataclass(frozen=True)
class Document:
    """Its first heading, and the rest as HTML."""

    title: str
    html: str


def document(name: str) -> Document | None:
    """`runbooks/flow.md`; None when there is none of that name. Links between documents stay as they are."""
    folder = next((folder for folder in FOLDERS if folder.is_dir()), None)
    if folder is None or not _NAME.fullmatch(name) or not (folder / name).is_file():
        return None
    tokens = _MARKDOWN.parse((folder / name).read_text(encoding="utf-8"))
    title = tokens[1].content if tokens and tokens[0].type == "heading_open" else name
    body = list(_with_anchors(tokens[3:] if title != name else tokens))
    return Document(title, _MARKDOWN.renderer.render(body, _MARKDOWN.options, {}))


def _with_anchors(tokens: list[Token]) -> Iterator[Token]:
    """Headings are found by the anchors that Markdown's readers expect: `#healthbookstagestopped`."""
    for token, following in zip(tokens, [*tokens[1:], None], strict=True):
        if token.type == "heading_open" and following is not None:
            token.attrSet("id", re.sub(r"[^\w -]", "", following.content.lower()).replace(" ", "-"))
        yield token
