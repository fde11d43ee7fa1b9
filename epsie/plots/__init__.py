"""Pictures of a run. Each function takes a sampler or an opened run, and returns a figure.

They are figures of matplotlib, which must be installed (``pip install 'epsie[plots]'``); pyplot is
not used, so nothing is shown or kept unless you do: ``trace(run).savefig("trace.png")``. A notebook
shows what is returned.

`labels` gives parameters other names, as ``{"m": "mass / kg"}``, beside those of a `Prior`.
Discrete parameters are shown as integers; angles about where they are, so that no peak is cut at 0;
parameters of a transdimensional chain where they are active.
"""

from __future__ import annotations

try:
    import matplotlib  # noqa: F401
except ImportError as error:
    raise ImportError("pictures need matplotlib: pip install 'epsie[plots]'") from error

from epsie.plots.adaptation import adaptation
from epsie.plots.calibration import calibration
from epsie.plots.corner import corner
from epsie.plots.evidence import evidence
from epsie.plots.learned import learned
from epsie.plots.prior import prior
from epsie.plots.temperatures import round_trips, temperatures
from epsie.plots.trace import trace

__all__ = [
    "adaptation",
    "calibration",
    "corner",
    "evidence",
    "learned",
    "prior",
    "round_trips",
    "temperatures",
    "trace",
]
