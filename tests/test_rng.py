"""Seeds, bit generators and streams."""

import copy
import pickle

import numpy as np
import pytest
from numpy.random import SeedSequence

import epsie
from epsie.chain import Chain
from epsie.proposals import Normal
from epsie.rng import Stream, bit_generator_names, find_bit_generator
from epsie.rng.stream import BLOCK
from epsie.samplers import MetropolisHastingsSampler

NAMES = bit_generator_names()


def draws(stream, n=10):
    """Variates of every kind, in an order that crosses blocks."""
    taken = []
    for i in range(n):
        taken += [stream.uniform(), stream.normal(), *stream.normals(i % 4 + 1)]
        taken += stream.normal_array(3).tolist()
        taken.append(float(stream.generator.exponential()))
    return taken


def test_the_list_holds_both_packages():
    assert len(NAMES) == len(set(NAMES))
    assert {"PCG64", "randomgen.PCG64", "randomgen.ChaCha", "randomgen.AESCounter"} <= set(NAMES)
    assert not {"randomgen.RDRAND", "randomgen.UserBitGenerator"} & set(NAMES)
    both = [name for name in NAMES if f"randomgen.{name}" in NAMES]
    assert len(both) >= 4
    for name in both:
        assert find_bit_generator(name).__module__.startswith("numpy")
        assert find_bit_generator(f"randomgen.{name}").__module__.startswith("randomgen")


@pytest.mark.parametrize("name", NAMES)
class TestEveryBitGenerator:
    def stream(self, name, seed=7):
        return Stream(find_bit_generator(name)(SeedSequence(seed)))

    def test_seeded(self, name):
        assert draws(self.stream(name)) == draws(self.stream(name))
        assert draws(self.stream(name)) != draws(self.stream(name, 8))

    def test_spawned_streams_differ(self, name):
        first, second = epsie.create_bit_generators(2, seed=3, bit_generator=name)
        assert type(first) is find_bit_generator(name)
        assert draws(Stream(first)) != draws(Stream(second))

    @pytest.mark.parametrize(
        "copier", [lambda s: pickle.loads(pickle.dumps(s)), copy.deepcopy, Stream.copied]
    )
    def test_copied_in_mid_block(self, name, copier):
        stream = self.stream(name)
        draws(stream, 13)
        twin = copier(stream)
        assert draws(twin, 60) == draws(stream, 60)

    def test_saved_and_restored_in_mid_block(self, name):
        stream = self.stream(name)
        draws(stream, 13)
        state = stream.state
        kept = copy.deepcopy(state)
        after = draws(stream, 60)
        for other in (self.stream(name, 99), Stream(1)):
            other.state = state
            assert draws(other, 60) == after
        np.testing.assert_equal(state, kept)

    def test_a_chain_resumes(self, name):
        def chain():
            made = Chain("x", lambda x: (-x * x, 0.0), [Normal("x")], find_bit_generator(name)(1))
            made.start_position = {"x": 0.0}
            return made

        whole, first = chain(), chain()
        whole.run(300)
        first.run(101)
        second = chain()
        second.set_state(first.state)
        second.run(199)
        assert second.positions.tobytes() == whole.positions[101:].tobytes()

    def test_a_sampler_takes_the_name_and_the_class(self, name):
        samples = []
        for which in (name, find_bit_generator(name)):
            sampler = MetropolisHastingsSampler(
                "x", lambda x: (-x * x, 0.0), 2, seed=5, bit_generator=which
            )
            sampler.start_position = {"x": [0.0, 0.0]}
            sampler.run(10)
            assert sampler.state[0]["proposal_dist"]["random_state"]["module"] in (
                "numpy",
                "randomgen",
            )
            samples.append(sampler.positions.tobytes())
        assert samples[0] == samples[1]


def test_variates_are_those_of_numpy_in_blocks():
    stream, generator = Stream(4), np.random.Generator(epsie.create_bit_generator(4))
    normals = generator.standard_normal(BLOCK).tolist()
    assert stream.normals(5) + [stream.normal()] == normals[:6]
    assert stream.normal_array(BLOCK - 6).tolist() == normals[6:]
    uniforms = {stream.uniform() for _ in range(BLOCK)}
    assert uniforms == set(generator.random(BLOCK).tolist())


def test_more_normals_than_a_block():
    whole = Stream(4).normals(3 * BLOCK + 5)
    stream = Stream(4)
    assert [stream.normal() for _ in range(3 * BLOCK + 5)] == whole
    assert len(set(whole)) == len(whole)


def test_a_bare_numpy_state_empties_the_buffers():
    stream = Stream(4)
    bare = epsie.create_bit_generator(9).state
    stream.normals(3)
    stream.state = bare
    assert draws(stream) == draws(Stream(9))


def test_the_state_shares_nothing():
    stream = Stream(np.random.MT19937(1))
    stream.normal()
    state = stream.state
    kept = copy.deepcopy(state)
    draws(stream, 300)
    np.testing.assert_equal(state, kept)


def test_create_bit_generator_is_a_child_of_the_seed():
    children = SeedSequence(11).spawn(3)
    for n in (1, 2):
        expected = np.random.Generator(np.random.PCG64(children[n])).random(4)
        got = np.random.Generator(epsie.create_bit_generator(11, n)).random(4)
        assert (got == expected).all()
    assert epsie.create_seed(11) == 11
    assert epsie.create_seed() != epsie.create_seed()


def test_the_global_class_is_read_when_it_is_used(monkeypatch):
    monkeypatch.setattr(epsie, "BIT_GENERATOR", np.random.Philox)
    assert isinstance(epsie.create_bit_generator(1), np.random.Philox)
    sampler = MetropolisHastingsSampler("x", lambda x: (0.0, 0.0), 1, seed=1)
    assert isinstance(sampler.chains[0].bit_generator, epsie.BIT_GENERATOR)


@pytest.mark.parametrize(
    ("which", "error", "said"),
    [
        ("RDRAND", ValueError, "RDRAND cannot be used"),
        ("randomgen.UserBitGenerator", ValueError, "UserBitGenerator cannot be used"),
        ("os.system", ValueError, "there is no bit generator 'os.system'"),
        ("numpy.ChaCha", ValueError, "there is no bit generator"),
        (7, TypeError, "the name or the class"),
    ],
)
def test_refused(which, error, said):
    with pytest.raises(error, match=said):
        find_bit_generator(which)


def test_ngenerators_at_least_one():
    with pytest.raises(ValueError, match="at least 1; got 0"):
        epsie.create_bit_generators(0)


def test_a_state_of_an_unknown_class_is_looked_up_and_never_imported():
    stream = Stream(1)
    state = {**stream.state, "bit_generator": "system", "module": "os"}
    with pytest.raises(ValueError, match="there is no bit generator 'os.system'"):
        stream.state = state
