"""Routes that answer at once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from onekcal.errors import InputError
from onekcal.serve.desk import Desk
from onekcal.serve.requests import (
    AddressRequest,
    BondsRequest,
    MoleculeRequest,
    PredictRequest,
    ReactRequest,
    SurfaceRequest,
    options,
)

router = APIRouter(prefix="/api", tags=["answers"])
PROBLEM = {
    "content": {
        "application/json": {
            "schema": {"type": "object", "properties": {"problem": {"type": "string"}}}
        }
    }
}
REFUSALS: dict[int | str, dict[str, Any]] = {
    400: {"description": "It makes no sense.", **PROBLEM},
    401: {"description": "A token is needed.", **PROBLEM},
    403: {"description": "Another site asked.", **PROBLEM},
    413: {"description": "It is too large.", **PROBLEM},
    422: {"description": "A field is missing, unknown or out of range.", **PROBLEM},
    429: {"description": "Too many requests.", **PROBLEM},
    500: {"description": "The process that computed this ended.", **PROBLEM},
    503: {"description": "Too many questions wait.", **PROBLEM},
    504: {"description": "It took too long; ask for a job.", **PROBLEM},
}


def desk(request: Request) -> Desk:
    """Return what answers.

    Parameters
    ----------
    request
        Of this server.
    """
    return request.app.state.desk


def predict_task(asked: PredictRequest) -> dict[str, Any]:
    """Return what a worker is asked for one molecule.

    Parameters
    ----------
    asked
        The request.
    """
    return {"kind": "predict", "options": options(asked), "name": asked.name, **_molecule(asked)}


def _molecule(asked: MoleculeRequest) -> dict[str, Any]:
    if bool(asked.smiles) == bool(asked.geometry.strip()):
        raise InputError("give either `smiles` or `geometry`")
    if asked.smiles:
        return {"smiles": asked.smiles}
    return asked.model_dump(include={"geometry", "format"})


def bonds_task(asked: BondsRequest) -> dict[str, Any]:
    """Return what a worker is asked for the bonds of one molecule.

    Parameters
    ----------
    asked
        The request.
    """
    return {"kind": "bonds", "options": options(asked), "smiles": asked.smiles}


def react_task(asked: ReactRequest) -> dict[str, Any]:
    """Return what a worker is asked for one reaction.

    Parameters
    ----------
    asked
        The request.
    """
    conditions = asked.model_dump(include={"reaction", "temperature", "pressure", "free_energies"})
    return {"kind": "react", "options": options(asked), **conditions}


@router.get("/about", responses=REFUSALS)
def about(request: Request) -> dict[str, Any]:
    """Say what the model may be asked, and what this server takes."""
    here, settings = desk(request), request.app.state.settings
    limits = here.limits
    return {
        "version": here.version,
        "model": Path(settings.model).name,  # no path of this machine is told
        "ready": here.pool.about is not None,
        "problem": here.pool.problem or None,
        "scope": here.pool.about,
        "limits": {
            "atoms": limits.atoms,
            "rows": limits.rows,
            "upload_bytes": limits.upload,
            "seconds": limits.seconds,
        },
    }


@router.post("/predict", responses=REFUSALS)
async def predict(request: Request, asked: PredictRequest) -> Response:
    """Answer one molecule. `problem` says why where there is no energy."""
    return _first(await desk(request).at_once(predict_task(asked)))


@router.get("/predict", responses=REFUSALS)
async def predict_by_address(
    request: Request, asked: Annotated[AddressRequest, Query()]
) -> Response:
    """Answer one molecule whose SMILES stands in the address."""
    same = PredictRequest(**asked.model_dump())
    return _first(await desk(request).at_once(predict_task(same)))


@router.post("/react", responses=REFUSALS)
async def react(request: Request, asked: ReactRequest) -> Response:
    """Answer one reaction. Species that nobody has computed are not computed here."""
    task = react_task(asked)
    task["options"] |= {"budget": 0.0}
    return _first(await desk(request).at_once(task))


@router.post("/bonds", responses=REFUSALS)
async def bonds(request: Request, asked: BondsRequest) -> Response:
    """List single bonds with their dissociation enthalpies; no radical is computed here."""
    task = bonds_task(asked)
    task["options"] |= {"budget": 0.0}
    return Response(await desk(request).at_once(task), media_type="application/json")


@router.post("/surface", responses=REFUSALS)
async def surface(request: Request, asked: SurfaceRequest) -> Response:
    """Draw a surface around one molecule: points, normals and colours of triangles."""
    task = {"kind": "surface", "surface": asked.kind, **_molecule(asked)}
    return _first(await desk(request).at_once(task, keep=False))


def _first(parts: str) -> Response:
    """The one part of an answer, without reading it: `[{…}]` becomes `{…}`."""
    return Response(parts[1:-1], media_type="application/json")
