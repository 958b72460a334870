"""What the API takes. Unknown fields are refused, so that a misspelt option is noticed."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from onekcal.prediction.estimate import Unit
from onekcal.prediction.options import Level, Route, Rung

Smiles = Annotated[str, StringConstraints(max_length=1000, strip_whitespace=True)]
Name = Annotated[str, StringConstraints(max_length=200, strip_whitespace=True)]


class OptionsRequest(BaseModel):
    """How a molecule is answered; the fields of `onekcal.Options`, under the same names."""

    model_config = ConfigDict(extra="forbid")

    conformers: int = Field(6, ge=1, le=20, description="Conformers of a SMILES that are relaxed.")
    force: bool = Field(False, description="Answer outside the scope too, without an interval.")
    coverage: float = Field(0.9, gt=0.0, lt=1.0, description="What the interval is to cover.")
    unit: Unit = Field("kcal/mol", description="The unit that energies are told in.")
    rung: Rung = Field("auto", description="Who answers.")
    exact: bool = Field(False, description="Compute without fitted integrals.")
    level: Level = Field(
        "experiment",
        description="Heats of formation with the correction to experiment, or without.",
    )


class GeometryRequest(OptionsRequest):
    """What only counts where geometries may be given."""

    keep_geometry: bool = Field(False, description="Do not relax a geometry that is given.")
    length: Literal["angstrom", "bohr", "nm"] | None = Field(
        None, description="Unit of coordinates; none: the one that the file names, or Å."
    )


class AnswerRequest(GeometryRequest):
    """What only the answer for a molecule has."""

    forces: bool = Field(False, description="Forces too (kcal/mol/Å, or `unit`/Å).")
    route: Route = Field("auto", description="How ΔfH(298 K) comes about.")
    thermal: Literal["auto", "gfn2", "regression"] = Field(
        "auto", description="Where H(298 K) − H(0) comes from."
    )
    boltzmann: bool = Field(False, description="ΔfH(298 K) of the mixture of conformers.")
    thermochemistry: bool = Field(False, description="Entropy, heat capacity, free energy too.")
    temperature: float = Field(298.15, gt=0.0, le=5000.0, description="K.")
    pressure: float = Field(1.0, gt=0.0, le=1e5, description="bar.")
    max_interval: float | None = Field(
        None, gt=0.0, description="Refuse molecules with a wider interval (±, in `unit`)."
    )


class MoleculeRequest(BaseModel):
    """One molecule: a SMILES, or a geometry."""

    model_config = ConfigDict(extra="forbid")

    smiles: Smiles = Field("", description="One molecule.", examples=["CCO"])
    geometry: str = Field("", max_length=100_000, description="The text of an xyz or sdf file.")
    format: Literal["xyz", "sdf"] = Field("xyz", description="What `geometry` is.")


class AddressRequest(AnswerRequest):
    """One molecule whose SMILES stands in an address."""

    smiles: Smiles = Field(min_length=1, description="One molecule.", examples=["CCO"])
    name: Name = ""


class PredictRequest(AnswerRequest, MoleculeRequest):
    """One molecule and how it is answered."""

    name: Name = ""


class SurfaceRequest(MoleculeRequest):
    """One molecule and the surface around it."""

    kind: Literal["lol", "elf", "esp"] = Field(
        description="LOL, ELF, or the electrostatic potential on the electron density."
    )


class BatchRequest(AnswerRequest):
    """A file of molecules, which is the body of the request."""

    file: str = Field(max_length=300, description="Its name; the ending says the format.")
    compute: bool = Field(False, description="Compute what the model does not know.")
    smiles_column: Name = Field("", description="Heading of the SMILES; none: it is found.")


class ReactRequest(GeometryRequest):
    """One reaction."""

    reaction: str = Field(
        max_length=2000, description="SMILES and coefficients.", examples=["C=C + [H][H] >> CC"]
    )
    temperature: float = Field(298.15, gt=0.0, le=5000.0, description="K.")
    pressure: float = Field(1.0, gt=0.0, le=1e5, description="bar.")
    free_energies: bool = Field(True, description="Frequencies of every species, for ΔrG.")


class BondsRequest(OptionsRequest):
    """One molecule whose single bonds are broken."""

    smiles: Smiles = Field(min_length=1, examples=["CCO"])


class JobRequest(BaseModel):
    """A question that is computed in the background, whatever it costs."""

    model_config = ConfigDict(extra="forbid")

    predict: PredictRequest | None = None
    react: ReactRequest | None = None
    bonds: BondsRequest | None = None


def options(request: OptionsRequest) -> dict[str, object]:
    """Return the fields of a request that are options.

    Parameters
    ----------
    request
        The request.
    """
    kinds = (AnswerRequest, GeometryRequest, OptionsRequest)
    kind = next(one for one in kinds if isinstance(request, one))
    found = request.model_dump(include=set(kind.model_fields))
    if isinstance(request, BatchRequest):
        found |= {"compute": request.compute, "smiles_column": request.smiles_column or None}
    return found
