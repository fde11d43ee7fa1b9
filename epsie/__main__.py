"""``python -m epsie``: the command line."""

from __future__ import annotations

from epsie.cli.commands import main

if __name__ == "__main__":
    main()
