"""A prior of ten parameters, beside the same written by hand, in turns: microseconds a call.

python benchmarks/priors.py
"""

import time
from collections.abc import Iterator
from math import erf, inf, lgamma, log, log1p, pi, sqrt, tau

from figure import Figure
from scipy import stats

import epsie

FROZEN = {
    "b": stats.norm(0, 5),
    "c": stats.halfnorm(scale=2),
    "d": stats.loguniform(0.1, 10),
    "e": stats.expon(scale=3),
    "f": stats.lognorm(1, scale=10),
    "g": stats.truncnorm(-2, inf, 1, 0.5),
    "h": stats.halfcauchy(scale=5),
    "i": stats.beta(2, 3),
}
PRIOR = epsie.Prior({"a": (-5, 0.5), **FROZEN, "j": epsie.Angle()})
SCIPY = {"a": stats.uniform(-5, 5.5), **FROZEN, "j": stats.uniform(0, tau)}

CONSTANT = sum([
    -log(5.5),
    -log(5 * sqrt(tau)),
    0.5 * log(2 / pi) - log(2),
    -log(log(100)),
    -log(3),
    -0.5 * log(tau),
    -log(0.5 * sqrt(tau)) - log(0.5 * (1 + erf(sqrt(2)))),
    log(2 / pi / 5),
    lgamma(5) - lgamma(2) - lgamma(3),
    -log(tau),
])  # fmt: skip


def by_hand(a, b, c, d, e, f, g, h, i, j):
    """The log density, as somebody would write it who cares for speed."""
    inside = -5 <= a <= 0.5 and c >= 0 and 0.1 <= d <= 10 and e >= 0 and f > 0
    if not (inside and g >= 0 and h >= 0 and 0 < i < 1 and 0 <= j < tau):
        return -inf
    return (
        CONSTANT
        - 0.5 * (b / 5) ** 2
        - 0.5 * (c / 2) ** 2
        - log(d)
        - e / 3
        - 0.5 * log(f / 10) ** 2
        - log(f)
        - 0.5 * ((g - 1) / 0.5) ** 2
        - log1p((h / 5) ** 2)
        + log(i)
        + 2 * log1p(-i)
    )


def likelihood(a, b, c, d, e, f, g, h, i, j):
    """A likelihood that costs nothing."""
    return 0.0


def model(**values):
    """Likelihood and prior by hand."""
    return likelihood(**values), by_hand(**values)


def figures(quick: bool) -> Iterator[Figure]:
    """Microseconds a call over what is written by hand, and the difference from scipy."""
    drawn = PRIOR.draw(1, 2000)
    rows = [{name: column[n].item() for name, column in drawn.items()} for n in range(2000)]
    posterior = epsie.Posterior(likelihood, PRIOR)
    asked = {
        "hand": lambda row: by_hand(**row),
        "prior": PRIOR.log_density,
        "model": lambda row: model(**row),
        "posterior": lambda row: posterior(**row),
    }
    best = dict.fromkeys(asked, inf)
    # Short blocks, so that some of them are not disturbed by what else runs.
    for k in range(200 if quick else 1000):
        block = rows[100 * k % 2000 :][:100]
        for name, ask in asked.items():
            began = time.perf_counter()
            for row in block:
                ask(row)
            best[name] = min(best[name], 1e6 * (time.perf_counter() - began) / len(block))
    for name, plain in (("prior", "hand"), ("posterior", "model")):
        remark = f"{best[name]:.2f} beside {best[plain]:.2f}"
        over = best[name] - best[plain]
        yield Figure(f"priors: {name} of ten, over by hand", over, "us", 1.5, remark=remark)
    errors = [
        abs(PRIOR.logp(**row) / sum(SCIPY[name].logpdf(x) for name, x in row.items()) - 1)
        for row in rows[:300]
    ]
    yield Figure("priors: relative difference from scipy", max(errors), "", 1e-12)
