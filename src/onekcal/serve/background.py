"""Routes of jobs: batches, and questions that take long."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response, StreamingResponse

from onekcal.errors import InputError
from onekcal.serve import downloads
from onekcal.serve.ask import REFUSALS, bonds_task, desk, predict_task, react_task
from onekcal.serve.desk import Desk
from onekcal.serve.requests import BatchRequest, JobRequest, options
from onekcal.system.queue import Job

router = APIRouter(prefix="/api", tags=["jobs"], responses=REFUSALS)
LONG = {"budget": 1e12, "compute": True}
"""Options of a computation in the background: it takes as long as it needs."""
PAGE = 1000
"""Rows that are sent at once."""

Key = Annotated[str, "The id of the job."]


@router.get("/jobs")
def all_jobs(request: Request) -> list[dict[str, Any]]:
    """List all jobs, the newest first."""
    return desk(request).jobs.all()


@router.post("/jobs", status_code=202)
async def add(request: Request, asked: JobRequest) -> dict[str, Any]:
    """Compute a molecule, a reaction or the bonds of a molecule in the background."""
    here = desk(request)
    return here.jobs.described(_added(here, asked))


def _added(here: Desk, asked: JobRequest) -> Job:
    given = [one for one in (asked.predict, asked.react, asked.bonds) if one is not None]
    if len(given) != 1:
        raise InputError("give one of `predict`, `react` and `bonds`")
    if asked.predict is not None:
        task = predict_task(asked.predict)
        name = asked.predict.name or asked.predict.smiles or "a geometry"
    elif asked.react is not None:
        task, name = react_task(asked.react), asked.react.reaction
    else:
        assert asked.bonds is not None
        task, name = bonds_task(asked.bonds), f"bonds of {asked.bonds.smiles}"
    task["options"] |= LONG
    return here.later(task, name)


@router.post(
    "/batch",
    status_code=202,
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "application/octet-stream": {"schema": {"type": "string", "format": "binary"}}
            },
        }
    },
)
async def batch(request: Request, asked: Annotated[BatchRequest, Query()]) -> dict[str, Any]:
    """Answer all molecules of a file (xyz, sdf, smi, csv, tsv, …), the body of the request."""
    here = desk(request)
    body = await request.body()
    return here.jobs.described(await here.upload(asked.file, body, options(asked)))


@router.get("/jobs/{key}")
def one_job(request: Request, key: Key) -> dict[str, Any]:
    """Say how far a job is."""
    here = desk(request)
    return here.jobs.described(here.jobs.job(key))


@router.get("/jobs/{key}/rows")
def rows(
    request: Request,
    key: Key,
    after: Annotated[int, Query(ge=0, description="`next` of the last reply.")] = 0,
    limit: Annotated[int, Query(ge=1, le=PAGE)] = PAGE,
) -> dict[str, Any]:
    """Return the answers of a job as they come, from a place on."""
    jobs = desk(request).jobs
    job = jobs.job(key)
    described = jobs.described(job)  # before the rows, so that a job that is done has them all
    found, place = jobs.lines(job, after, limit)
    for one in found:
        one.pop("block", None)
    return {"job": described, "rows": found, "next": place}


@router.get("/jobs/{key}/download.{ending}")
def download(request: Request, key: Key, ending: Literal["csv", "sdf", "json"]) -> Response:
    """Return all answers of a job as a file; ids and columns are those of the file that came."""
    job = desk(request).jobs.job(key)
    headers = {"Content-Disposition": f'attachment; filename="onekcal-{job.key}.{ending}"'}
    if ending == "json":
        return Response(downloads.as_json(job), media_type="application/json", headers=headers)
    write, kind = {
        "csv": (downloads.as_csv, "text/csv; charset=utf-8"),
        "sdf": (downloads.as_sdf, "chemical/x-mdl-sdfile"),
    }[ending]
    return StreamingResponse(write(job), media_type=kind, headers=headers)


@router.post("/jobs/{key}/cancel")
async def cancel(request: Request, key: Key) -> dict[str, Any]:
    """End a job; what it has answered stays."""
    jobs = desk(request).jobs
    jobs.cancel(jobs.job(key))
    return jobs.described(jobs.job(key))


@router.post("/jobs/{key}/resume")
async def resume(request: Request, key: Key) -> dict[str, Any]:
    """Let a job that was cancelled go on."""
    jobs = desk(request).jobs
    jobs.resume(jobs.job(key))
    return jobs.described(jobs.job(key))


@router.delete("/jobs/{key}", status_code=204)
async def remove(request: Request, key: Key) -> Response:
    """Remove a job with its answers."""
    jobs = desk(request).jobs
    jobs.remove(jobs.job(key))
    return Response(status_code=204)
