"""HTTP answers in the form of OpenAI's."""

from starlette.responses import JSONResponse


def error_response(status: int, code: str, message: str, param: str | None = None) -> JSONResponse:
    """An error with what to do about it."""
    kind = "server_error" if status >= 500 else "invalid_request_error"
    return JSONResponse({"error": {"code": code, "message": message, "type": kind, "param": param}}, status_code=status)
