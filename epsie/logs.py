"""The logger of the package: nothing is ever printed."""

from __future__ import annotations

import logging

from epsie.shown import printable

logger = logging.getLogger("epsie")
"""Runs, resumes and what was reached are told as INFO, saves and checks as DEBUG, and what is wrong
with a sample as WARNING."""


def _escaped(record: logging.LogRecord) -> bool:
    """Let a record pass of which a terminal obeys nothing."""
    if isinstance(record.args, tuple):
        record.args = tuple(
            [arg if isinstance(arg, int | float) else printable(str(arg)) for arg in record.args]
        )
    return True


logger.addFilter(_escaped)
