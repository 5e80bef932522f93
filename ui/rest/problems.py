"""How `/api` refuses: problem details, RFC 9457. What came in is named and never echoed whole."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import msgspec
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from loguru import logger
from starlette.exceptions import HTTPException

from storage.questdb import DatabaseError
from transport.messages import line
from ui.accounts import AccountError
from ui.errors import Declined, NoAnswer, NoManager, OperatorError
from ui.rest.headers import HEADERS
from ui.rest.views import Wish

MEDIA = "application/problem+json"
MOST_MISTAKES = 20


@dataclass(frozen=True, slots=True)
class Mistake:
    """What is wrong with one value, and what it must be."""

    name: str
    value: str
    unit: str
    limit: str


@dataclass(frozen=True, slots=True)
class ProblemDetails:
    """RFC 9457. `mistakes` go value by value; `current` is the document that somebody else made meanwhile."""

    type: str
    title: str
    status: int
    detail: str
    mistakes: list[Mistake] = field(default_factory=list)
    current: Wish | None = None


class Problem(Exception):  # noqa: N818 - RFC 9457's word
    """Something that cannot be answered as asked."""

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        mistakes: Sequence[Mistake] = (),
        current: Wish | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        phrase = HTTPStatus(status).phrase
        kind = phrase.lower().replace(" ", "-")
        self.details = ProblemDetails(f"urn:reactorium:{kind}", phrase, status, detail, list(mistakes), current)
        self.headers = headers

    def response(self) -> Response:
        """Make the answer."""
        body = msgspec.json.encode(self.details)
        return Response(body, self.details.status, headers=dict(self.headers or {}), media_type=MEDIA)


def may_answer(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Describe refusals for OpenAPI."""
    schema = {"schema": {"$ref": "#/components/schemas/ProblemDetails"}}
    return {status: {"description": HTTPStatus(status).phrase, "content": {MEDIA: schema}} for status in statuses}


def install(app: FastAPI) -> None:
    """Answer every failure with problem details."""

    async def problem(_: Request, error: Exception) -> Response:
        return _problem_of(error).response()

    kinds = (Problem, RequestValidationError, HTTPException, OperatorError, DatabaseError, AccountError)
    for kind in kinds:
        app.add_exception_handler(kind, problem)
    app.add_exception_handler(Exception, _unexpected)


async def _unexpected(request: Request, error: Exception) -> Response:
    logger.opt(exception=error).error("{} {} failed", request.method, request.url.path)
    return Problem(500, "this server failed; its log says why", headers=HEADERS).response()  # made outside `Guarded`


def _problem_of(error: Exception) -> Problem:
    match error:
        case Problem():
            problem = error
        case RequestValidationError():
            problem = _malformed(error)
        case HTTPException():
            problem = Problem(error.status_code, str(error.detail), headers=error.headers)
        case NoManager():
            problem = Problem(503, str(error), headers={"Retry-After": "5"})
        case NoAnswer():
            problem = Problem(504, f"{error}: look whether it was done before asking again")
        case Declined():
            problem = Problem(502, str(error))
        case DatabaseError():
            logger.warning("the database: {}", error)
            problem = Problem(503, "the database does not answer", headers={"Retry-After": "5"})
        case _:
            problem = Problem(422, line(str(error)))
    return problem


def _malformed(error: RequestValidationError) -> Problem:
    mistakes = []
    for one in error.errors()[:MOST_MISTAKES]:
        name = ".".join(str(part) for part in one["loc"][1:]) or str(one["loc"][0])
        mistakes.append(Mistake(line(name), "", "", line(one["msg"])))
    detail = "; ".join(f"{one.name}: {one.limit}" for one in mistakes)
    return Problem(422, line(detail), mistakes=mistakes)
