"""The command line: look at runs on disk, export, check and unlock them."""

from __future__ import annotations

import argparse
import logging
import os
import re
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from epsie._version import __version__
from epsie.errors import EpsieError
from epsie.shown import in_line, printable

_INTERRUPTED = 130
_BROKEN_PIPE = 141


if TYPE_CHECKING:
    from epsie.storage.rundir.reader import Run


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
    made = Parser(prog="epsie", description="Look at runs on disk, also while they are written.")
    made.add_argument("--version", action="version", version=f"epsie {__version__}")
    made.add_argument("--traceback", action="store_true", help="show where an error comes from")
    commands = made.add_subparsers(title="commands", required=True, metavar="COMMAND")

    def command(name: str, run: Any, text: str, *parents: Parser, of: Parser = _RUN) -> Any:
        added = commands.add_parser(name, help=text, description=text, parents=[of, *parents])
        added.set_defaults(run=run)
        return added.add_argument

    command("info", info, "what a run is, how far it is, and when it will be done")
    text = "estimates, errors, and whether to trust them; of several runs as one"
    add = command("summary", summary, text, _BURN_IN, _QUANTITIES, of=_RUNS)
    add("--temperature", type=_count, default=0, metavar="T", help="0: the coldest")
    add = command("plot", plot, "draw pictures", _BURN_IN, _QUANTITIES)
    add("-o", "--output", type=_path, metavar="DIR", help="where to; by default RUN-plots")
    add("--format", default="png", choices=("png", "pdf", "svg"))
    add("--only", nargs="+", choices=_PICTURES, metavar="PICTURE")
    add = command("export", export_run, "write a run to one file", _BURN_IN)
    add("file", type=_path, help="ends in .nc or .zarr, for ArviZ, or in .h5")
    add("--cold", action="store_true", help="for ArviZ: no hot temperatures")
    add("--force", action="store_true", help="replace a file that is there")
    command("verify", verify, "read every file, and check that the run can be resumed")
    text = "write the parts of one run, or independent runs of other seeds, as one run"
    command("merge", merge_runs, text, of=_MERGED)
    command("unlock", unlock_run, "take away the lock that a process left on another host")
    return made


_PICTURES = ("trace", "corner", "adaptation", "learned", "evidence", "temperatures", "round_trips")
_OF_LADDERS = ("temperatures", "round_trips")
_OF_DRAWS, _OF_QUANTITIES = ("trace", "corner", "evidence", "learned"), ("trace", "corner")


