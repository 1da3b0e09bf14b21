"""HTTP bodies: those of requests, bounded, and errors in the form of OpenAI's."""

from starlette.requests import Request
from starlette.responses import JSONResponse

MAX_BODY_BYTES = 1_000_000


def error_response(status: int, code: str, message: str, param: str | None = None) -> JSONResponse:
    """An error with what to do about it."""
    kind = "server_error" if status >= 500 else "invalid_request_error"
    error = {"code": code, "message": message, "type": kind, "param": param}
    headers = {"retry-after": "1"} if code == "rate_limit_exceeded" else None
    return JSONResponse({"error": error}, status_code=status, headers=headers)


async def read_body(request: Request) -> bytes | JSONResponse:
    """The whole body, or the answer to one that is too long."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            return error_response(413, "request_too_large", f"the body exceeds {MAX_BODY_BYTES} bytes: shorten it")
    return bytes(body)
