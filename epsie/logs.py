"""The logger of the package: nothing is ever printed."""

from __future__ import annotations

import logging

logger = logging.getLogger("epsie")
"""Runs, resumes and what was reached are told as INFO, saves and checks as DEBUG, and what is wrong
with a sample as WARNING."""
