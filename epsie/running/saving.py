"""Settings of saved runs: `run(..., save=SaveTo(...))`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path
from typing import Any

from epsie.checks import as_count, as_path, seconds_in
from epsie.storage.files import resolved


@dataclass(frozen=True)
class SaveTo:
    """The settings by which a run is saved: to which directory, how often, and how much of it.

    Parameters
    ----------
    directory : str or path
        A run directory; made if there is none. Later runs go on in it. See `epsie.open_run`.
    every : int or str, optional
        Save every so many iterations, or so often: '60s', '10min', '1h'.
    thin : int, optional
        Save every so many-th iteration only. None: as the directory does, or all.
    keep : bool, optional
        Whether the history stays in memory. By default it has only what is not saved yet, or was
        saved last.
    grace : float, optional
        After Ctrl-C or SIGTERM, how many seconds to wait before unsaved iterations are given up.

    Raises
    ------
    ValueError
        If the path is empty, or a setting is out of range.
    TypeError
        If the directory is no path.
    """

    directory: str | PathLike[str]
    every: int | str = "60s"
    thin: int | None = None
    keep: bool = False
    grace: float = 10.0

    round_seconds = 1.0
    """The seconds that a round should take: signals are heeded in between."""

    def __post_init__(self) -> None:
        _ = self.path  # which checks it
        if self.thin is not None:
            as_count(self.thin, "thin")
        _ = self.due  # which checks `every`

    @property
    def path(self) -> Path:
        """The directory."""
        return as_path(self.directory)

    @property
    def due(self) -> tuple[int | None, float | None]:
        """The iterations, or else the seconds, from one save to the next."""
        if not isinstance(self.every, str):
            return as_count(self.every, "every"), None
        seconds = seconds_in(self.every)
        if not seconds:
            raise ValueError(
                "every must be a positive number of iterations, or a time as '60s', '10min' or "
                f"'1h'; got {self.every!r}"
            )
        return None, seconds


@dataclass(frozen=True)
class Saving:
    """A `SaveTo` at work.

    Parameters
    ----------
    save : SaveTo
        What a person asked for.
    directory : Path
        The directory, wherever the process is.
    run : str, optional
        The id of the run that is there, once it was begun or taken up.
    """

    save: SaveTo
    directory: Path
    run: str | None = None

    def is_in(self, directory: str | PathLike[str]) -> bool:
        """Whether it is in a directory, by the name that it was given or by where it is."""
        return as_path(directory) == self.save.path or resolved(directory) == self.directory


def saving_of(former: Saving | None, save: SaveTo | None, **given: Any) -> Saving | None:
    """The `Saving` of a call of `run`: as it says, or as the one before, with changes.

    Parameters
    ----------
    former : Saving or None
        That of the run before.
    save : SaveTo or None
        What `run` was given.
    **given
        The fields of a `SaveTo` that `run` was given one by one; None for the others.

    Returns
    -------
    Saving or None
        None if the run is not saved.

    Raises
    ------
    ValueError
        If settings are given without a directory, or are out of range.
    TypeError
        If `save` is no `SaveTo`, or something else is given beside it.
    """
    settings = {name: value for name, value in given.items() if value is not None}
    if save is None:
        directory = settings.pop("directory", None)
        if former is not None and (directory is None or former.is_in(directory)):
            save = replace(former.save, **settings)
        elif directory is not None:
            save = SaveTo(directory, **settings)
        elif settings:
            raise ValueError(f"{', '.join(settings)} needs a directory: run(..., directory='run')")
        else:
            return None
    elif not isinstance(save, SaveTo):
        raise TypeError(f"save must be a SaveTo, as SaveTo('run', every='60s'); got {save!r}")
    elif settings:
        raise TypeError(f"save= says it all; {', '.join(settings)} cannot be given beside it")
    if former is not None and former.is_in(save.directory):
        return replace(former, save=save)
    return Saving(save, resolved(save.directory))
