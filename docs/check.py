"""Check the pages that were built: links, what is loaded from elsewhere, and what search finds.

python docs/check.py docs/_build/html
"""

import json
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import snowballstemmer

SOUGHT = {
    "citation": "citing",
    "cauchy": "recipes",
    "GPU": "vectorized",
    "half": "recipes",
    "hierarchical": "recipes",
    "limit": "recipes",
    "outliers": "recipes",
    "SLURM": "pools",
    "upper": "recipes",
}
"""Words, and a page that search has to find for each."""


class Page(HTMLParser):
    """The names, links and parts of a page."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.names, self.links, self.parts = set[str](), list[str](), list[str]()
        self.feed(file.read_text())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what a tag names, links to and loads."""
        has = {name: value for name, value in attrs if value}
        self.names |= {has[name] for name in ("id", "name") if name in has}
        loads = tag == "link" and has.get("rel") in ("stylesheet", "icon", "preload")
        if "src" in has:
            self.parts.append(has["src"])
        if "href" in has:
            (self.parts if loads else self.links).append(has["href"])


def broken(where: Path) -> Iterator[str]:
    """What is wrong with links and parts."""
    pages = {file.resolve(): Page(file) for file in sorted(where.rglob("*.html"))}
    for file, page in pages.items():
        yield from (f"{file.name} loads {part}" for part in page.parts if urlsplit(part).netloc)
        for link in page.links + page.parts:
            to = urlsplit(link)
            if to.scheme or to.netloc:
                continue
            target = (file.parent / unquote(to.path)).resolve() if to.path else file
            if not target.exists():
                yield f"{file.name}: {link} leads nowhere"
            elif to.fragment and target in pages and to.fragment not in pages[target].names:
                yield f"{file.name}: {link}: there is no such place"


def not_found(where: Path) -> Iterator[str]:
    """Words for which search does not find the page."""
    index = json.loads((where / "searchindex.js").read_text().partition("(")[2].rpartition(")")[0])
    stem = snowballstemmer.stemmer("english").stemWord
    for word, page in SOUGHT.items():
        at = [index[part].get(stem(word.lower()), []) for part in ("terms", "titleterms")]
        pages = [
            index["docnames"][i]
            for found in at
            for i in ([found] if isinstance(found, int) else found)
        ]
        if page not in pages:
            yield f"search for {word} does not find {page}"


if __name__ == "__main__":
    wrong = [*broken(Path(sys.argv[1])), *not_found(Path(sys.argv[1]))]
    sys.exit("\n".join(wrong) or 0)
