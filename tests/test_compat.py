"""The interface of EPSIE 1.x, which scripts and PyCBC Inference are written against.

Names, signatures, registries, shapes, types, orders and errors. What differs on purpose is in the
table of CHANGELOG.md and is tested where it belongs. PyCBC itself runs in test_pycbc.py.
"""

import importlib
import importlib.metadata
import inspect
import math
import pickle
from pathlib import Path

import h5py
import numpy as np
import pytest

import epsie
from epsie import proposals as p
from epsie.chain import Chain, ChainData, DynamicalAnnealer, ParallelTemperedChain
from epsie.proposals import Boundaries
from epsie.samplers import MetropolisHastingsSampler, ParallelTemperedSampler

# ---- where names are


ADAPTIVE = ("", "Adaptive", "SSAdaptive", "ATAdaptive")
NAMES = {
    "epsie": "BIT_GENERATOR create_seed create_bit_generator create_bit_generators array2dict "
    "make_betas_ladder dump_state load_state samplers chain proposals",
    "epsie.samplers": "MetropolisHastingsSampler ParallelTemperedSampler load_state dump_state",
    "epsie.samplers.base": "BaseSampler",
    "epsie.samplers.mhsampler": "MetropolisHastingsSampler",
    "epsie.samplers.ptsampler": "ParallelTemperedSampler",
    "epsie.chain": "ChainData Chain ParallelTemperedChain DynamicalAnnealer",
    "epsie.chain.base": "BaseChain",
    "epsie.chain.chain": "Chain",
    "epsie.chain.ptchain": "ParallelTemperedChain DynamicalAnnealer",
    "epsie.chain.chaindata": "ChainData detect_dtypes",
    "epsie.proposals": "proposals births BaseProposal Boundaries",
    "epsie.proposals.base": "BaseProposal BaseBirth",
    "epsie.proposals.joint": "JointProposal",
    "epsie.proposals.normal": " ".join(f"{a}Normal" for a in ADAPTIVE),
    "epsie.proposals.bounded_normal": " ".join(f"{a}BoundedNormal" for a in ADAPTIVE)
    + " Boundaries",
    "epsie.proposals.angular": " ".join(f"{a}Angular" for a in ADAPTIVE),
    "epsie.proposals.eigenvector": "Eigenvector AdaptiveEigenvector",
    "epsie.proposals.bounded_eigenvector": "BoundedEigenvector AdaptiveBoundedEigenvector",
    "epsie.proposals.discrete": "NormalDiscrete AdaptiveNormalDiscrete SSAdaptiveNormalDiscrete "
    "BoundedDiscrete AdaptiveBoundedDiscrete SSAdaptiveBoundedDiscrete",
    "epsie.proposals.solid_angle": "IsotropicSolidAngle AdaptiveIsotropicSolidAngle",
    "epsie.proposals.birth": "UniformBirth NormalBirth LogNormalBirth",
    "epsie.proposals.nested_transdimensional": "NestedTransdimensional",
}


@pytest.mark.parametrize("module", NAMES)
def test_names_are_where_they_were(module):
    found = importlib.import_module(module)
    assert [name for name in NAMES[module].split() if not hasattr(found, name)] == []


# ---- registries: name, symmetric and the constructor of every class