def _count(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 0 on")
    return int(text)


def _path(text: str) -> Path:
    if not text:
        raise argparse.ArgumentTypeError("an empty path: is a variable not set?")
    return Path(text)


_RUN, _RUNS, _MERGED, _BURN_IN, _QUANTITIES = (Parser(add_help=False) for _ in range(5))
_RUN.add_argument("directory", type=_path, metavar="RUN", help="the run directory")
_MERGED.add_argument("output", type=_path, metavar="OUT", help="where to; not there yet")
for of_several in (_RUNS, _MERGED):
    of_several.add_argument(
        "directory", type=_path, metavar="RUN", nargs="+", help="the run directory, or several"
    )
_BURN_IN.add_argument(
    "--burn-in", type=_count, metavar="N",
    help="iterations to leave out; by default until learning ends or the chains have settled",
)  # fmt: skip
_QUANTITIES.add_argument(
    "--parameters", action="append", metavar="NAME,...",
    help="which, or blobs: what else the model returned; by default all parameters",
)  # fmt: skip
_QUANTITIES.add_argument("--blobs", action="store_true", help="all blobs that are numbers, too")


def _names(options: argparse.Namespace, run: Run) -> list[str] | None:
    """The names that were given, with commas that are in no brackets between them; None: all."""
    return options.parameters and [
        name
        for given in options.parameters
        for name in ([given] if given in run.parameters else _COMMA.split(given))
    ]


_COMMA = re.compile(r",(?![^\[]*\])")


def _line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _complain(text: str) -> None:
    print(f"epsie: {printable(text)}", file=sys.stderr)  # noqa: T201


def _say(text: str) -> None:
    print(printable(text))  # noqa: T201


def _show_warning(message: Warning | str, *about: Any) -> None:
    _complain(f"warning: {' '.join(str(message).split())}")


def _opened(options: argparse.Namespace) -> Run:
    from epsie.storage.rundir.reader import open_run

    return open_run(options.directory)


def info(options: argparse.Namespace) -> int:
    """Say what a run is."""
    from epsie.results import tempered
    from epsie.results.view import View
    from epsie.storage.rundir.facts import run_facts
    from epsie.storage.rundir.source import DirectorySource

    run = DirectorySource(options.directory)
    lines = [*run_facts(run)]
    try:
        lines += tempered.facts(View(run))
    except EpsieError as error:
        lines.append(("log Z", f"not known: {_line(error)}"))
    width = max(len(name) for name, _ in lines)
    for name, text in lines:
        _say(f"{name.ljust(width)}  {in_line(text)}")
    return 0


def summary(options: argparse.Namespace) -> int:
    """Print the summary of a run."""
    run = _opened(options)
    settings = {"parameters": _names(options, run), "blobs": options.blobs}
    _say(str(run.summary(options.burn_in, temperature=options.temperature, **settings)))
    return 0


def merge_runs(options: argparse.Namespace) -> int:
    """Merge runs into one."""
    from epsie.storage.rundir.merging import merge

    merge(options.output, options.directory)
    _say(str(options.output))
    return 0


def _pictures() -> dict[str, Any]:
    """The functions that draw, by name."""
    from epsie.plots.adaptation import adaptation
    from epsie.plots.corner import corner
    from epsie.plots.evidence import evidence
    from epsie.plots.learned import learned
    from epsie.plots.temperatures import round_trips, temperatures
    from epsie.plots.trace import trace

    functions = (trace, corner, adaptation, learned, evidence, temperatures, round_trips)
    return dict(zip(_PICTURES, functions, strict=True))


def plot(options: argparse.Namespace) -> int:
    """Draw pictures; of several, those that can be drawn."""
    from epsie.results.quantities import chosen
    from epsie.results.view import View

    draw = _pictures()
    run, whole = _opened(options), options.directory.resolve()
    where = options.output or whole.with_name(f"{whole.name}-plots")
    where.mkdir(parents=True, exist_ok=True)
    code, shown = 0, tuple(chosen(View(run), _names(options, run), options.blobs))
    there = [name for name in _PICTURES if run.ntemps or name not in _OF_LADDERS]
    # Chains that learn nothing together, or not yet, have none of these.
    perhaps = () if options.only else ("learned",) if run.ntemps else ("learned", "evidence")
    for name in options.only or there:
        settings: dict[str, Any] = {"burn_in": options.burn_in} if name in _OF_DRAWS else {}
        if name in _OF_QUANTITIES:
            settings["parameters"] = shown
        file = where / f"{name}.{options.format}"
        try:
            draw[name](run, **settings).savefig(file)
        except ValueError as error:
            if name not in perhaps:
                _complain(f"no {name}: {_line(error)}")
                code = 1
        else:
            _say(str(file))
    return code


def export_run(options: argparse.Namespace) -> int:
    """Write a run to a file."""
    from epsie.cli.export import export

    if os.path.lexists(options.file) and not options.force:
        raise ValueError(f"{options.file} is there already; --force replaces it")
    renamed = export(_opened(options), options.file, options.burn_in, not options.cold)
    if renamed:
        _complain(f"renamed: {renamed}")
    _say(str(options.file))
    return 0


def verify(options: argparse.Namespace) -> int:
    """Check a run."""
    from epsie.cli.verify import problems
    from epsie.storage.rundir.manifest import APART, unknown_parts

    found = list(problems(options.directory))
    for problem in found:
        _complain(problem)
    if found:
        return 1
    run = _opened(options)
    again = unknown_parts(run.manifest)
    how = f", with {', '.join(again)} passed again" if again else ""
    then = f"can be resumed from iteration {run.niterations}{how}"
    _say(f"{options.directory} is whole; it {run.manifest.get(APART, then)}")
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
        _say(f"{options.directory} was locked by {left}; no longer")
    return 0
