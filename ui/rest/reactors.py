"""Reactors as they are now, what is desired of them, and acts."""

import asyncio
import secrets
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Response
from pydantic import Field

from transport import messages
from transport.messages import Accepted, Conflict, DeviceInfo, Rejected, SensorInfo
from ui.fleet import Twin
from ui.rest import views
from ui.rest.gate import Operator, Viewer
from ui.rest.parts import NAME, Ours, ReactorName, TargetName, as_json, twin_of
from ui.rest.people import Body
from ui.rest.problems import Mistake, Problem, may_answer

router = APIRouter(tags=["reactors"])
TargetKey = Annotated[str, Field(pattern=NAME)]
LineText = Annotated[str, Field(max_length=messages.MAX_TEXT, pattern=r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029]*$")]
Finite = Annotated[float, Field(allow_inf_nan=False, strict=False)]
Key = Annotated[str, Field(max_length=32)]


class DocumentWish(Body):
    """All that is wanted of a target: what is left out gets its default. `base` is the revision it was made from."""

    base: int = Field(ge=0, le=2**53)
    values: dict[Key, bool | Finite | LineText] = Field(max_length=64)


class ActWish(Body):
    """Something to be done once, if it can begin within `valid_for` seconds. Sent again with the same `act`: once."""

    target: TargetKey
    kind: TargetKey
    arguments: dict[Key, Finite] = Field(default={}, max_length=16)
    valid_for: float = Field(default=30.0, ge=0, le=3600, strict=False)
    act: str | None = Field(default=None, pattern=r"^[0-9a-zA-Z_-]{8,64}$")


@dataclass(frozen=True, slots=True)
class Settled:
    """A document that has a revision: the reactor follows it (`delivered`), or the database keeps it until it does."""

    revision: int
    delivered: bool
    held_by: str


@dataclass(frozen=True, slots=True)
class TargetView:
    """How far a target is, and what of it can be changed."""

    state: views.Target
    settings: list[views.Setting]
    acts: list[views.Act]


@router.get("/reactors", response_model=list[views.Brief], responses=may_answer(401))
async def reactors(_: Viewer, parts: Ours) -> Response:
    """List every reactor that was ever heard of, with its newest readings."""
    twins = sorted(parts.operator.twins.values(), key=lambda twin: twin.name)
    return as_json([views.brief(twin) for twin in twins])


@router.get("/reactors/{reactor}", response_model=views.Reactor, responses=may_answer(401, 404, 422))
async def reactor(_: Viewer, parts: Ours, reactor: ReactorName) -> Response:
    """Show all of a reactor."""
    return as_json(views.reactor(twin_of(parts, reactor)))


@router.get("/reactors/{reactor}/sensors", response_model=list[views.Sensor], responses=may_answer(401, 404, 422))
async def sensors(_: Viewer, parts: Ours, reactor: ReactorName) -> Response:
    """List its sensors."""
    return as_json(views.reactor(twin_of(parts, reactor)).sensors)


@router.get("/reactors/{reactor}/devices", response_model=list[views.Device], responses=may_answer(401, 404, 422))
async def devices(_: Viewer, parts: Ours, reactor: ReactorName) -> Response:
    """List its devices."""
    return as_json(views.reactor(twin_of(parts, reactor)).devices)


@router.get("/reactors/{reactor}/settings/{target}", response_model=TargetView, responses=may_answer(401, 404, 422))
async def settings(_: Viewer, parts: Ours, reactor: ReactorName, target: TargetName) -> Response:
    """Show what is desired of a device or sensor, what it was told, what the hardware says, what can be changed."""
    twin = twin_of(parts, reactor)
    info = _info_of(twin, target)
    shown = views.sensor(info) if isinstance(info, SensorInfo) else views.device(info)
    return as_json(TargetView(views.target(twin, target), shown.settings, shown.acts))


@router.put(
    "/reactors/{reactor}/settings/{target}",
    response_model=Settled,
    responses={202: {"model": Settled}, **may_answer(400, 401, 403, 404, 409, 413, 422, 502, 503, 504)},
)
async def put_settings(
    who: Operator, parts: Ours, reactor: ReactorName, target: TargetName, wish: DocumentWish
) -> Response:
    """Want something else of a device or sensor: 200, it follows; 202, it will when it is back.

    409 when somebody was faster, with their document; 422 when the reactor refuses, with value, unit and limit.
    """
    _info_of(twin_of(parts, reactor), target)
    asked = messages.Set(reactor=reactor, target=target, base=wish.base, author=who.name, values=dict(wish.values))
    match await asyncio.wrap_future(parts.operator.set(asked)):
        case Accepted() as answer:
            settled = Settled(answer.revision, answer.delivered, answer.held_by)
            return as_json(settled, 200 if answer.delivered else 202)
        case Conflict(document=newest):
            current = views.Wish(newest.revision, newest.author, dict(newest.values))
            raise Problem(409, f"{newest.author or 'somebody'} changed it meanwhile", current=current)
        case Rejected(reason=reason, mistakes=mistakes):
            found = [Mistake(one.name, one.value, one.unit, one.limit) for one in mistakes]
            raise Problem(422, reason, mistakes=found)


@router.post(
    "/reactors/{reactor}/acts",
    response_model=views.Done,
    responses={202: {"model": views.Done}, **may_answer(400, 401, 403, 404, 413, 422, 502, 503, 504)},
)
async def act(who: Operator, parts: Ours, reactor: ReactorName, wish: ActWish) -> Response:
    """Ask for an act: 200, it ended as the answer says; 202, it has begun, and its end is under `acts` of the reactor.

    422 when it was refused: unknown, out of range, against a limit or an interlock.
    """
    _info_of(twin_of(parts, reactor), wish.target)
    asked = messages.Act(
        reactor=reactor,
        act=wish.act or secrets.token_urlsafe(16),
        target=wish.target,
        kind=wish.kind,
        arguments=dict(wish.arguments),
        valid_for=wish.valid_for,
        author=who.name,
    )
    done = await asyncio.wrap_future(parts.operator.act(asked))
    if done.state == "refused":
        raise Problem(422, done.text or "the reactor refuses")
    shown = views.Done(
        done.act, done.state, done.target or wish.target, done.kind or wish.kind, done.text, dict(done.result)
    )
    return as_json(shown, 202 if done.state == "begun" else 200)


def _info_of(twin: Twin, target: str) -> SensorInfo | DeviceInfo:
    """Find a device or sensor. Raises Problem 404."""
    wired: list[SensorInfo | DeviceInfo] = [*twin.attach.devices, *twin.attach.sensors] if twin.attach else []
    info = next((one for one in wired if one.name == target), None)
    if info is None:
        raise Problem(404, f"{twin.name} has no device or sensor named {target}")
    return info