JI = "jump_interval=1"
JID = f"{JI}, jump_interval_duration=None"
AT = "start_step=1, target_rate=None"
PROPOSALS = {
    "joint": ("JointProposal", None, "*proposals, bit_generator=None"),
    "normal": ("Normal", True, f"parameters, cov=None, {JID}"),
    "adaptive_normal": (
        "AdaptiveNormal",
        True,
        f"parameters, prior_widths, adaptation_duration, start_step=1, {JI}, **kwargs",
    ),
    "ss_adaptive_normal": ("SSAdaptiveNormal", True, f"parameters, cov=None, {JID}, **kwargs"),
    "at_adaptive_normal": (
        "ATAdaptiveNormal",
        True,
        f"parameters, adaptation_duration, diagonal=False, componentwise=False, {AT}, {JI}",
    ),
    "bounded_normal": ("BoundedNormal", False, f"parameters, boundaries, cov=None, {JID}"),
    "adaptive_bounded_normal": (
        "AdaptiveBoundedNormal",
        False,
        f"parameters, boundaries, adaptation_duration, start_step=1, {JI}, **kwargs",
    ),
    "ss_adaptive_bounded_normal": (
        "SSAdaptiveBoundedNormal",
        False,
        f"parameters, boundaries, cov=None, {JID}, **kwargs",
    ),
    "at_adaptive_bounded_normal": (
        "ATAdaptiveBoundedNormal",
        False,
        f"parameters, boundaries, adaptation_duration, componentwise=False, {AT}, {JI}",
    ),
    "angular": ("Angular", True, f"parameters, cov=None, {JID}"),
    "adaptive_angular": (
        "AdaptiveAngular",
        True,
        "parameters, adaptation_duration, jump_interval=1, start_step=1, **kwargs",
    ),
    "ss_adaptive_angular": ("SSAdaptiveAngular", True, f"parameters, cov=None, {JID}, **kwargs"),
    "at_adaptive_angular": (
        "ATAdaptiveAngular",
        True,
        f"parameters, adaptation_duration, componentwise=False, {AT}, {JI}",
    ),
    "eigenvector": ("Eigenvector", True, f"parameters, cov=None, shuffle_rate=0.33, {JID}"),
    "adaptive_eigenvector": (
        "AdaptiveEigenvector",
        True,
        "parameters, adaptation_duration, cov0=None, target_rate=None, shuffle_rate=0.33, "
        f"start_step=1, {JI}",
    ),
    "bounded_eigenvector": (
        "BoundedEigenvector",
        False,
        f"parameters, boundaries, cov=None, shuffle_rate=0.33, {JID}",
    ),
    "adaptive_bounded_eigenvector": (
        "AdaptiveBoundedEigenvector",
        False,
        "parameters, boundaries, adaptation_duration, cov0=None, target_rate=None, "
        f"shuffle_rate=0.33, start_step=1, {JI}",
    ),
    "discrete": ("NormalDiscrete", True, f"parameters, cov=None, successive=None, {JID}"),
    "ss_adaptive_discrete": (
        "SSAdaptiveNormalDiscrete",
        True,
        f"parameters, cov=None, successive=None, {JID}, **kwargs",
    ),
    "adaptive_discrete": (
        "AdaptiveNormalDiscrete",
        True,
        f"parameters, prior_widths, adaptation_duration, successive=None, {JI}, **kwargs",
    ),
    "bounded_discrete": (
        "BoundedDiscrete",
        False,
        f"parameters, boundaries, cov=None, successive=None, {JID}",
    ),
    "ss_adaptive_bounded_discrete": (
        "SSAdaptiveBoundedDiscrete",
        False,
        f"parameters, boundaries, cov=None, successive=None, {JID}, **kwargs",
    ),
    "adaptive_bounded_discrete": (
        "AdaptiveBoundedDiscrete",
        False,
        f"parameters, boundaries, adaptation_duration, successive=None, {JI}, **kwargs",
    ),
    "isotropic_solid_angle": (
        "IsotropicSolidAngle",
        True,
        f"azimuthal_parameter, polar_parameter, kappa=10, radec=False, degs=False, {JID}",
    ),
    "adaptive_isotropic_solid_angle": (
        "AdaptiveIsotropicSolidAngle",
        True,
        "azimuthal_parameter, polar_parameter, adaptation_duration, start_step=1, "
        f"target_rate=0.234, radec=False, degs=False, {JI}",
    ),
    "nested_transdimensional": (
        "NestedTransdimensional",
        None,
        "parameters, model_proposal, proposals, birth_distributions, bit_generator=None",
    ),
}
BIRTHS = {
    "uniform_birth": ("UniformBirth", "parameters, boundaries"),
    "normal_birth": ("NormalBirth", "parameters, mean, std"),
    "log_normal_birth": ("LogNormalBirth", "parameters, mean, std"),
}
SIGNATURES = {
    epsie.create_seed: "seed=None",
    epsie.create_bit_generator: "seed=None, stream=0",
    epsie.create_bit_generators: "ngenerators, seed=None",
    epsie.array2dict: "array",
    epsie.make_betas_ladder: "ntemps, maxtemp",
    epsie.dump_state: "state, fp, path=None, dsetname='sampler_state', protocol=None",
    epsie.load_state: "fp, path=None, dsetname='sampler_state'",
    MetropolisHastingsSampler: "parameters, model, nchains, proposals=None, default_proposal=None,"
    " default_proposal_args=None, seed=None, pool=None",
    ParallelTemperedSampler: "parameters, model, nchains, betas=None, swap_interval=1,"
    " proposals=None, adaptive_annealer=None, reset_after_swap=False, default_proposal=None,"
    " default_proposal_args=None, seed=None, pool=None",
    MetropolisHastingsSampler.create_chains: "self, nchains",
    ParallelTemperedSampler.create_chains: "self, nchains, betas, swap_interval=1,"
    " adaptive_annealer=None, reset_after_swap=False",
    ParallelTemperedSampler.set_proposals: "self, proposals=None, default_proposal=None,"
    " default_proposal_args=None",
    ParallelTemperedSampler.set_state: "self, state",
    ParallelTemperedSampler.checkpoint: "self, fp, path=None, dsetname='sampler_state'",
    ParallelTemperedSampler.set_state_from_checkpoint: "self, fp, path=None",
    Chain: "parameters, model, proposals, bit_generator=None, chain_id=0, beta=1.",
    ParallelTemperedChain: "parameters, model, proposals, betas=1., swap_interval=1,"
    " adaptive_annealer=None, reset_after_swap=False, bit_generator=None, chain_id=0",
    ChainData: "parameters, dtypes=None, ntemps=1",
    ChainData.extend: "self, n",
    ChainData.set_len: "self, n",
    ChainData.clear: "self, newlen=None",
    ChainData.asdict: "self, index=None",
    DynamicalAnnealer: "tau=1000, nu=10, Tmax_prior=True",
    DynamicalAnnealer.setup_decay: "self, tau, nu",
    DynamicalAnnealer.setup_annealing: "self, betas",
    p.Normal.set_jump_interval: "self, jump_interval, duration=None",
    p.Normal.jump: "self, fromx",
    p.Normal.logpdf: "self, xi, givenx",
    p.Normal.pdf: "self, xi, givenx",
    p.Normal.update: "self, chain",
    p.UniformBirth.logpdf: "self, xi",
    p.UniformBirth.pdf: "self, xi",
    p.NormalBirth.setup_mu_std: "self, mean, std",
    **{getattr(p, cls): expected for cls, _, expected in PROPOSALS.values()},
    **{getattr(p, cls): expected for cls, expected in BIRTHS.values()},
}


def broken(callee, expected):
    """What of the expected arguments is missing, elsewhere or has another default.

    Further arguments may follow, if they may be left out.
    """
    old = inspect.signature(eval(f"lambda {expected}: 0")).parameters
    new = inspect.signature(callee).parameters
    positional = [name for name in new if new[name].kind is not inspect.Parameter.KEYWORD_ONLY]
    wrong = []
    for place, (name, was) in enumerate(old.items()):
        if was.kind is was.VAR_KEYWORD:
            fits = any(now.kind is was.kind for now in new.values())
        elif name not in new or new[name].kind is not was.kind:
            fits = was.kind is was.KEYWORD_ONLY and any(
                n.kind is n.VAR_KEYWORD for n in new.values()
            )
        else:
            fits = new[name].default == was.default
            fits &= was.kind is was.KEYWORD_ONLY or positional.index(name) == place
        wrong += [] if fits else [name]
    needed = [
        name
        for name, now in new.items()
        if name not in old and now.default is now.empty and now.kind not in (2, 4)
    ]
    return wrong + needed


@pytest.mark.parametrize("callee", SIGNATURES, ids=lambda callee: callee.__qualname__)
def test_signatures(callee):
    assert broken(callee, SIGNATURES[callee]) == []


