"""Pictures: what they show, and that nothing written in them overlaps."""

import subprocess
import sys
from itertools import combinations
from math import nan, pi, tau

import numpy as np
import pytest

import epsie
from epsie.chain import BarrierAnnealer
from epsie.proposals import (
    Angular,
    ATAdaptiveNormal,
    NestedTransdimensional,
    Normal,
    NormalBirth,
    NormalDiscrete,
)
from epsie.samplers import MetropolisHastingsSampler, ParallelTemperedSampler

matplotlib = pytest.importorskip("matplotlib")
from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: E402
from matplotlib.figure import Figure  # noqa: E402

from epsie import plots  # noqa: E402
from epsie.plots import corner as corners  # noqa: E402
from epsie.plots.sample import Sample, centred, samples  # noqa: E402
from epsie.plots.style import _of_pi, number, settings  # noqa: E402
from epsie.results.view import View  # noqa: E402


class Box:
    """Independent normal parameters, at places and with widths that make long numbers."""

    def __init__(self, ndim):
        self.names = [f"a_rather_long_name_{i}" if i % 3 == 0 else f"p{i}" for i in range(ndim)]
        self.places = [(-10.0) ** (i % 6 - 2) for i in range(ndim)]

    def __call__(self, **x):
        squares = [(x[n] - c) ** 2 for n, c in zip(self.names, self.places, strict=True)]
        return -50 * sum(squares), 0.0


def box(ndim, nchains=3, iterations=400):
    model = Box(ndim)
    made = MetropolisHastingsSampler(
        model.names, model, nchains, ATAdaptiveNormal(model.names, 150), seed=1
    )
    made.start_position = {
        name: place + np.linspace(-0.1, 0.1, nchains)
        for name, place in zip(model.names, model.places, strict=True)
    }
    made.run(iterations)
    return made


def model(k, a, b, phase, n):
    active = [x for x in (a, b) if x == x]
    return 8 * np.cos(phase), -0.5 * sum(x * x for x in active) - abs(n - 3), {"sum": sum(active)}


@pytest.fixture(scope="module")
def mixed():
    """Discrete, angular and transdimensional parameters."""
    births = [NormalBirth(name, {name: 0}, {name: 1}) for name in "ab"]
    names = ["k", "a", "b"]
    nested = NestedTransdimensional(names, NormalDiscrete("k"), [Normal("a"), Normal("b")], births)
    proposals = [nested, Angular("phase"), NormalDiscrete("n")]
    made = MetropolisHastingsSampler([*names, "phase", "n"], model, 2, proposals, seed=1)
    start = {"k": [1, 2], "a": [0, 0], "b": [nan, 0], "phase": [0, 6], "n": [3, 4]}
    made.start_position = start
    made.run(600)
    return made


@pytest.fixture(scope="module")
def tempered(tmp_path_factory):
    def likelihood(x):
        return -0.5 * x * x, -0.005 * x * x - np.log(10 * np.sqrt(tau))

    made = ParallelTemperedSampler(
        "x", likelihood, 2, [1, 0.3, 0.1, 0], proposals=ATAdaptiveNormal("x", 100),
        adaptive_annealer=BarrierAnnealer(100), seed=1,
    )  # fmt: skip
    made.start_position = {"x": np.zeros((4, 2))}
    directory = tmp_path_factory.mktemp("tempered") / "run"
    made.run(500, directory=directory, every=200, keep=True)
    return made, epsie.open_run(directory)


