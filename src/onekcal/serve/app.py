"""The application: one page, and a JSON API that the page itself uses."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse, Response
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException

from onekcal.errors import InputError, OnekcalError, in_short
from onekcal.serve.ask import router as ask
from onekcal.serve.background import router as background
from onekcal.serve.cache import Cache
from onekcal.serve.desk import Busy, Desk
from onekcal.serve.guard import LOOPBACK, Guard
from onekcal.serve.jobs import Jobs
from onekcal.serve.limits import Limits
from onekcal.serve.pool import Pool, TooLong
from onekcal.serve.reports import router as reports
from onekcal.system.home import home

STATIC = Path(str(files("onekcal.serve"))) / "static"
VIEWER = Path(str(files("onekcal.show"))) / "page" / "3Dmol-min.js"


@dataclass(frozen=True)
class Settings:
    """How a server is set up.

    Parameters
    ----------
    model
        A model that ships, a run folder or a model file.
    workers
        Processes that compute.
    runs
        Folders whose runs are listed.
    token
        What a reader must know; empty: nothing.
    hosts
        Names under which the server may be asked; empty: any.
    limits
        What is taken.
    command
        What starts a worker, where it is not the usual one.
    """

    model: str = "g4mp2"
    workers: int = 2
    runs: tuple[Path, ...] = ()
    token: str = ""
    hosts: frozenset[str] = LOOPBACK
    limits: Limits = field(default_factory=Limits)
    command: Sequence[str] = ()


def create_app(settings: Settings) -> FastAPI:
    """Make the application.

    Parameters
    ----------
    settings
        How it is set up.
    """

    @asynccontextmanager
    async def life(app: FastAPI) -> AsyncIterator[None]:
        folder = home() / "serve"
        release = version("onekcal")
        pool = Pool(settings.model, settings.workers, settings.command)
        cache = Cache(folder / "answers.sqlite")
        jobs = Jobs(folder, pool, cache, settings.limits)
        app.state.desk = Desk(pool, cache, jobs, settings.limits, release)
        pool.open()
        jobs.open()
        telling = asyncio.get_running_loop().create_task(_tell(pool))
        yield
        telling.cancel()
        await jobs.close()
        await pool.close()
        cache.close()

    app = FastAPI(
        title="onekcal",
        version=version("onekcal"),
        description="Molecular energies to one kcal/mol and below, with an honest error bar.",
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/openapi.json",
        redirect_slashes=False,
        lifespan=life,
    )
    app.state.settings = settings
    for router in (ask, background, reports):
        app.include_router(router)
    _pages(app)
    _problems(app)
    app.add_middleware(Guard, limits=settings.limits, token=settings.token, hosts=settings.hosts)
    return app


async def _tell(pool: Pool) -> None:
    """Say on the console where the model could not be loaded."""
    await pool.loaded.wait()
    if pool.problem:
        print(f"onekcal: {pool.problem}", file=sys.stderr)


def _pages(app: FastAPI) -> None:
    """The page, the API's own page, and what they load."""

    @app.get("/", include_in_schema=False)
    def page() -> FileResponse:
        return FileResponse(STATIC / "index.html")

    @app.get("/api/docs", include_in_schema=False)
    def docs() -> FileResponse:
        return FileResponse(STATIC / "api.html")

    @app.get("/static/vendor/3Dmol-min.js", include_in_schema=False)
    def viewer() -> FileResponse:
        return FileResponse(VIEWER)

    app.mount("/static", StaticFiles(directory=STATIC), name="static")


def _problems(app: FastAPI) -> None:
    """Every problem is a line of JSON with a fitting status."""

    @app.exception_handler(OnekcalError)
    def told(request: Request, problem: OnekcalError) -> Response:
        status = (
            503
            if isinstance(problem, Busy)
            else 504
            if isinstance(problem, TooLong)
            else 400
            if isinstance(problem, InputError)
            else 500
        )
        headers = {"Retry-After": "5"} if status == 503 else None
        return JSONResponse({"problem": str(problem)}, status, headers)

    @app.exception_handler(HTTPException)
    def refused(request: Request, problem: HTTPException) -> Response:
        return JSONResponse({"problem": str(problem.detail)}, problem.status_code)

    @app.exception_handler(RequestValidationError)
    def misspelt(request: Request, problem: RequestValidationError) -> Response:
        said = "; ".join(
            f"{'.'.join(str(part) for part in one['loc'][1:]) or 'request'}: {one['msg']}"
            for one in problem.errors()
        )
        return JSONResponse({"problem": in_short(said)}, 422)