def test_the_comparison_of_signatures_sees_changes():
    assert broken(lambda a, c=1, b=0: 0, "a, b=0, c=1") == ["b", "c"]
    assert broken(lambda a, b=2: 0, "a, b=0") == ["b"]
    assert broken(lambda a, *, b=0: 0, "a, b=0") == ["b"]
    assert broken(lambda a, b: 0, "a") == ["b"]
    assert broken(lambda a: 0, "a, **kwargs") == ["kwargs"]
    assert broken(lambda a, b=0, **kwargs: 0, "a, **kwargs") == []


def test_registries():
    assert set(PROPOSALS) <= set(p.proposals)
    for name, (cls, symmetric, _) in PROPOSALS.items():
        assert p.proposals[name] is getattr(p, cls)
        assert p.proposals[name].name == name
        assert issubclass(p.proposals[name], p.BaseProposal)
        if symmetric is not None:
            assert p.proposals[name].symmetric is symmetric
    assert set(p.births) == set(BIRTHS)
    for name, (cls, _) in BIRTHS.items():
        assert p.births[name] is getattr(p, cls)
        assert p.births[name].name == name


def test_version():
    assert epsie.__version__ == importlib.metadata.version("epsie") == "2.0.0"
    citation = (Path(__file__).parent.parent / "CITATION.cff").read_text()
    assert f"version: {epsie.__version__}\n" in citation


# ---- functions of the package


def test_bit_generators():
    assert epsie.BIT_GENERATOR is np.random.PCG64
    assert epsie.create_seed(7) == 7
    assert isinstance(epsie.create_seed(), int)
    assert epsie.create_seed() > 2**64  # of 128 bits, nearly always
    sequence = np.random.SeedSequence(5)
    expected = [
        np.random.PCG64(sequence),
        *map(np.random.PCG64, np.random.SeedSequence(5).spawn(4)),
    ]
    assert epsie.create_bit_generator(5).state == expected[0].state
    assert epsie.create_bit_generator(5, stream=3).state == expected[4].state
    made = epsie.create_bit_generators(4, 5)
    assert [one.state for one in made] == [one.state for one in expected[1:]]
    assert all(isinstance(one, epsie.BIT_GENERATOR) for one in made)
    with pytest.raises(ValueError, match="ngenerators"):
        epsie.create_bit_generators(0)
    with pytest.raises(ValueError, match="stream must be at least 0"):
        epsie.create_bit_generator(1, -1)


def test_another_bit_generator_for_all(monkeypatch):
    monkeypatch.setattr(epsie, "BIT_GENERATOR", np.random.Philox)
    made = MetropolisHastingsSampler("x", gauss, 2, seed=1)
    assert isinstance(made.chains[1].bit_generator, np.random.Philox)
    assert isinstance(epsie.create_bit_generator(1), np.random.Philox)


def test_arrays_and_ladders():
    table = np.zeros(3, dtype=[("a", float), ("b", int)])
    assert set(epsie.array2dict(table)) == {"a", "b"}
    assert epsie.array2dict(table)["a"].shape == (3,)
    assert type(epsie.array2dict(table[0])["b"]) is int
    plain = np.ones(2)
    assert epsie.array2dict(plain) is plain
    with pytest.raises(AttributeError):
        epsie.array2dict(None)
    np.testing.assert_allclose(epsie.make_betas_ladder(4, 50), np.geomspace(0.02, 1, 4))


# ---- samplers


C, N, BETAS, T = 3, 20, [0.2, 1.0, 0.5], 3


def gauss(**x):
    return -0.5 * sum(value**2 for value in x.values()), 0.0


def with_blob(x, y):
    return -0.5 * (x * x + y * y), 0.0, {"sum": x + y, "inside": x < 1}


def mh(model=with_blob, **settings):
    settings.setdefault("default_proposal", p.Normal)
    made = MetropolisHastingsSampler(["x", "y"], model, C, seed=1, **settings)
    made.start_position = {"y": np.zeros(C), "x": np.arange(C)}
    return made


def pt(model=with_blob, betas=BETAS, **settings):
    settings.setdefault("default_proposal", p.Normal)
    made = ParallelTemperedSampler(["x", "y"], model, C, betas, seed=1, **settings)
    ntemps = np.size(betas)
    made.start_position = {"y": np.zeros((ntemps, C)), "x": np.ones((ntemps, C))}
    return made


def fields(table):
    return {name: table.dtype[name].str[1:] for name in table.dtype.names}


KINDS = pytest.mark.parametrize(("make", "shape"), [(mh, (C,)), (pt, (T, C))], ids=["mh", "pt"])


@KINDS
def test_tables(make, shape):
    made = make()
    for table in ("positions", "stats", "acceptance", "blobs"):
        with pytest.raises(ValueError):
            getattr(made, table)
    assert made.run(N) is None
    assert made.positions.shape == made.stats.shape == (*shape, N)
    assert made.acceptance.shape == made.blobs.shape == (*shape, N)
    assert fields(made.positions) == {"x": "f8", "y": "f8"}
    assert fields(made.stats) == {"logl": "f8", "logp": "f8"}
    assert fields(made.acceptance) == {"acceptance_ratio": "f8", "accepted": "b1"}
    assert fields(made.blobs) == {"sum": "f8", "inside": "b1"}
    assert made.acceptance["acceptance_ratio"].max() <= 1
    assert make(gauss).blobs is None
    # A fresh copy that may be written to.
    first = made.positions["x"].flat[0]
    made.positions["x"][:] = 99
    assert made.positions["x"].flat[0] == first


