"""What the routes of `/api` stand on."""

from dataclasses import dataclass
from typing import Annotated

import msgspec
from fastapi import Depends, Path, Request, Response

from hardware.clock import Clock
from storage.reader import Reader
from ui.accounts import Accounts
from ui.fleet import Twin
from ui.operator import Operator
from ui.rest.gate import Throttle
from ui.rest.problems import Problem
from ui.rest.stream import Hub

NAME = r"^[a-z][a-z0-9_-]{0,31}$"


@dataclass(frozen=True, slots=True)
class Parts:
    """What the process gives to its routes."""

    operator: Operator
    accounts: Accounts
    reader: Reader
    hub: Hub
    throttle: Throttle
    clock: Clock
    software: str
    console: str = ""  # of the database, as a browser reaches it; empty for none


def parts_of(request: Request) -> Parts:
    """Find them."""
    return request.app.state.parts  # type: ignore[no-any-return]


Ours = Annotated[Parts, Depends(parts_of)]
ReactorName = Annotated[str, Path(pattern=NAME, description="a reactor's name")]
TargetName = Annotated[str, Path(pattern=NAME, description="the name of a device or sensor")]


def twin_of(parts: Parts, reactor: str) -> Twin:
    """Find what is known of a reactor. Raises Problem 404."""
    twin = parts.operator.twin(reactor)
    if twin is None:
        raise Problem(404, f"there is no reactor named {reactor}")
    return twin


def as_json(view: object, status: int = 200) -> Response:
    """Answer with a view, which was made by us and is not checked again."""
    return Response(msgspec.json.encode(view), status, media_type="application/json")
