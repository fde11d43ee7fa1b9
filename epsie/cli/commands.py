"""The command line: look at runs on disk, export, check and unlock them."""

from __future__ import annotations

import argparse
import logging
import os
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from epsie.errors import EpsieError

_INTERRUPTED = 130
_BROKEN_PIPE = 141


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one line."""

    def error(self, message: str) -> NoReturn:
        """End with the code 2."""
        self.exit(2, f"{self.prog}: {message} (see {self.prog} --help)\n")


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line.

    It ends with 0 if all is well, 1 if something failed, which is then said in one line on stderr,
    2 if the arguments are wrong, and 130 after Ctrl-C.

    Parameters
    ----------
    arguments : sequence of str, optional
        By default those of the process.
    """
    options = parser().parse_args(arguments)
    logging.getLogger("epsie").addHandler(logging.NullHandler())
    warnings.showwarning = _show_warning  # type: ignore[assignment]
    try:
        code = options.run(options)
        sys.stdout.flush()
    except KeyboardInterrupt:
        code = _INTERRUPTED
    except BrokenPipeError:
        # What is left to be written goes nowhere, without a word.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = _BROKEN_PIPE
    except Exception as error:
        if options.traceback:
            raise
        known = isinstance(error, EpsieError | ValueError | ImportError | OSError)
        _complain(_line(error) if known else f"{type(error).__name__}: {_line(error)}")
        code = 1
    sys.exit(code)


def parser() -> Parser:
    """The parser of the arguments."""
    from epsie._version import __version__

    made = Parser(prog="epsie", description="Look at runs on disk, also while they are written.")
    made.add_argument("--version", action="version", version=f"epsie {__version__}")
    made.add_argument("--traceback", action="store_true", help="show where an error comes from")
    commands = made.add_subparsers(title="commands", required=True, metavar="COMMAND")

    def command(name: str, run: Any, text: str) -> argparse.ArgumentParser:
        added: argparse.ArgumentParser = commands.add_parser(name, help=text, description=text)
        added.add_argument("directory", type=Path, metavar="RUN", help="the run directory")
        added.set_defaults(run=run)
        return added

    def burn_in(added: argparse.ArgumentParser) -> None:
        text = "iterations to leave out; by default until learning ends or the chains have settled"
        added.add_argument("--burn-in", type=_count, metavar="N", help=text)

    command("info", info, "what a run is, how far it is, and when it will be done")
    added = command("summary", summary, "estimates, their errors, and whether to trust them")
    burn_in(added)
    added.add_argument("--temperature", type=_count, default=0, metavar="T", help="0: the coldest")
    added = command("plot", plot, "draw pictures")
    burn_in(added)
    text = "where to write them; by default RUN-plots"
    added.add_argument("-o", "--output", type=Path, metavar="DIR", help=text)
    added.add_argument("--format", default="png", choices=("png", "pdf", "svg"))
    added.add_argument("--only", nargs="+", choices=_PICTURES, metavar="PICTURE", default=_PICTURES)
    added = command("export", export_run, "write a run to one file")
    text = "ends in .nc or .zarr, for ArviZ, or in .h5"
    added.add_argument("file", type=Path, help=text)
    burn_in(added)
    added.add_argument("--cold", action="store_true", help="for ArviZ: no hot temperatures")
    added.add_argument("--force", action="store_true", help="replace a file that is there")
    command("verify", verify, "read every file, and check that the run can be gone on with")
    command("unlock", unlock_run, "take away the lock that a process left on another host")
    return made


_PICTURES = ("trace", "corner", "adaptation", "temperatures", "round_trips", "evidence")
_OF_DRAWS = ("trace", "corner", "evidence")


def _count(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 0 on")
    return int(text)


def _line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _complain(text: str) -> None:
    print(f"epsie: {text}", file=sys.stderr)  # noqa: T201


def _say(text: str) -> None:
    print(text)  # noqa: T201


def _show_warning(message: Warning | str, *about: Any) -> None:
    _complain(f"warning: {' '.join(str(message).split())}")


def info(options: argparse.Namespace) -> int:
    """Say what a run is."""
    from epsie.storage.rundir.facts import run_facts
    from epsie.storage.rundir.saved import Saved

    lines = run_facts(Saved(options.directory))
    width = max(len(name) for name, _ in lines)
    for name, text in lines:
        _say(f"{name.ljust(width)}  {text}")
    return 0


def summary(options: argparse.Namespace) -> int:
    """Print the summary of a run."""
    from epsie import open_run

    run = open_run(options.directory)
    _say(str(run.summary(options.burn_in, temperature=options.temperature)))
    return 0


def plot(options: argparse.Namespace) -> int:
    """Draw pictures; of several, those that can be drawn."""
    from epsie import open_run, plots

    run = open_run(options.directory)
    name = f"{options.directory.resolve().name}-plots"
    where = options.output or options.directory.resolve().with_name(name)
    chosen = _PICTURES if run.ntemps else _PICTURES[:3]
    if options.only is not _PICTURES:
        chosen = options.only
    where.mkdir(parents=True, exist_ok=True)
    code = 0
    for name in chosen:
        settings = {"burn_in": options.burn_in} if name in _OF_DRAWS else {}
        file = where / f"{name}.{options.format}"
        try:
            getattr(plots, name)(run, **settings).savefig(file)
        except ValueError as error:
            _complain(f"no {name}: {_line(error)}")
            code = 1
        else:
            _say(str(file))
    return code


def export_run(options: argparse.Namespace) -> int:
    """Write a run to a file."""
    from epsie import open_run
    from epsie.cli.export import export

    if options.file.exists() and not options.force:
        raise ValueError(f"{options.file} is there already; --force replaces it")
    export(open_run(options.directory), options.file, options.burn_in, not options.cold)
    _say(str(options.file))
    return 0


def verify(options: argparse.Namespace) -> int:
    """Check a run."""
    from epsie import open_run
    from epsie.cli.verify import problems
    from epsie.storage.rundir.manifest import unknown_parts

    found = 0
    for problem in problems(options.directory):
        _complain(problem)
        found += 1
    if found:
        return 1
    run = open_run(options.directory)
    again = unknown_parts(run.manifest)
    how = f", with {', '.join(again)} passed again" if again else ""
    _say(f"{options.directory} is whole; it can be resumed from iteration {run.niterations}{how}")
    return 0


def unlock_run(options: argparse.Namespace) -> int:
    """Take away a stale lock."""
    from epsie.storage.rundir.holder import holder
    from epsie.storage.rundir.manifest import read_manifest
    from epsie.storage.rundir.takeover import unlock

    if holder(options.directory) is None:
        read_manifest(options.directory)
    left = unlock(options.directory)
    if left is None:
        _say(f"{options.directory} is not locked")
    else:
        _say(f"{options.directory} was locked by process {left.pid} on {left.host}; no longer")
    return 0