@KINDS
def test_where_chains_stand(make, shape):
    made = make()
    start = made.start_position
    assert list(start) == list(made.current_positions) == ["x", "y"]
    assert all(values.shape == shape and values.dtype == float for values in start.values())
    np.testing.assert_equal(made.current_positions, start)
    assert list(made.current_stats) == ["logl", "logp"]
    assert {name: values.shape for name, values in made.current_blobs.items()} == {
        "sum": shape,
        "inside": shape,
    }
    made.run(N)
    np.testing.assert_equal(made.current_positions["x"], made.positions["x"][..., -1])
    np.testing.assert_equal(made.current_blobs["sum"], made.blobs["sum"][..., -1])
    made.clear()
    assert (made.niterations, made.lastclear, made.nchains) == (N, N, C)
    np.testing.assert_equal(made.start_position, made.current_positions)
    assert make(gauss).current_blobs is None
    unset = MetropolisHastingsSampler("x", gauss, 2)
    for name in ("start_position", "current_positions", "state"):
        with pytest.raises(ValueError, match="start"):
            getattr(unset, name)


@KINDS
def test_clears_change_nothing(make, shape):
    whole, parts = make(), make()
    whole.run(N)
    parts.run(7)
    first = parts.positions
    parts.clear()
    parts.run(N - 7)
    assert parts.positions.shape == (*shape, N - 7)
    joined = np.concatenate([first, parts.positions], axis=-1)
    np.testing.assert_array_equal(joined, whole.positions)


def test_settings_can_be_read_and_set():
    made = pt(gauss, swap_interval=2, pool=None)
    assert made.parameters == ("x", "y")
    assert MetropolisHastingsSampler("x", gauss, 1).parameters == ("x",)
    assert made.seed == 1 and isinstance(MetropolisHastingsSampler("x", gauss, 1).seed, int)
    assert made.model is gauss and made.pool is None
    made.model = made.model
    made.pool = None
    made.seed = 5
    made.parameters = ["x", "y"]
    assert made.swap_interval == 2
    made.swap_interval = 4
    assert [chain.swap_interval for chain in made.chains] == [4] * C
    made.chains = made.chains[:2]
    assert made.nchains == 2
    made.create_chains(2, [1, 0.5])
    assert (made.nchains, made.ntemps) == (2, 2)
    with pytest.raises(ValueError, match="nchains"):
        made.create_chains(0, BETAS)
    with pytest.raises(ValueError, match="nchains"):
        MetropolisHastingsSampler("x", gauss, 0)


def test_proposals_are_templates_and_the_default_covers_the_rest():
    given = p.Normal("y", cov=4)
    made = mh(gauss, proposals=[given], default_proposal=p.SSAdaptiveNormal,
              default_proposal_args={"cov": 9})  # fmt: skip
    assert made.proposals[0] is given
    assert [part.parameters for part in made.proposals] == [("y",), ("x",)]
    assert isinstance(made.proposals[1], p.SSAdaptiveNormal) and made.proposals[1].cov == [9]
    own = [chain.proposal_dist.proposals[0] for chain in made.chains]
    assert len({id(part) for part in [given, *own]}) == C + 1
    assert isinstance(mh(gauss).proposals[0], p.Normal)
    assert mh(gauss).proposals[0].cov.tolist() == [1, 1]
    assert isinstance(mh(gauss, default_proposal=None).proposals[0], p.Learned)
    (of_args,) = mh(gauss, default_proposal=None, default_proposal_args={"cov": 9}).proposals
    assert isinstance(of_args, p.Normal)


def test_pools_are_anything_with_a_map():
    class Pool:
        calls = ()

        def map(self, function, iterable):
            items = list(iterable)
            self.calls = (*self.calls, len(items))
            return [function(item) for item in items]

    pool = Pool()
    made, serial = pt(pool=pool), pt()
    made.run(N)
    serial.run(N)
    assert set(pool.calls) == {C}  # one item per chain, all its temperatures together
    np.testing.assert_array_equal(made.positions, serial.positions)


@KINDS
def test_starts_that_are_refused(make, shape):
    def nowhere(**x):
        return 0.0, -math.inf

    with pytest.raises(ValueError, match="prior"):
        make(nowhere)
    with pytest.raises(TypeError, match="dict"):
        make(lambda **x: (0.0, 0.0, [1, 2]))
    made = make(gauss)
    # The key by which EPSIE 1.x told active components is no parameter.
    made.start_position = {**made.start_position, "_state": np.ones(shape, bool)}


