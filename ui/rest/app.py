"""The application: `/api`, and the page on top of it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from fastapi import APIRouter, FastAPI, Response
from fastapi.openapi.utils import get_openapi
from fastapi.responses import FileResponse
from loguru import logger
from pydantic import TypeAdapter
from starlette.concurrency import run_in_threadpool
from starlette.middleware.gzip import GZipMiddleware
from starlette.staticfiles import StaticFiles

from storage import history
from storage.questdb import DatabaseError
from ui.rest import past, people, problems, reactors, stream
from ui.rest.gate import Narrow
from ui.rest.headers import Guarded
from ui.rest.parts import Parts
from ui.rest.problems import Problem, ProblemDetails, may_answer

PAGE = Path(__file__).parent.parent / "page"
PLACES = ("/", "/reactor/{name}", "/inventory", "/events", "/health", "/people")  # of the page; it has one file
LOOK_AGAIN, LOOK_SOON = 60.0, 5.0  # seconds between looks for reactors that only the database knows


def make_app(parts: Parts) -> FastAPI:
    """Make what a server serves. `parts.operator` is started and closed by whoever made it."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        parts: Parts = app.state.parts
        parts.hub.begin(lambda: parts.operator.twins, parts.operator.look)
        looking = asyncio.create_task(_look_for_absent(parts))
        yield
        looking.cancel()
        parts.hub.end()

    app = FastAPI(
        title="Reactorium",
        version=parts.software.rpartition(" ")[2],
        lifespan=lifespan,
        docs_url=None,  # they load scripts from elsewhere
        redoc_url=None,
        openapi_url="/api/openapi.json",
        redirect_slashes=False,  # it would send people to whatever host a request names
    )
    app.state.parts = parts
    api = APIRouter(prefix="/api", responses=may_answer(500))
    for module in (people, reactors, past, stream):
        api.include_router(module.router)
    app.include_router(api)
    app.add_api_route("/api/{_:path}", _unknown, include_in_schema=False, methods=["GET", "POST", "PUT", "DELETE"])
    _add_page(app)
    problems.install(app)
    app.add_middleware(Narrow)
    app.add_middleware(GZipMiddleware, minimum_size=2000, compresslevel=4)
    app.add_middleware(Guarded)
    app.openapi = lambda: _described(app)  # type: ignore[method-assign]
    return app


def _add_page(app: FastAPI) -> None:
    def answer(status: int) -> FileResponse:
        return FileResponse(PAGE / "index.html", status, headers={"Cache-Control": "no-cache"})

    async def page() -> FileResponse:
        return answer(200)

    async def nowhere() -> FileResponse:
        return answer(404)  # the page itself says that nothing is here

    for place in PLACES:
        app.add_api_route(place, page, include_in_schema=False)
    app.mount("/page", StaticFiles(directory=PAGE), name="page")
    app.add_api_route("/{_:path}", nowhere, include_in_schema=False)


async def _unknown() -> Response:
    raise Problem(404, "there is nothing here")


def _described(app: FastAPI) -> dict[str, Any]:
    """Describe it for OpenAPI: refusals are problem details, everywhere."""
    if app.openapi_schema is None:
        schema = get_openapi(title=app.title, version=app.version, routes=app.routes)
        details = TypeAdapter(ProblemDetails).json_schema(ref_template="#/components/schemas/{model}")
        known = schema.setdefault("components", {}).setdefault("schemas", {})
        known.update(details.pop("$defs", {}))
        known["ProblemDetails"] = details
        app.openapi_schema = schema
    return app.openapi_schema


async def _look_for_absent(parts: Parts) -> None:
    """Learn again and again of reactors that only the database knows."""
    while True:
        try:
            described = await run_in_threadpool(history.described, parts.reader)
            desired = await run_in_threadpool(history.desired_documents, parts.reader)
        except DatabaseError as error:
            logger.debug("absent reactors cannot be looked up: {}", error)
            await asyncio.sleep(LOOK_SOON)
            continue
        for name, attach in described.items():
            parts.operator.remember(name, attach, desired.get(name, []))
        await asyncio.sleep(LOOK_AGAIN)
