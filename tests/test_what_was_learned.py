"""What chains learned together, as it is told; and that it is said where it misses something."""

import math

import numpy as np
import pytest
from scipy import stats

import epsie
from epsie import plots
from epsie.proposals import Learned, Normal
from epsie.proposals.learned.coordinates import Coordinate
from epsie.proposals.learned.history import History
from epsie.proposals.learned.learning import Lesson, learn
from epsie.proposals.learned.subject import Subject
from epsie.proposals.learned.transform import Transform
from epsie.samplers import MetropolisHastingsSampler
from tests.statistical import generator, seed
from tests.test_plots import overlaps

NAMES = [f"x{i}" for i in range(10)]
TAILS = "tails beyond may be unvisited"


def normal(**values):
    return -0.5 * sum(x * x / (1 + i) for i, x in enumerate(values.values())), 0.0


def banana(**values):
    """Bent so strongly that chains of this length do not see its ends."""
    x, y, *rest = values.values()
    bent = y + 0.1 * x * x - 10
    return -0.5 * (x * x / 100 + bent * bent + sum(z * z for z in rest)), 0.0


def run(model, n, number=0, names=NAMES, **settings):
    made = MetropolisHastingsSampler(names, model, 4, [Learned(names, **settings)], seed=number)
    starts = np.random.default_rng(number).uniform(0.5, 3, (len(names), 4))
    made.start_position = dict(zip(names, starts, strict=True))
    made.run(n)
    return made


@pytest.fixture(scope="module")
def learned():
    return run(normal, 2500, seed())


def test_it_tells_the_target_in_its_parameters(learned):
    known = learned.learned
    assert known.parameters == tuple(NAMES)
    assert known.weights.sum() == pytest.approx(1)
    (mean,), (cov,) = known.means, known.covariances
    # 10,000 evaluations: about 2,500 effective draws; five of their errors.
    assert np.abs(mean / np.sqrt(1 + np.arange(10))).max() < 0.1
    assert np.diagonal(cov) / (1 + np.arange(10)) == pytest.approx(1, abs=0.15)
    assert set(known.coordinates.values()) == {"identity"}
    assert sum(known.probabilities.values()) == pytest.approx(1)
    assert 0.7 < known.acceptance["independence"] < 1
    iterations = [lesson.iteration for lesson in known.lessons]
    assert iterations == sorted(iterations) and len(iterations) > 10
    changes = [lesson.change for lesson in known.lessons]
    assert math.isnan(changes[0]) and max(changes[1:4]) > 0.5 and changes[-1] < 0.15
    assert "1 component" in repr(known) and "independence" in known._repr_html_()


def test_an_opened_run_tells_the_same(learned, tmp_path):
    made = run(normal, 100)
    assert made.learned is not None
    again = run(normal, 0)
    assert again.learned is None
    again.run(100, directory=tmp_path / "run")
    opened = epsie.open_run(tmp_path / "run").learned
    assert repr(opened) == repr(made.learned)
    np.testing.assert_array_equal(opened.means, made.learned.means)


def test_a_picture_of_it(learned):
    figure = plots.learned(learned, ["x0", "x9", "x3"])
    assert overlaps(figure) == []
    outline = figure.axes[0].lines[1].get_xydata()
    assert outline[:, 1].std() / outline[:, 0].std() == pytest.approx(math.sqrt(10), rel=0.15)
    plots.learned(learned)
    with pytest.raises(ValueError, match="two or more that are learned together"):
        plots.learned(learned, "x0")
    with pytest.raises(ValueError, match="nothing was learned together"):
        plots.learned(run(normal, 20))


def test_bent_coordinates_are_told_in_the_parameters():
    rng = generator("bent")
    names, bounds = ["a", "b"], {"a": (0.0, math.inf)}

    def model(a, b):
        return -0.5 * (math.log(a) ** 2 / 0.01 + b * b) - math.log(a), 0.0

    made = MetropolisHastingsSampler(names, model, 4, [Learned(names, bounds)], seed=seed())
    made.start_position = {name: rng.uniform(0.8, 1.2, 4) for name in names}
    made.run(1500)
    known = made.learned
    k = int(known.weights.argmax())
    assert known.means[k, 0] == pytest.approx(1.0, abs=0.1)
    assert known.covariances[k, 0, 0] == pytest.approx(0.01, rel=0.5)


