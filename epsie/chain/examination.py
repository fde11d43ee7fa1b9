"""The model asked about a position where a chain is to start, or stands."""

from __future__ import annotations

from epsie.chain.level import Level
from epsie.chain.start import refused_start
from epsie.errors import ModelError
from epsie.model.evaluation import NotFiniteError, Point, Position, evaluate, model_error


def examined(level: Level, x: Position) -> tuple[Point | None, list[str]]:
    """The point at a start position, and why it cannot be used, if so.

    Raises
    ------
    ModelError
        If the model raises or returns what it may not.
    """
    # As numbers that its proposals jump from: inside a transdimensional one integers too.
    x = level.proposal_dist._position(dict(zip(level.parameters, x, strict=True)))
    named = dict(zip(level.parameters, x, strict=True))
    refusal = level.proposal_dist._refusal(x)
    if refusal:
        return None, [f"{named}: {refusal}"]
    try:
        point = evaluate(level._model, level.parameters, x, None)
    except NotFiniteError as error:
        return None, [f"{named}: {error.problem}"]
    except Exception as error:
        raise model_error(error, level.where(x)) from error
    refusal = refused_start(point, level.beta)
    return point, [f"{named} {refusal}"] if refusal else []


def present_point(level: Level) -> Point:
    """What the model says of where a chain stands.

    Raises
    ------
    ModelError
        If the model fails, or refuses the position.
    """
    # Rows that there are have the blob's keys.
    like = level.point if level.iteration > level.lastclear else None
    try:
        point = evaluate(level._model, level.parameters, level.point.x, like)
    except Exception as error:
        raise model_error(error, level.where()) from error
    refusal = refused_start(point, level.beta)
    if refusal:
        raise ModelError(
            f"the position where the chain stands {refusal}, says the model that was set since "
            "it came there. Set start_position to another, or the former model",
            level.where(),
        )
    return point
