"""Sessions, people and tokens."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Path, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from ui.accounts import LONGEST_PASSWORD, SESSION_SECONDS, SHORTEST_PASSWORD, Access, AccountError, Person, Program
from ui.rest import gate
from ui.rest.gate import Operator, Viewer, see_origin
from ui.rest.parts import Ours, as_json
from ui.rest.problems import Problem, may_answer
from ui.rest.views import moment

router = APIRouter()
PersonName = Annotated[str, Path(pattern=r"^[a-z][a-z0-9._-]{0,31}$", description="a person's name")]
TokenId = Annotated[str, Path(pattern=r"^[0-9a-f]{8}$", description="a token's id")]


class Body(BaseModel):
    """What is sent here: no key but those that are known."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Login(Body):
    """Name and password."""

    name: str = Field(max_length=32)
    password: str = Field(max_length=LONGEST_PASSWORD)


class PersonChange(Body):
    """What somebody may do from now on; without a password they keep theirs."""

    access: Access
    password: str | None = Field(default=None, min_length=SHORTEST_PASSWORD, max_length=LONGEST_PASSWORD)


class TokenWish(Body):
    """Whose a token is to be, and what it may do."""

    name: str = Field(pattern=r"^[a-z][a-z0-9._-]{0,31}$")
    access: Access


@dataclass(frozen=True, slots=True)
class Me:
    """Who asks."""

    name: str
    access: Access


@dataclass(frozen=True, slots=True)
class Token:
    """What is kept of a token."""

    id: str
    name: str
    access: Access
    made: str


@dataclass(frozen=True, slots=True)
class NewToken:
    """A token, shown once: `Authorization: Bearer TOKEN`."""

    id: str
    name: str
    access: Access
    made: str
    token: str


@router.post("/session", tags=["session"], response_model=Me, responses=may_answer(400, 401, 403, 413, 422, 429))
async def log_in(request: Request, parts: Ours, login: Login) -> Response:
    """Open a session, which a cookie holds. A wrong password is answered late."""
    see_origin(request)
    key = (request.client.host if request.client else "", login.name)
    secret = await parts.throttle.attempt(
        key, lambda: run_in_threadpool(parts.accounts.log_in, login.name, login.password)
    )
    who = parts.accounts.who(secret) if secret is not None else None
    if secret is None or who is None:
        raise Problem(401, "name or password is wrong", headers={"WWW-Authenticate": "Bearer"})
    response = as_json(Me(who.name, who.access))
    response.set_cookie(
        gate.COOKIE,
        secret,
        max_age=SESSION_SECONDS,
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )
    return response


@router.get("/session", tags=["session"], response_model=Me, responses=may_answer(401))
async def me(who: Viewer) -> Response:
    """Tell who asks."""
    return as_json(Me(who.name, who.access))


@router.delete("/session", tags=["session"], status_code=204, responses=may_answer(401, 403))
def log_out(who: Viewer, parts: Ours) -> Response:
    """End this session."""
    parts.accounts.log_out(who)
    response = Response(status_code=204)
    response.delete_cookie(gate.COOKIE, httponly=True, samesite="strict")
    return response


@router.get("/users", tags=["people"], response_model=list[Me], responses=may_answer(401, 403))
def users(_: Operator, parts: Ours) -> Response:
    """List who may log in."""
    return as_json([_person(person) for person in parts.accounts.people()])


@router.put("/users/{name}", tags=["people"], response_model=Me, responses=may_answer(400, 401, 403, 409, 413, 422))
def put_user(_: Operator, parts: Ours, name: PersonName, change: PersonChange) -> Response:
    """Let somebody in, or change what they may do or their password. A new password ends their sessions."""
    try:
        parts.accounts.put_person(name, change.access, change.password)
    except AccountError as error:
        raise Problem(409, str(error)) from error
    return as_json(Me(name, change.access))


@router.delete("/users/{name}", tags=["people"], status_code=204, responses=may_answer(401, 403, 404, 409, 422))
def remove_user(_: Operator, parts: Ours, name: PersonName) -> Response:
    """Let somebody in no more; the last operator stays."""
    if name not in [person.name for person in parts.accounts.people()]:
        raise Problem(404, f"there is nobody named {name}")
    try:
        parts.accounts.remove_person(name)
    except AccountError as error:
        raise Problem(409, str(error)) from error
    return Response(status_code=204)


@router.get("/tokens", tags=["people"], response_model=list[Token], responses=may_answer(401, 403))
def tokens(_: Operator, parts: Ours) -> Response:
    """List the tokens of programs."""
    return as_json([_token(program) for program in parts.accounts.programs()])


@router.post(
    "/tokens", tags=["people"], status_code=201, response_model=NewToken, responses=may_answer(400, 401, 403, 413, 422)
)
def add_token(_: Operator, parts: Ours, wish: TokenWish) -> Response:
    """Make a token. The answer is the only one that shows it."""
    program, secret = parts.accounts.add_program(wish.name, wish.access)
    made = _token(program)
    return as_json(NewToken(made.id, made.name, made.access, made.made, secret), 201)


@router.delete("/tokens/{id}", tags=["people"], status_code=204, responses=may_answer(401, 403, 404, 422))
def remove_token(_: Operator, parts: Ours, id: TokenId) -> Response:  # noqa: A002 - its name in the path
    """Make a token worthless."""
    try:
        parts.accounts.remove_program(id)
    except AccountError as error:
        raise Problem(404, str(error)) from error
    return Response(status_code=204)


def _person(person: Person) -> Me:
    return Me(person.name, person.access)


def _token(program: Program) -> Token:
    return Token(program.id, program.name, program.access, moment(round(program.made * 1e6)))
