"""Realtime over WebRTC: ``POST /v1/realtime/calls`` brings settings and an SDP offer; media and events follow."""

from contextlib import AbstractContextManager
from email.message import Message
from email.parser import BytesParser
from email.policy import HTTP
from typing import Any

from openai.types.realtime import RealtimeSessionCreateRequest, SessionUpdateEvent
from pydantic import TypeAdapter, ValidationError

from microturn.errors import ProtocolError
from microturn.server.admission import Allowance
from microturn.server.edge import at_the_edge
from microturn.server.engine_port import EngineSession
from microturn.server.live_server import LiveServer
from microturn.server.realtime.connection import RealtimeConnection
from microturn.server.webrtc.calls import channel_opened, hold_call
from microturn.server.webrtc.peer import Peer

_SESSION: TypeAdapter[RealtimeSessionCreateRequest] = TypeAdapter(RealtimeSessionCreateRequest)


def read_offer(content_type: str, body: bytes) -> tuple[str, RealtimeSessionCreateRequest | None]:
    """The SDP and the settings of a request: a form with ``sdp`` and ``session``, or the bare SDP.

    Raises:
        ProtocolError: it is neither.
    """
    kind = content_type.partition(";")[0].strip().lower()
    try:
        if kind == "application/sdp":
            return body.decode(), None
        if kind != "multipart/form-data":
            raise ProtocolError(
                f"a body of type {kind[:60]!r} is no offer: send a form with sdp and session, or application/sdp",
                code="invalid_value",
                param="sdp",
            )
        fields = _form_fields(content_type, body)
        session = fields.get("session")
        return fields.get("sdp", b"").decode(), None if session is None else _SESSION.validate_json(session)
    except (UnicodeDecodeError, ValidationError) as error:
        where = "sdp" if isinstance(error, UnicodeDecodeError) else "session"
        raise ProtocolError(f"{where} is not valid: see docs/protocol.md", code="invalid_value", param=where) from None


def _form_fields(content_type: str, body: bytes) -> dict[str, bytes]:
    """The parts of a form by their names."""
    head = b"Content-Type: " + content_type.encode("latin-1", "replace").replace(b"\r", b"").replace(b"\n", b"")
    form = BytesParser(policy=HTTP).parsebytes(head + b"\r\n\r\n" + body)
    parts: list[Message] = list(form.iter_parts()) if form.is_multipart() else []
    fields: dict[str, bytes] = {}
    for part in parts:
        name: Any = part.get_param("name", header="content-disposition")
        payload: Any = part.get_payload(decode=True)
        if isinstance(name, str) and isinstance(payload, bytes):
            fields[name] = payload
    return fields


async def answer_call(
    live: LiveServer,
    sdp: str,
    session: RealtimeSessionCreateRequest | None,
    stay: AbstractContextManager[object],
    allowance: Allowance,
) -> tuple[str, str]:
    """Answer an offer; the session goes on in a task of the server's. Returns its id and the SDP answer.

    Raises:
        ProtocolError: settings or an offer that cannot be served.
        CapacityError: no slot is left.
    """
    peer = Peer(live.clock, live.limits, allowance, live.ice_servers)
    try:
        call = RealtimeCall(live, peer, session)
        answer = await peer.answer(sdp)
        await call.open()
    except BaseException:
        await peer.close()
        raise
    live.spawn(hold_call(peer, call, stay))
    return call.session_id, answer


class RealtimeCall(RealtimeConnection):
    """One Realtime client over WebRTC: its session is settled before its first message."""

    def __init__(self, live: LiveServer, peer: Peer, session: RealtimeSessionCreateRequest | None) -> None:
        super().__init__(live, peer.channel)
        self._peer = peer
        if session is not None:
            wanted = SessionUpdateEvent(type="session.update", session=session)
            self._settings = self._settings.updated(wanted, self._limits)
        self._engine_session: EngineSession | None = None

    async def open(self) -> None:
        """Take a slot of the engine.

        Raises:
            CapacityError: none is left.
        """
        self._engine_session = await self._live.engine.open(self._settings.instructions, None)

    async def converse(self) -> int:
        """Hold the session."""
        return await at_the_edge(self.wire, self.session_id, self._hold_call())

    async def _hold_call(self) -> int:
        assert self._engine_session is not None, "opened before the offer is answered"
        await channel_opened(self._peer, self._engine_session, self._limits.start_within_ms)
        return await self.hold_session(self._engine_session, self._peer)
