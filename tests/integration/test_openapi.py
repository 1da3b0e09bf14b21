"""Every route answers as ``/openapi.json`` says, whatever is sent: schemathesis makes the requests from the document.

As in ``test_fuzz``, the application is called directly: what is left out is TCP.
"""

from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from starlette.routing import Route

from microturn.server.access import Access
from microturn.server.app import create_app
from microturn.server.live_server import LiveServer
from microturn.server.openapi import openapi_document
from microturn.server.paths import OPENAPI_PATH
from microturn.server.session_setup import Offer
from microturn.testing.scripted_engine import ScriptedEngine

schemathesis = pytest.importorskip("schemathesis", reason="schemathesis is not installed: pip install 'microturn[dev]'")
from schemathesis.specs.openapi.checks import (  # noqa: E402
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

KEY = "key"
AS_DESCRIBED = [
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]


def new_app() -> Any:
    live = LiveServer(engine=ScriptedEngine(), offer=Offer(model="nano", voice="heart"))
    return create_app(live, Access(host="127.0.0.1", key=KEY))


SCHEMA = schemathesis.openapi.from_asgi(OPENAPI_PATH, new_app())
SCHEMA.config.update(base_url="http://127.0.0.1")


def test_the_document_has_the_routes_and_no_others() -> None:
    described = {
        (method.upper(), path)
        for path, item in openapi_document()["paths"].items()
        for method in item
        if method in ("get", "post")
    }
    served = {
        (method, route.path)
        for route in new_app().routes
        if isinstance(route, Route)
        for method in (route.methods or set()) - {"HEAD"}
    }
    assert described == served


@SCHEMA.given(key=st.sampled_from([None, KEY, KEY, KEY, "wrong"]))
@SCHEMA.parametrize()
@settings(deadline=None, derandomize=True, database=None, max_examples=20, suppress_health_check=list(HealthCheck))
def test_it_answers_as_described(case: Any, key: str | None) -> None:
    headers = {} if key is None else {"authorization": f"Bearer {key}"}
    response = case.call(app=new_app(), headers=headers)  # what the application raises comes out here
    assert response.status_code < 500 or response.status_code in (501, 503)
    assert response.status_code != 401 or key != KEY
    case.validate_response(response, checks=AS_DESCRIBED)
