"""The booking page: for everyone without an account, at ``/book/{organization_id}``. It asks the public API only.

Its Content-Security-Policy lets it run and fetch what comes from here and nothing else, least of all inline scripts.
"""

from pathlib import Path
from typing import Literal
from uuid import UUID

from fastapi import APIRouter
from starlette.responses import Response

PAGES = Path(__file__).parent / "pages"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "geolocation=(), camera=(), microphone=(), payment=()",
}
KINDS = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
Asset = Literal["book.css", "book.js", "calendar.js", "calls.js", "icalendar.js", "make.js", "words.js", "icon.svg"]

router = APIRouter(prefix="/book", include_in_schema=False)

# Read once: a page is small, and a request is no time to look into the file system.
_PAGE = (PAGES / "book.html").read_bytes()
_ASSETS = {path.name: path.read_bytes() for path in PAGES.iterdir() if path.suffix in KINDS}


@router.get("/{organization_id}")
async def page(organization_id: UUID) -> Response:  # noqa: ARG001  the page reads it from its own address
    return Response(_PAGE, 200, HEADERS, "text/html; charset=utf-8")


@router.get("/assets/{name}")
async def asset(name: Asset) -> Response:
    kind = KINDS[Path(name).suffix]
    headers = {**HEADERS, "Cache-Control": "public, max-age=300"}
    return Response(_ASSETS[name], 200, headers, f"{kind}; charset=utf-8")