def written(figure):
    """All texts of a figure, with where they are."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    renderer = canvas.get_renderer()
    found = []
    for axes in figure.axes:
        texts = [axes.title, axes._left_title, axes._right_title, *axes.texts]
        if axes.axison:
            for axis in (axes.xaxis, axes.yaxis):
                texts.append(axis.label)
                low, high = sorted(axis.get_view_interval())
                for tick in axis.get_major_ticks():
                    if low <= tick.get_loc() <= high and tick.label1.get_visible():
                        texts.append(tick.label1)
        if axes.get_legend():
            texts += axes.get_legend().get_texts()
        found += [text for text in texts if text.get_text().strip() and text.get_visible()]
    return [(text, text.get_window_extent(renderer)) for text in found]


def overlaps(figure):
    """Pairs of texts that overlap, and texts that are cut off."""
    boxes = [(text.get_text(), text.get_rotation() % 90, box) for text, box in written(figure)]
    assert len(boxes) > 3
    pairs = [
        (a, b)
        for (a, turn, one), (b, other_turn, other) in combinations(boxes, 2)
        # The boxes about texts that are turned by 45 degrees say little of the texts themselves.
        if not turn and not other_turn
        and min(one.x1, other.x1) - max(one.x0, other.x0) > 1
        and min(one.y1, other.y1) - max(one.y0, other.y0) > 1
    ]  # fmt: skip
    whole = figure.bbox
    cut = [
        text
        for text, _, box in boxes
        if box.x0 < -1 or box.y0 < -1 or box.x1 > whole.x1 + 1 or box.y1 > whole.y1 + 1
    ]
    return pairs + cut


EACH = ("trace", "corner", "adaptation")
TEMPERED = ("temperatures", "round_trips", "evidence")


@pytest.mark.parametrize("name", EACH)
@pytest.mark.parametrize("ndim", [2, 4, pytest.param(20, marks=pytest.mark.rest)])
def test_nothing_overlaps(name, ndim):
    figure = getattr(plots, name)(box(ndim))
    assert isinstance(figure, Figure)
    assert overlaps(figure) == []
    if name != "adaptation":  # which makes room for whatever is written
        for text, _ in written(figure):
            text.set_fontsize(17)
        assert overlaps(figure)


@pytest.mark.parametrize("name", EACH)
def test_parameters_of_all_kinds(name, mixed):
    figure = getattr(plots, name)(mixed, labels={"phase": "phase / rad"})
    assert overlaps(figure) == []
    if name != "adaptation":  # of proposals that do not learn there are no widths
        assert any("phase / rad" in text.get_text() for text, _ in written(figure))


@pytest.mark.parametrize("name", [*EACH, *TEMPERED])
def test_samplers_and_runs_look_alike(name, tempered):
    first, second = (getattr(plots, name)(source) for source in tempered)
    pixels = []
    for figure in (first, second):
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
        pixels.append(np.array(canvas.buffer_rgba()))
    assert np.array_equal(*pixels)
    assert len(np.unique(pixels[0])) > 20
    assert overlaps(first) == []


def test_pyplot_and_settings_are_left_alone(mixed):
    code = (
        "import sys, numpy as np\n"
        "import epsie.plots as p\n"
        "from epsie.samplers import MetropolisHastingsSampler as S\n"
        "s = S('x', lambda x: (-x * x, 0.0), 2, seed=1); s.start_position = {'x': [0., 1.]}\n"
        "s.run(50); f = p.trace(s); f._repr_png_(); print('matplotlib.pyplot' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
    before = dict(matplotlib.rcParams)
    with matplotlib.rc_context({"font.size": 30, "axes.spines.top": True}):
        assert overlaps(plots.trace(mixed)) == []
        assert matplotlib.rcParams["font.size"] == 30
    assert dict(matplotlib.rcParams) == before
    with settings():
        assert matplotlib.rcParams["font.size"] == 9


def test_a_figure_in_a_notebook(mixed):
    assert plots.trace(mixed, ["a"])._repr_png_().startswith(b"\x89PNG")


def test_a_trace_shows_extremes_and_gaps():
    from epsie.plots.trace import _thinned

    x, y = np.arange(1, 100_001), np.random.default_rng(1).normal(size=100_000)
    y[33_333], y[66_666] = 50, -60
    some_x, some = _thinned(x, y)
    assert len(some) < 2000 and some.max() == 50 and some.min() == -60
    assert (np.diff(some_x) >= 0).all()
    np.testing.assert_array_equal(y[some_x.astype(int) - 1], some)
    y[10_000:20_000] = nan
    some_x, some = _thinned(x, y)
    assert np.isnan(some[(some_x > 10_200) & (some_x < 19_800)]).all()


def test_regions_hold_what_they_say():
    rng = np.random.default_rng(1)
    x = rng.normal(size=(2, 200_000))
    density, *_ = np.histogram2d(*x, bins=60)
    nine, half = corners_levels(density)
    # 0.004 is four standard errors, what a bin more or less holds is about 0.005.
    assert density[density >= nine].sum() / x.shape[1] == pytest.approx(0.9, abs=0.01)
    assert density[density >= half].sum() / x.shape[1] == pytest.approx(0.5, abs=0.01)


def corners_levels(density):
    module = sys.modules["epsie.plots.corner"]
    assert module.corner is corners
    return module._levels(density)


def test_angles_are_shown_about_where_they_are():
    angles = np.array([[0.1, tau - 0.1, 0.2, tau - 0.3]])
    np.testing.assert_allclose(centred(angles, tau), [[0.1, -0.1, 0.2, -0.3]], atol=1e-12)
    np.testing.assert_allclose(centred(angles + 1, tau), [[1.1, 0.9, 1.2, 0.7]], atol=1e-12)
    around = np.linspace(0, tau, 50, endpoint=False)[None]
    np.testing.assert_allclose(centred(around, tau), around)
    np.testing.assert_allclose(centred(np.array([[355.0, 5.0]]), 360.0), [[-5.0, 5.0]])
    assert Sample("a", around, period=tau).limits() == pytest.approx((0, tau))
    assert np.isnan(centred(np.array([[nan]]), tau)).all()
    ticks = [_of_pi(t, 4) for t in (-3, -1, 0, 1, 2, 4)]
    assert ticks == ["−3π/2", "−π/2", "0", "π/2", "π", "2π"]
    assert pi < Sample("a", around, period=tau).limits()[1]


def test_what_a_sample_is(mixed):
    k, a, *_, phase, n = samples(View(mixed), None, None)
    assert k.discrete and n.discrete and not a.discrete and phase.period == tau
    assert 0 < a.share_active < 1 and k.share_active == 1
    np.testing.assert_array_equal(np.diff(n.edges(40)), 1)
    assert n.edges(40)[0] % 1 == 0.5
    assert abs(np.median(phase.active)) < 0.5 or abs(np.median(phase.active) - tau) < 0.5
    never = Sample("c", np.full((2, 5), nan))
    assert never.summary(99) == "never active" and never.limits() == (0, 1)
    rng = np.random.default_rng(1)
    text = Sample("d", rng.normal(3, 1, (4, 50_000))).summary(99)
    assert text == "$3.0^{+1.6}_{-1.6}$"
    assert Sample("d", rng.normal(3, 1, (4, 50_000))).summary(4) == ""


@pytest.mark.parametrize(
    ("value", "precision", "text"),
    [
        (0.25, 0.25, "0.25"),
        (-0.5, 0.5, "−0.5"),
        (1500.0, 500.0, "1500"),
        (-0.001, 0.1, "0.0"),
        (99999.5, 0.5, "99999.5"),
        (3e-7, 1e-7, "3e−7"),
        (-2.5e9, 5e8, "−2.5e9"),
        (12.0, 2.5, "12.0"),
    ],
)
def test_numbers(value, precision, text):
    assert number(value, precision) == text


def test_arguments(mixed, tempered):
    with pytest.raises(ValueError, match="parameters must be of k, a, b, phase, n; got z"):
        plots.trace(mixed, ["z"])
    with pytest.raises(ValueError, match="there is no blob 'z'; there are "):
        mixed.summary(blobs=["z"])
    with pytest.raises(ValueError, match="labels must be of .* got z"):
        plots.corner(mixed, labels={"z": "?"})
    with pytest.raises(ValueError, match="parameters must be of"):
        plots.adaptation(mixed, "z")
    with pytest.raises(ValueError, match="temperature must be an index"):
        plots.trace(mixed, temperature=1)
    with pytest.raises(ValueError, match="no samples are left: burn_in is iteration 600"):
        plots.corner(mixed, burn_in=600)
    for name in TEMPERED:
        with pytest.raises(ValueError, match="one temperature"):
            getattr(plots, name)(mixed)
    with pytest.raises(ValueError, match="chain must be an index below 2; got 2"):
        plots.round_trips(tempered[0], chain=2)
    with pytest.raises(TypeError, match="takes a sampler or what epsie.open_run gives"):
        plots.trace(np.zeros(3))
    fresh = MetropolisHastingsSampler("x", lambda x: (0.0, 0.0), 1)
    with pytest.raises(ValueError, match="there are no iterations"):
        plots.trace(fresh)


def test_short_runs_and_hot_temperatures(tempered):
    made = MetropolisHastingsSampler("x", lambda x: (-x * x, 0.0), 1, seed=1)
    made.start_position = {"x": [0.0]}
    made.run(1)
    for name in EACH:
        getattr(plots, name)(made)._repr_png_()
    plots.corner(tempered[0], temperature=3)._repr_png_()


def test_evidence_of_chains_that_still_learn():
    made = ParallelTemperedSampler(
        "x", lambda x: (-x * x, 0.0), 2, [1, 0.3, 0], proposals=ATAdaptiveNormal("x", 2000), seed=1
    )
    made.start_position = {"x": np.zeros((3, 2))}
    made.run(500)
    assert "by MBAR" in plots.evidence(made).get_suptitle()
    found = epsie.sample(
        lambda x: -x * x, {"x": (-5, 5)}, tempered=True, until=None, max_evaluations=2500, seed=1
    )
    assert "bridges to what was learned" in plots.evidence(found).get_suptitle()


def test_evidence_before_anything_is_proposed_independently():
    made = ParallelTemperedSampler(epsie.Posterior(lambda x: -x * x, {"x": (-5, 5)}), 4, seed=1)
    made.run(5)
    with pytest.raises(ValueError, match="too few independent draws"):
        made.log_evidence()
    assert plots.evidence(made, burn_in=0).get_suptitle() == "too few samples for an estimate"


def test_evidence_of_a_ladder_without_prior():
    made = ParallelTemperedSampler("x", lambda x: (-x * x, 0.0), 2, [1, 0.5], seed=1)
    made.start_position = {"x": np.zeros((2, 2))}
    made.run(50)
    figure = plots.evidence(made)
    assert "a part of the integral only" in figure.get_suptitle()
    plots.temperatures(made)._repr_png_()
    plots.round_trips(made)._repr_png_()