def test_of_several_proposals_each_tells_its_own_and_of_others_nothing():
    parts = [Learned(["x0"]), Learned(["x1"])]
    made = MetropolisHastingsSampler(["x0", "x1"], normal, 2, parts, seed=seed())
    made.start_position = {"x0": [0.1, 0.2], "x1": [0.3, 0.5]}
    made.run(100)
    assert [known.parameters for known in made.learned] == [("x0",), ("x1",)]
    other = MetropolisHastingsSampler(["x0"], normal, 2, [Normal(["x0"])], seed=seed())
    assert other.learned is None


def test_tails_that_are_not_visited_are_told():
    assert TAILS in str(run(banana, 1500).summary())


@pytest.mark.slow
@pytest.mark.in_part(3)
@pytest.mark.parametrize("number", range(5))
def test_tails_that_are_not_visited_are_told_in_every_run(number):
    """Where the tails' mass is wrong by a fifth and more it never is silent."""
    made = run(banana, 25_000, number)
    x = made.positions["x0"][:, 12_500:]
    beyond = float((np.abs(x) > 20).mean()) / 0.0455
    assert TAILS in str(made.summary()) or abs(beyond - 1) < 0.2


def test_of_a_normal_target_nothing_is_told(learned):
    assert TAILS not in str(learned.summary())


def test_coordinates_that_were_chosen_too_early_are_chosen_anew():
    subject = Subject([(-0.2, 12.0)], [None])
    rows = stats.truncnorm(-0.2, 12).rvs(900, random_state=seed())[:, np.newaxis]
    early = Transform([Coordinate("logit", -0.2, 12.0)], np.zeros(1), np.ones(1))
    histories = [History(np.arange(1.0, 901), rows, -0.5 * rows[:, 0] ** 2)]
    tallies = np.ones((6, 3))
    lesson = Lesson(900, histories, tallies, None, subject)
    former = learn(lesson._replace(tallies=0 * tallies), None, early)._replace(transform=early)
    assert lesson.settled
    found = learn(lesson, former, early)
    assert [c.kind for c in found.transform.coordinates] == ["softplus"]
    assert found.restart
    again = learn(lesson, found, early)
    assert again.transform is found.transform and not again.restart


@pytest.mark.slow
def test_coordinates_stay_where_what_is_learned_in_others_is_worse(monkeypatch):
    """Of many modes the whole may look more normal in others, in which none is told apart."""
    width, rng = 10 * np.pi, np.random.default_rng(0)
    modes = np.array([(a, b) for a in range(6) for b in range(6) if (a + b) % 2 == 0])
    masses = np.where(modes % 5 == 0, 0.5, 1.0).prod(axis=1)
    chosen = rng.choice(18, 6000, p=masses / masses.sum())
    rows = np.abs(2 * np.pi * modes[chosen] + 0.1 * rng.standard_normal((6000, 2)))
    rows = width - np.abs(width - rows)
    plain = Transform([Coordinate("identity", 0.0, width)] * 2, np.zeros(2), np.ones(2))
    histories = [History(np.arange(1.0, 376), part, None) for part in np.split(rows, 16)]
    lesson = Lesson(375, histories, np.ones((6, 4)), None, Subject([(0.0, width)] * 2, [None] * 2))
    with monkeypatch.context() as patch:
        patch.setattr(
            "epsie.proposals.learned.learning.chosen", lambda *_, **__: plain.refined(rows)
        )
        former = learn(lesson, None, plain)
    least = former.log_density(rows).mean() - 0.1
    assert learn(lesson, former, plain).log_density(rows).mean() > least
    monkeypatch.setattr("epsie.proposals.learned.learning._is_better", lambda *_: True)
    assert learn(lesson, former, plain).log_density(rows).mean() < least - 1
