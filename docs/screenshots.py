"""Pictures of all pages that were built, wide and narrow, light and dark, in headless Chromium.

python docs/screenshots.py docs/_build/html FOLDER [PAGE ...]

Says, too, which pages are wider than the screen, which words can hardly be told from what is behind
them, and which code has to be scrolled on a wide screen. Chromium is Debian's and Ubuntu's package
`chromium` (`apt-get install chromium`); another one, such as Chrome, is found by `CHROMIUM=path`.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from types import TracebackType
from typing import Any

SIZES = {"wide": (1400, 900), "narrow": (390, 844)}
COLOURS = ("light", "dark")
TALLEST = 16_000
"""Pixels that Chromium can draw; what is below is left out."""

FAULTS = """(() => {
  const faults = [], screen = document.documentElement.clientWidth;
  const said = element => element.textContent.trim().replace(/\\s+/g, " ").slice(0, 50);
  if (document.documentElement.scrollWidth > screen) faults.push("wider than the screen");
  const numbers = colour => (colour.match(/[\\d.]+/g) || []).map(Number);
  const light = colour => numbers(colour).slice(0, 3).map(x => x / 255)
    .map(x => x <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4)
    .reduce((sum, x, i) => sum + x * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = element => {
    for (; element; element = element.parentElement) {
      const colour = getComputedStyle(element).backgroundColor;
      if ((numbers(colour)[3] ?? 1) > 0.5) return colour;
    }
    return "rgb(255, 255, 255)";
  };
  for (const element of document.querySelectorAll("article *")) {
    const text = [...element.childNodes].some(node => node.nodeType === 3 && node.data.trim());
    if (!text || !element.checkVisibility({opacityProperty: true})) continue;
    const [dark, pale] = [getComputedStyle(element).color, behind(element)].map(light).sort();
    if ((pale + 0.05) / (dark + 0.05) < 3) faults.push("pale: " + said(element));
  }
  const boxes = screen > 1000 ? document.querySelectorAll("article pre, .table-wrapper") : [];
  for (const box of boxes)
    if (box.scrollWidth > box.clientWidth + 1) faults.push("to be scrolled: " + said(box));
  return [...new Set(faults)];
})()"""


class Browser:
    """A headless Chromium with one page, spoken to through pipes in its own protocol."""

    def __init__(self) -> None:
        names = ("chromium", "chromium-browser", "google-chrome")
        found = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, names)), None)
        if found is None:
            raise SystemExit("there is no Chromium: apt-get install chromium, or CHROMIUM=path")
        (theirs, to), (back, answers) = os.pipe(), os.pipe()
        self.profile = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        options = "--headless --no-sandbox --disable-gpu --hide-scrollbars --remote-debugging-pipe"
        command = f'exec "$0" {options} --user-data-dir="$1" 3<&{theirs} 4>&{answers}'
        self.process = subprocess.Popen(
            ["bash", "-c", command, found, self.profile.name],
            pass_fds=(theirs, answers),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(theirs)
        os.close(answers)
        self.to, self.back = os.fdopen(to, "wb"), os.fdopen(back, "rb")
        self.rest, self.number, self.session = b"", 0, ""
        page = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.ask("Target.attachToTarget", targetId=page, flatten=True)["sessionId"]
        self.ask("Page.enable")

    def __enter__(self) -> Browser:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: Any, trace: TracebackType | None
    ) -> None:
        self.to.close()
        self.process.wait()
        self.back.close()
        self.profile.cleanup()

    def messages(self) -> Iterator[dict[str, Any]]:
        """What it says, which ends with zero bytes."""
        while True:
            message, end, rest = self.rest.partition(b"\0")
            if end:
                self.rest = rest
                yield json.loads(message)
            elif more := os.read(self.back.fileno(), 1 << 20):
                self.rest += more
            else:
                raise SystemExit("Chromium has ended")

    def ask(self, method: str, **parameters: Any) -> Any:
        """The answer to a request."""
        self.number += 1
        request: dict[str, Any] = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            request["sessionId"] = self.session
        self.to.write(json.dumps(request).encode() + b"\0")
        self.to.flush()
        answer = next(one for one in self.messages() if one.get("id") == self.number)
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']['message']}")
        return answer["result"]

    def look(self, width: int, height: int, colours: str) -> None:
        """Choose the screen and the colours."""
        screen = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.ask("Emulation.setDeviceMetricsOverride", **screen)
        scheme = [{"name": "prefers-color-scheme", "value": colours}]
        self.ask("Emulation.setEmulatedMedia", features=scheme)

    def open(self, page: Path) -> None:
        """Load a page."""
        self.ask("Page.navigate", url=page.resolve().as_uri())
        next(one for one in self.messages() if one.get("method") == "Page.loadEventFired")

    def faults(self) -> list[str]:
        """What is wrong with the page as it is shown."""
        found = self.ask("Runtime.evaluate", expression=FAULTS, returnByValue=True)["result"]
        faults: list[str] = found["value"]
        return faults

    def picture(self, width: int) -> bytes:
        """The whole page."""
        height = self.ask("Page.getLayoutMetrics")["cssContentSize"]["height"]
        clip = {"x": 0, "y": 0, "width": width, "height": min(height, TALLEST), "scale": 1}
        shot = self.ask("Page.captureScreenshot", clip=clip, captureBeyondViewport=True)
        return base64.b64decode(shot["data"])


def main() -> int:
    """Take them; 1 if a page is wider than the screen, or words are pale."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("built", type=Path, help="where the pages are")
    parser.add_argument("folder", type=Path, help="where the pictures go")
    parser.add_argument("pages", nargs="*", help="as quickstart or api/samplers; else all")
    options = parser.parse_args()
    files = [options.built / f"{name}.html" for name in options.pages]
    files = files or [
        file for file in sorted(options.built.rglob("*.html")) if "_modules" not in file.parts
    ]
    options.folder.mkdir(parents=True, exist_ok=True)
    bad = 0
    with Browser() as browser:
        for file, (size, (width, height)), colours in product(files, SIZES.items(), COLOURS):
            browser.look(width, height, colours)
            browser.open(file)
            name = str(file.relative_to(options.built).with_suffix("")).replace("/", "-")
            for fault in browser.faults():
                print(f"{name}, {size}, {colours}: {fault}")
                bad += not fault.startswith("to be scrolled")
            (options.folder / f"{name}-{size}-{colours}.png").write_bytes(browser.picture(width))
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main())