def test_tempered_arrays():
    made = pt(swap_interval=3)
    made.run(N)
    assert made.betas.shape == made.temperatures.shape == (C, T)
    assert made.betas.tolist() == [[1.0, 0.5, 0.2]] * C
    assert pt(betas=[1, 0]).temperatures.tolist() == [[1, math.inf]] * C
    with pytest.raises(AttributeError):
        made.betas = BETAS
    ratios, swaps = made.temperature_acceptance, made.temperature_swaps
    assert ratios.shape == (T - 1, C, N // 3) and ratios.dtype == float
    assert swaps.shape == (T, C, N // 3) and swaps.dtype.kind == "i"
    np.testing.assert_array_equal(np.sort(swaps, axis=0)[:, 0, 0], range(T))
    with pytest.raises(ValueError, match=r"\[0, 1\]"):
        pt(betas=[1, 1.5])


@pytest.mark.parametrize("betas", [[1.0, 0.3], [1.0], 1.0])
def test_two_temperatures_and_one(betas):
    made = pt(betas=betas)
    made.run(4)
    if np.size(betas) == 2:
        assert made.temperature_acceptance.shape == (1, C, 4)
        assert made.temperature_swaps.shape == (2, C, 4)
    else:
        assert made.temperature_acceptance is None and made.temperature_swaps is None
        assert made.positions.shape == (1, C, 4)


# ---- chains


def chain(model=with_blob, **settings):
    made = Chain(["x", "y"], model, [p.Normal(["x", "y"])], bit_generator=3, **settings)
    made.start_position = {"x": 0.5, "y": 0.0}
    return made


def ptchain(model=with_blob, **settings):
    made = ParallelTemperedChain(
        ["x", "y"], model, [p.Normal(["x", "y"])], BETAS, bit_generator=3, **settings
    )
    made.start_position = {"x": np.zeros(T), "y": np.ones(T)}
    return made


def test_chain():
    made = chain(chain_id=4, beta=0.5)
    assert (made.chain_id, made.beta, made.parameters) == (4, 0.5, ("x", "y"))
    assert made.transdimensional is None and made.hasblobs is True
    assert isinstance(made.proposal_dist, p.JointProposal)
    with pytest.raises(ValueError):
        made.proposed_position  # noqa: B018
    assert made.start_position == {"x": 0.5, "y": 0.0}
    assert made.stats0 == {"logl": -0.125, "logp": 0.0} and made.blob0["sum"] == 0.5
    made.stats0 = {"logl": -3.0, "logp": 0.0}
    assert made.current_stats["logl"] == -3
    with pytest.raises(ValueError):
        made.stats0 = {"logl": 0.0, "logp": -math.inf}
    made.blob0 = {"sum": 1.0, "inside": False}
    assert made.current_blob["sum"] == 1
    made.scratchlen = 10
    assert made.step() is made
    for _ in range(3):
        made.step()
    assert (len(made), made.iteration, made.lastclear, made.scratchlen) == (4, 4, 0, 10)
    assert made.positions.shape == made.stats.shape == made.acceptance.shape == (4,)
    row = made[2]
    assert set(row) == {"positions", "stats", "acceptance", "blobs"}
    assert row["positions"]["x"] == made.positions["x"][2]
    assert set(made.proposed_position) == {"x", "y"}
    made.proposed_position = {"x": 7.0, "y": 8.0, "_state": np.ones(2, bool)}
    assert made.proposed_position == {"x": 7.0, "y": 8.0}
    stands = made.current_position
    assert all(type(value) is float for value in stands.values())
    assert made.clear() is made
    assert (len(made), made.lastclear, made.start_position) == (0, 4, stands)
    assert isinstance(made.bit_generator, epsie.BIT_GENERATOR)
    assert isinstance(made.random_generator, np.random.Generator)
    made.random_state = np.random.PCG64(1).state
    assert made.random_generator.bit_generator is made.bit_generator


def test_a_chain_whose_proposals_all_rest_tells_where_it_stands():
    made = Chain("x", gauss, [p.Normal("x", jump_interval=5, jump_interval_duration=50)])
    made.start_position = {"x": 0.5}
    made.step()
    assert made.proposed_position == {"x": 0.5}


def test_tempered_chain():
    made = ptchain(swap_interval=2)
    assert made.betas.tolist() == [1, 0.5, 0.2] and made.temperatures.tolist() == [1, 2, 5]
    assert [one.beta for one in made.chains] == [1, 0.5, 0.2]
    assert (made.ntemps, made.swap_interval, made.transdimensional) == (T, 2, None)
    assert made.adaptive_annealer is None and made.reset_after_swap is False
    for _ in range(6):
        assert made.step() is made
    assert made.positions.shape == made.stats.shape == made.blobs.shape == (T, 6)
    assert made.temperature_acceptance.shape == (T - 1, 3)
    assert made.temperature_swaps.shape == (T, 3)
    for values in (made.current_position, made.start_position, made.current_stats, made.stats0):
        assert {one.shape for one in values.values()} == {(T,)}
    assert {one.shape for one in made.current_blob.values()} == {(T,)}
    assert made[1]["positions"]["x"].shape == (T,)
    made.swap_temperatures()
    made.betas = [0.9, 1.0, 0.1]
    assert [one.beta for one in made.chains] == [1, 0.9, 0.1]
    made.reset_after_swap = True
    with pytest.raises(ValueError, match="bool"):
        made.reset_after_swap = "yes"
    assert made.clear() is None
    assert (len(made), made.lastclear) == (0, 6)
    # All temperatures draw from one source.
    assert {id(one.bit_generator) for one in made.chains} == {id(made.bit_generator)}


def test_a_row_of_a_tempered_chain_is_the_one_after_the_swap():
    made = ptchain()
    for _ in range(30):
        before = [one.current_position["x"] for one in made.chains]
        made.step()
        # What a temperature's own step made of its position: accepted or not.
        stepped = [
            one.proposed_position["x"] if one.acceptance["accepted"][-1] else x
            for one, x in zip(made.chains, before, strict=True)
        ]
        order = made.temperature_swaps[:, -1]
        assert made.positions["x"][:, -1].tolist() == [stepped[t] for t in order]
        assert made.blobs["sum"][:, -1].tolist() == made.current_blob["sum"].tolist()


def test_reset():
    parts = [p.AdaptiveNormal(["x", "y"], {"x": Boundaries((-9, 9)), "y": Boundaries((0, 4))}, 50)]
    made = Chain(["x", "y"], gauss, parts, bit_generator=1)
    own = made.proposal_dist.proposals[0]
    made.start_position = {"x": 0, "y": 0}
    first = own.std
    for _ in range(20):
        made.step()
    assert (own.std != first).all()
    made.reset_proposals()
    assert own.start_step == own.nsteps == 20
    np.testing.assert_array_equal(own.std, first)


def test_chaindata():
    data = ChainData(["a", "b"], dtypes={"b": int})
    assert data.parameters == ("a", "b") and data.ntemps == 1
    assert data.data is None and len(data) == 0
    data.extend(3)
    assert len(data) == 3 and np.isnan(data["a"]).all()
    data[1] = {"a": 2.0, "b": 5}
    assert data.asdict(1) == {"a": 2.0, "b": 5}
    assert data.asdict()["b"].dtype == int
    data.set_len(5)
    with pytest.raises(ValueError):
        data.set_len(2)
    data.dtypes = {"b": float}
    assert data["b"].dtype == float and data["b"][1] == 5
    with pytest.raises(ValueError):
        data.dtypes = {"c": float}
    data.clear(newlen=2)
    assert len(data) == 2 and np.isnan(data["a"]).all()
    tempered = ChainData("a", ntemps=3)
    tempered.extend(4)
    assert tempered["a"].shape == (4, 3)
    from epsie.chain.chaindata import detect_dtypes

    assert detect_dtypes({"a": 1.0, "b": 2}) == {"a": float, "b": int}
    assert detect_dtypes(data.data)["a"] == np.dtype(float)


def test_annealers():
    annealer = DynamicalAnnealer(100, 5, False)
    made = pt(gauss, adaptive_annealer=annealer)
    made.run(N)
    assert made.betas.shape == (C, T) and (made.betas[:, 0] == 1).all()
    assert (made.betas[:, -1] == 0.2).all() and (made.betas[:, 1] != 0.5).all()
    hot = pt(gauss, adaptive_annealer=DynamicalAnnealer())
    assert (hot.betas[:, -1] == 0).all()
    with pytest.raises(ValueError, match="tau"):
        annealer.setup_decay(5, 10)


# ---- state and checkpoints

STATE_KEYS = {
    "chain_id",
    "proposal_dist",
    "iteration",
    "current_position",
    "proposed_position",
    "current_stats",
    "hasblobs",
    "current_blob",
}


def test_state():
    made = mh(proposals=[p.Normal(["x", "y"])])
    made.run(N)
    assert list(made.state) == [0, 1, 2]
    for i, state in made.state.items():
        assert set(state) >= STATE_KEYS
        assert (state["chain_id"], state["iteration"], state["hasblobs"]) == (i, N, True)
        drawn = state["proposal_dist"]["random_state"]
        assert drawn["state"] == made.chains[i].bit_generator.state["state"]
        assert "x+y" in state["proposal_dist"]


def test_state_of_tempered_chains():
    made = pt()
    made.run(N)
    state = made.state
    assert [list(one) for one in state.values()] == [[0, 1, 2]] * C
    for one in state.values():
        assert all(set(one[t]) >= STATE_KEYS for t in range(T))
        randoms = [one[t]["proposal_dist"]["random_state"] for t in range(T)]
        assert randoms[0] == randoms[1] == randoms[2]
    assert state[0][2] == {**state[0][2], **_without(made.chains[0].chains[2].state, "nan_count")}


def _without(state, name):
    return {key: value for key, value in state.items() if key != name}


W = {"x": Boundaries((-9, 9)), "y": Boundaries((-9, 9))}
LEARNED = {
    "veitch": (lambda: p.AdaptiveNormal(["x", "y"], W, 99), {"std": (2,)}),
    "sivia": (lambda: p.SSAdaptiveNormal(["x", "y"]), {"std": (2,), "n_accepted": ()}),
    "sivia, correlated": (
        lambda: p.SSAdaptiveNormal(["x", "y"], [[2, 1], [1, 2]]),
        {"cov": (2, 2)},
    ),
    "andrieu": (
        lambda: p.ATAdaptiveNormal(["x", "y"], 99),
        {"cov": (2, 2), "mean": (2,), "unit_cov": (2, 2), "log_lambda": ()},
    ),
    "andrieu, diagonal": (
        lambda: p.ATAdaptiveBoundedNormal(["x", "y"], W, 99),
        {"std": (2,), "mean": (2,), "unit_cov": (2,), "log_lambda": ()},
    ),
    "eigenvector": (
        lambda: p.AdaptiveEigenvector(["x", "y"], 99),
        {"cov": (2, 2), "ind": (), "log_lambda": (2,)},
    ),
    "fixed eigenvector": (lambda: p.Eigenvector(["x", "y"]), {"cov": (2, 2), "ind": ()}),
    "solid angle": (lambda: p.AdaptiveIsotropicSolidAngle("x", "y", 99), {"kappa": ()}),
}


@pytest.mark.parametrize("case", LEARNED)
def test_what_is_learned_can_be_read_from_the_state(case):
    make, expected = LEARNED[case]
    made = MetropolisHastingsSampler(["x", "y"], gauss, 2, proposals=[make()], seed=2)
    made.start_position = {"x": [0.1, 0.2], "y": [0.3, 0.4]}
    made.run(40)
    own = made.chains[0].proposal_dist.proposals[0]
    state = made.state[0]["proposal_dist"]["x+y"]
    assert state["nsteps"] == 40
    assert set(own.state) == {*state, "random_state"}
    for name, shape in expected.items():
        assert np.shape(state[name]) == shape, name
        np.testing.assert_array_equal(state[name], getattr(own, name, state[name]))
    if "fixed" not in case:
        assert state["start_step"] == 1


@KINDS
def test_a_checkpoint_goes_on(make, shape, tmp_path):
    whole, first, second = make(), make(), make()
    whole.run(2 * N)
    first.run(N)
    with h5py.File(tmp_path / "c.hdf", "w") as fp:
        fp.create_group("sampler_info")
        first.checkpoint(fp, path="sampler_info")
        assert list(fp["sampler_info"]) == ["sampler_state"]
        assert fp["sampler_info/sampler_state"].ndim == 1
        first.checkpoint(fp, path="sampler_info")
        second.set_state_from_checkpoint(fp, path="sampler_info")
        assert set(epsie.load_state(fp, "sampler_info")) == set(range(C))
    assert (second.niterations, second.lastclear) == (N, N)
    second.run(N)
    np.testing.assert_array_equal(second.positions, whole.positions[..., N:])
    with pytest.raises(ValueError):
        second.set_state({i: first.state[i] for i in range(C - 1)})


def test_errors_of_loading(tmp_path):
    made = mh()
    with h5py.File(tmp_path / "c.hdf", "w") as fp:
        for path in ("nothing", None):
            with pytest.raises(KeyError):
                epsie.load_state(fp, path)
        epsie.dump_state(made.state, fp, protocol=4)
        size = fp["sampler_state"].size
        fp["sampler_state"][: size // 2] = 7
        with pytest.raises(pickle.UnpicklingError):
            epsie.load_state(fp)


def state_of_epsie_1():
    """A state as EPSIE 1.x pickled it."""
    return {
        i: {
            "chain_id": i,
            "proposal_dist": {
                frozenset({"x", "y"}): {"random_state": np.random.PCG64(i).state},
                "random_state": np.random.PCG64(i).state,
            },
            "iteration": N,
            "current_position": {"x": 0.5, "y": 1.5},
            "proposed_position": {"x": 0.5, "y": 1.5},
            "current_stats": {"logl": -1.25, "logp": 0.0},
            "hasblobs": False,
            "current_blob": None,
        }
        for i in range(C)
    }


def test_states_of_epsie_1_load_if_asked_and_give_a_start(tmp_path):
    made = mh(gauss)
    with h5py.File(tmp_path / "c.hdf", "w") as fp:
        data = np.frombuffer(pickle.dumps(state_of_epsie_1()), dtype="S1")
        fp.create_dataset("sampler_state", data=data, maxshape=(None,))
        with pytest.raises(pickle.UnpicklingError, match="allow_pickle"):
            made.set_state_from_checkpoint(fp)
        state = epsie.load_state(fp, allow_pickle=True)
    with pytest.raises(ValueError, match=r"EPSIE 1\.x.*start_position"):
        made.set_state(state)
    made.start_position = {
        name: [state[i]["current_position"][name] for i in range(C)] for name in made.parameters
    }
    assert made.start_position["y"].tolist() == [1.5] * C


# ---- proposals


def test_what_all_proposals_have():
    made = p.Normal("x", cov=4)
    assert made.parameters == ("x",) and made.ndim == 1
    assert made.transdimensional is None
    assert set(made.jump({"x": 0.0, "_state": [True]})) == {"x"}
    assert made.logpdf({"x": 1.0}, {"x": 0.0}) == pytest.approx(
        -0.125 - 0.5 * math.log(8 * math.pi)
    )
    assert made.pdf({"x": 1.0}, {"x": 0.0}) == pytest.approx(
        math.exp(made.logpdf({"x": 1}, {"x": 0}))
    )
    made.bit_generator = 5
    first = made.jump({"x": 0.0})
    made.bit_generator = np.random.PCG64(np.random.SeedSequence(5))
    assert made.jump({"x": 0.0}) == first
    made.bit_generator = None
    assert isinstance(made.random_generator, np.random.Generator)
    state = made.random_state
    first = made.jump({"x": 0.0})
    made.random_state = state
    assert made.jump({"x": 0.0}) == first
    assert (made.jump_interval, made.jump_interval_duration, made.nsteps) == (1, None, 0)
    made.set_jump_interval(3, 10)
    assert (made.jump_interval, made.jump_interval_duration) == (3, 10)
    for bad in ((0, 5), (2, None)):
        with pytest.raises(ValueError, match="jump_interval"):
            made.set_jump_interval(*bad)


def test_covariances():
    made = p.Normal(["x", "y"])
    assert made.isdiagonal and made.std.tolist() == [1, 1]
    made.std = [1, 2]
    assert made.cov.tolist() == [1, 4]
    made.cov = np.diag([9.0, 1.0])
    assert made.isdiagonal and made.std.tolist() == [3, 1]
    made.cov = [[2, 1], [1, 2]]
    assert not made.isdiagonal
    np.testing.assert_allclose(made.cov, [[2, 1], [1, 2]])
    for use in (lambda: made.std, lambda: setattr(made, "std", 1)):
        with pytest.raises(ValueError, match="diagonal"):
            use()


def test_settings_of_learning():
    made = p.AdaptiveNormal("x", {"x": Boundaries((0, 10))}, 100, start_step=3)
    assert (made.start_step, made.adaptation_duration, made.target_rate) == (3, 100, 0.234)
    assert made.deltas.tolist() == [10] and made.prior_widths == {"x": 10}
    assert made.adaptation_decay == pytest.approx(0.5)
    assert made.std[0] == pytest.approx(0.09 * (1 - 0.234) * 10)
    made = p.SSAdaptiveNormal(["x", "y"], max_cov=4)
    assert made.n_accepted == 0 and made.max_std.tolist() == [2, 2]
    assert p.ATAdaptiveNormal("x", 100).target_rate == 0.234
    assert p.ATAdaptiveNormal("x", 100, componentwise=True).target_rate == 0.48
    for wrong in ({"start_step": 0}, {"adaptation_duration": 0}, {"target_rate": 1.0}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            p.ATAdaptiveNormal("x", **{"adaptation_duration": 100, **wrong})
    with pytest.raises(ValueError, match="x"):
        p.AdaptiveNormal("x", {}, 100)


def test_what_pycbc_gives_to_constructors():
    box = {"x": Boundaries((0.0, 4.0))}
    common = {"parameters": ["x"], "start_iteration": 4, "target_rate": 0.3}
    veitch = {**common, "adaptation_duration": 20, "adaptation_decay": 2}
    made = [
        p.AdaptiveNormal(prior_widths=box, initial_std=np.array([0.5]), **veitch),
        p.AdaptiveBoundedNormal(boundaries=box, **veitch),
        p.AdaptiveAngular(**veitch),
        p.AdaptiveNormalDiscrete(prior_widths=box, successive={"x": True}, **veitch),
        p.AdaptiveBoundedDiscrete(boundaries=box, successive={"x": True}, **veitch),
        p.ATAdaptiveNormal(adaptation_duration=None, diagonal=True, componentwise=True, **common),
        p.ATAdaptiveBoundedNormal(boundaries=box, adaptation_duration=None, **common),
        p.ATAdaptiveAngular(adaptation_duration=None, componentwise=True, **common),
    ]
    assert {(one.start_step, one.target_rate) for one in made} == {(4, 0.3)}
    assert [one.adaptation_duration for one in made] == [20] * 5 + [None] * 3
    for cls in (p.Normal, p.Angular):
        assert cls(parameters=["x"], cov=None).cov.tolist() == [1]
    for cls in (p.BoundedNormal, p.BoundedDiscrete):
        assert cls(parameters=["x"], boundaries=box, cov=np.array([0.16])).cov == pytest.approx(
            0.16
        )


def test_boundaries():
    made = Boundaries((1, 3))
    assert (made.lower, made.upper, abs(made)) == (1, 3, 2)
    assert isinstance(made, tuple) and 1 in made and 3.1 not in made
    for wrong in ((1, 2, 3), (1,)):
        with pytest.raises(ValueError):
            Boundaries(wrong)


def test_bounded():
    made = p.BoundedNormal(["x", "y"], W)
    assert made.boundaries == W
    made.boundaries = {**W, "x": Boundaries((0, 1))}
    assert {"x": 0, "y": 3} in made and {"x": 2} not in made
    with pytest.raises(ValueError):
        {"z": 1} in made  # noqa: B015
    with pytest.raises(ValueError, match="Given point"):
        made.jump({"x": 5.0, "y": 0.0})
    with pytest.raises(ValueError):
        p.BoundedNormal(["x", "y"], {"x": Boundaries((0, 1))})
    whole = p.BoundedDiscrete("x", {"x": Boundaries((0.5, 3.2))})
    assert whole.boundaries["x"] == (0, 4)
    with pytest.raises(ValueError, match="Given point"):
        whole.jump({"x": 7})


def test_angular_jumps_stay_on_the_circle():
    made = p.Angular("x", 9.0)
    jumps = [made.jump({"x": 6.2})["x"] for _ in range(200)]
    assert min(jumps) >= 0 and max(jumps) < 2 * math.pi


def test_discrete():
    made = p.NormalDiscrete(["x", "y"], cov=2.0)
    assert made.successive == {"x": False, "y": False}
    for _ in range(20):
        to = made.jump({"x": 3, "y": 0})
        assert type(to["x"]) is int and to["x"] != 3
    assert made.logpdf({"x": 3, "y": 1}, {"x": 3, "y": 0}) == -math.inf
    may = p.NormalDiscrete("x", successive={"x": True})
    assert may.logpdf({"x": 3}, {"x": 3}) > -math.inf
    assert may.logpdf({"x": 4.2}, {"x": 3}) == may.logpdf({"x": 4}, {"x": 3})
    with pytest.raises(ValueError, match="all dictionary values must be bools"):
        p.NormalDiscrete("x", successive={"x": 1})
    with pytest.raises(ValueError, match="must provide `successive` for each parameter"):
        p.NormalDiscrete(["x", "y"], successive={"x": True})


def test_eigenvectors_and_solid_angles():
    made = p.Eigenvector(["x", "y"], [[2, 1], [1, 2]])
    assert made.eigvals.tolist() == pytest.approx([1, 3]) and made.eigvects.shape == (2, 2)
    assert made.shuffle_rate == 0.33
    assert p.BoundedEigenvector(["x", "y"], W).hyperplanes.ndim == 2
    with pytest.raises(ValueError):
        p.BoundedEigenvector("x", {"x": Boundaries((0, 1))})
    sphere = p.IsotropicSolidAngle("a", "b", 10, True, False)
    assert (sphere.kappa, sphere.isradec, sphere.isdegs) == (10, True, False)
    assert sphere.norm == pytest.approx(10 / (4 * math.pi * math.sinh(10)) * math.exp(10))
    assert p.AdaptiveIsotropicSolidAngle("a", "b", 100).kappa == 5
    with pytest.raises(ValueError, match="radec"):
        p.IsotropicSolidAngle("a", "b", radec=1)


def test_births():
    made = p.UniformBirth("x", {"x": Boundaries((0, 4))})
    assert 0 <= made.birth["x"] <= 4 and made.birth != made.birth
    assert made.boundaries == {"x": (0, 4)}
    assert made.logpdf({"x": 1}) == pytest.approx(-math.log(4))
    assert made.pdf({"x": 1}) == pytest.approx(0.25)
    twin = p.UniformBirth("x", {"x": Boundaries((0, 4))})
    twin.set_state(made.state)
    assert twin.birth == made.birth
    normal = p.NormalBirth("x", {"x": 1}, {"x": 2})
    assert (normal.mu["x"], normal.std["x"]) == (1, 2)
    log = p.LogNormalBirth("x", {"x": 2}, {"x": 1})
    assert log.std["x"] == pytest.approx(math.sqrt(math.log(1.25)))
    assert log.mu["x"] == pytest.approx(math.log(2) - 0.5 * math.log(1.25))


def nested():
    return p.NestedTransdimensional(
        ["k", "a", "b"],
        p.BoundedDiscrete("k", {"k": Boundaries((0, 2))}),
        [p.Normal("a"), p.Normal("b")],
        [p.UniformBirth("b", {"b": Boundaries((0, 1))}), p.NormalBirth("a", {"a": 0}, {"a": 1})],
    )


def test_nested_transdimensional():
    made = nested()
    assert isinstance(made.proposals, np.ndarray) and made.proposals.dtype == object
    assert made.model_proposal.parameters == ("k",)
    assert [part.birth_distribution.parameters for part in made.proposals] == [("a",), ("b",)]
    seen = []

    def model(**x):
        seen.append(set(x))
        return 0.0, 0.0

    sampled = MetropolisHastingsSampler(["k", "a", "b"], model, 2, proposals=[made], seed=1)
    assert sampled.chains[0].transdimensional is True
    nan = math.nan
    sampled.start_position = {"k": [0, 1], "a": [nan, 0.5], "b": [nan, nan], "_state": [[0, 0]] * 2}
    sampled.run(50)
    got = sampled.positions
    assert got["k"].dtype == int
    active = np.isfinite(got["a"]).astype(int) + np.isfinite(got["b"])
    np.testing.assert_array_equal(got["k"], active)
    assert all(names == {"k", "a", "b"} for names in seen)
    with pytest.raises(ValueError):
        p.NestedTransdimensional(["k", "a"], p.NormalDiscrete("k"), [p.Normal("a")], [])
    second = p.NestedTransdimensional(
        ["l", "c"], p.NormalDiscrete("l"), [p.Normal("c")], [p.NormalBirth("c", {"c": 0}, {"c": 1})]
    )
    with pytest.raises(ValueError, match="transdimensional"):
        Chain(["k", "a", "b", "l", "c"], gauss, [nested(), second])


def test_joint():
    made = p.JointProposal(p.Normal("x"), p.BoundedNormal("y", {"y": Boundaries((0, 1))}))
    assert isinstance(made.proposals, tuple) and made.symmetric is False
    assert {id(part.bit_generator) for part in made.proposals} == {id(made.bit_generator)}
    assert p.JointProposal(p.Normal("x"), p.Angular("y")).symmetric is True
    with pytest.raises(ValueError):
        p.JointProposal(p.Normal("x"), p.Normal(["x", "y"]))
