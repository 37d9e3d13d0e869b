"""The page that links in mails lead to: it confirms an address, or takes a new password. Static, of three files.

What stands behind the # of its address is the code. Browsers send it to no server, and the page sends it in a body.
Nothing is done by opening it: a program that looks at the links in mails must not use them up.
"""

from pathlib import Path

from fastapi import APIRouter
from starlette.responses import Response

router = APIRouter(include_in_schema=False)

_HERE = Path(__file__).parent
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
}
_PAGE, _SCRIPT, _STYLE = ((_HERE / f"account.{kind}").read_bytes() for kind in ("html", "js", "css"))


@router.get("/account")
async def page() -> Response:
    return Response(_PAGE, headers=_HEADERS, media_type="text/html; charset=utf-8")


@router.get("/account/account.js")
async def script() -> Response:
    return Response(_SCRIPT, headers=_HEADERS, media_type="text/javascript; charset=utf-8")


@router.get("/account/account.css")
async def style() -> Response:
    return Response(_STYLE, headers=_HEADERS, media_type="text/css; charset=utf-8")
