"""Names that would make a terminal do something are shown with their escapes."""

import pytest

import epsie
from epsie.cli.commands import main
from epsie.samplers import MetropolisHastingsSampler

NAMES = ["x\x1b[2J", "y\x9b31m", "z\u202e", "w\r", "v\ud800"]


@pytest.fixture
def made(tmp_path):
    made = MetropolisHastingsSampler(
        NAMES,
        lambda **x: (-sum(v * v for v in x.values()), 0.0, {"\x1b]0;title\x07": 1.0}),
        2,
        seed=1,
    )
    made.start_position = {name: [0.1, 0.2] for name in NAMES}
    made.run(200, directory=tmp_path / "run")
    return made


def is_harmless(text):
    return all(c == "\n" or c.isprintable() for c in text)


@pytest.mark.parametrize("command", ["info", "summary", "verify"])
def test_the_command_line_escapes_names(tmp_path, capsys, made, command):
    with pytest.raises(SystemExit):
        main([command, str(tmp_path / "run")])
    said = capsys.readouterr()
    assert is_harmless(said.out) and is_harmless(said.err)
    assert command == "verify" or "x\\x1b[2J" in said.out


def test_errors_on_the_command_line_escape_names(tmp_path, capsys, made):
    (tmp_path / "\x1b[31mrun").mkdir()
    with pytest.raises(SystemExit):
        main(["info", str(tmp_path / "\x1b[31mrun")])
    assert is_harmless(capsys.readouterr().err)


def test_what_is_shown_in_a_terminal_escapes_names(tmp_path, made):
    """Samplers, chains and summaries print themselves in the interpreter."""
    run = epsie.open_run(tmp_path / "run")
    for thing in (made, made.chains[0], run, run.summary(), made.summary()):
        assert is_harmless(str(thing)) and is_harmless(repr(thing)), type(thing)


def test_what_is_logged_escapes_names(tmp_path, made, caplog):
    with caplog.at_level("DEBUG", logger="epsie"):
        made.run(10)
        made.summary()
        epsie.open_run(tmp_path / "run").summary()
    assert caplog.messages and all(is_harmless(message) for message in caplog.messages)
