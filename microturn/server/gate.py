"""The door of a server: who comes in, how many at once, and how often a stranger may knock."""

from collections.abc import Generator
from contextlib import contextmanager

from starlette.requests import HTTPConnection

from microturn.server.access import Access, Refusal, is_loopback
from microturn.server.admission import Admission, Good, give_allowance
from microturn.server.keys import Holder, Right
from microturn.server.live_server import LiveServer
from microturn.server.log import log_event


class Gate:
    """Checks every connection before anything is done for it."""

    def __init__(self, live: LiveServer, access: Access) -> None:
        self._live = live
        self._access = access
        self._admission = Admission(live.limits)

    def check(self, connection: HTTPConnection, right: Right) -> Holder | Refusal:
        """Whose connection it is, or why it is refused. From where too many guesses came, a right one is not heard."""
        address, now_ns = _address_of(connection), self._live.clock.now_ns()
        if self._admission.is_blocked(address, now_ns):
            return self._refused(_TOO_MANY_GUESSES)
        admitted = self._access.admit(connection, right)
        if isinstance(admitted, Refusal):
            may_go_on = admitted.status != 401 or self._admission.may_guess(address, now_ns)
            return self._refused(admitted if may_go_on else _TOO_MANY_GUESSES)
        allowance = self._admission.allowance(address, admitted.name)
        if shortage := allowance.shortage(Good.REQUESTS, now_ns):
            return self._refused(Refusal(status=429, code=shortage.code, message=str(shortage)))
        give_allowance(connection, allowance)
        return admitted

    def check_session(self, connection: HTTPConnection, right: Right = Right.CONNECT) -> Holder | Refusal:
        """As ``check``, for a connection that would hold a session: there has to be room for it."""
        holder = self.check(connection, right)
        if isinstance(holder, Refusal):
            return holder
        live = self._live
        if live.is_stopping:
            return self._refused(_STOPPING)
        if live.num_connections >= live.limits.max_connections:
            return self._refused(_FULL)
        if not self._admission.admits(_address_of(connection), holder.name):
            return self._refused(_TOO_MANY_OF_YOURS)
        return holder

    @contextmanager
    def stay(self, connection: HTTPConnection, holder: Holder) -> Generator[None, None, None]:
        """Count a connection for as long as it lasts."""
        address = _address_of(connection)
        self._admission.enter(address, holder.name)
        self._live.connect()
        try:
            yield
        finally:
            self._admission.leave(address, holder.name)
            self._live.disconnect()

    def _refused(self, refusal: Refusal) -> Refusal:
        log_event("connection refused", code=refusal.code)
        if self._live.metrics is not None:
            self._live.metrics.refused.labels(refusal.code).inc()
        return refusal


_STOPPING = Refusal(status=503, code="server_stopping", message="the server goes away: connect again when it is back")
_FULL = Refusal(status=503, code="too_many_connections", message="the server is full: try again later")
_TOO_MANY_OF_YOURS = Refusal(
    status=429, code="too_many_connections", message="too many sessions for this key or address: end one first"
)
_TOO_MANY_GUESSES = Refusal(status=429, code="too_many_wrong_keys", message="too many wrong keys: wait a minute")


def _address_of(connection: HTTPConnection) -> str | None:
    """Where a connection comes from; None for this machine."""
    host = connection.client.host if connection.client else ""
    return None if not host or is_loopback(host) else host
