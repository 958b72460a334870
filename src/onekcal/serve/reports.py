"""Routes of the runs on this machine; nothing here writes."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse

from onekcal.serve import runs
from onekcal.serve.ask import REFUSALS

router = APIRouter(tags=["runs"], responses=REFUSALS)
REPORT_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; style-src 'unsafe-inline'; "
    "img-src data: blob:; worker-src blob:; frame-ancestors 'self'; sandbox allow-scripts"
)
"""A report runs its own scripts, in an origin of its own: it cannot ask this server."""


@router.get("/api/runs")
def all_runs(request: Request) -> list[dict[str, Any]]:
    """List the finished runs on this machine, the newest first."""
    return [one.described() for one in runs.runs(request.app.state.settings.runs)]


@router.get("/runs/{key}", include_in_schema=False)
def report(request: Request, key: str) -> FileResponse:
    """Show the report of a run."""
    path = runs.report(request.app.state.settings.runs, key)
    headers = {"Content-Security-Policy": REPORT_POLICY, "X-Frame-Options": "SAMEORIGIN"}
    return FileResponse(path, media_type="text/html", headers=headers)
