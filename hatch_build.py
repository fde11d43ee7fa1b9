"""What the metadata of a distribution say about where the project lives.

Links of the README are relative: in a checkout, and on whatever site hosts one, they lead to files.
Outside of one there are no files. `EPSIE_HOME`, the address of the public repository, makes them
absolute; without it only their text is left, and pictures are left out.
"""

import os
import re
from pathlib import Path

from hatchling.metadata.plugin.interface import MetadataHookInterface

PICTURE = re.compile(r"^!\[[^]]*\]\((?!https?:)([^)]*)\)\n\n", re.MULTILINE)
LINK = re.compile(r"(!?)\[([^]]*)\]\((?!https?:|#)([^)]*)\)")


def addresses(home: str) -> dict[str, str]:
    """The project's pages by name."""
    return {
        "Repository": home,
        "Issues": f"{home}/issues",
        "Documentation": f"{home}/blob/HEAD/docs/index.md",
        "Changelog": f"{home}/blob/HEAD/CHANGELOG.md",
    }


def outside(text: str, home: str) -> str:
    """The text of the README as it is read outside of a checkout."""
    if not home:
        return LINK.sub(r"\2", PICTURE.sub("", text))
    return LINK.sub(
        lambda m: f"{m[1]}[{m[2]}]({home}/{'raw' if m[1] else 'blob'}/HEAD/{m[3]})", text
    )


class Home(MetadataHookInterface):
    """Adds the README and, if there is a public repository, its addresses."""

    PLUGIN_NAME = "custom"

    def update(self, metadata: dict) -> None:
        """Add them in place."""
        home = os.environ.get("EPSIE_HOME", "").rstrip("/")
        text = (Path(self.root) / "README.md").read_text()
        metadata["readme"] = {"content-type": "text/markdown", "text": outside(text, home)}
        metadata["urls"] = addresses(home) if home else {}
