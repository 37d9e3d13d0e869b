"""What each type of problem means, at the address that is its type."""

from fastapi import APIRouter
from pydantic import BaseModel
from starlette.responses import Response

from api.contract import problems_at
from api.operation import Operation
from api.problem_kinds import KINDS, REFUSALS, Kind
from api.problems import Rejected
from api.reading import Listed, shown, whole

router = APIRouter(prefix="/problems", tags=["problems"], route_class=Operation)

_MEANING = {kind.slug: " ".join((refused.__doc__ or "").split()) for refused, kind in REFUSALS.items()}


class ProblemKindShape(BaseModel):
    type: str
    status: int
    title: str
    meaning: str


@router.get("", operation_id="listProblems", response_model=Listed[ProblemKindShape])
async def list_problems() -> Response:
    """Every type of problem that this API answers with."""
    return whole([_page(kind) for kind in sorted(KINDS.values(), key=lambda kind: (kind.status, kind.slug))])


@router.get("/{slug}", operation_id="getProblem", response_model=ProblemKindShape, responses=problems_at([404]))
async def get_problem(slug: str) -> Response:
    if slug not in KINDS:
        raise Rejected("no-such-page", "There is no such type of problem.")
    return shown(_page(KINDS[slug]))


def _page(kind: Kind) -> dict[str, object]:
    return {
        "type": f"/problems/{kind.slug}",
        "status": kind.status,
        "title": kind.title,
        "meaning": _MEANING.get(kind.slug) or kind.title,
    }
