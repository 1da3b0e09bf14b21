"""Permissions of tools on the wire: what the client says about them, and what it is told."""

import asyncio
import contextlib
from collections.abc import Sequence

from microturn.background.permissions import Permission
from microturn.clock import Clock
from microturn.errors import CapacityError, ProtocolError
from microturn.protocol.extensions import ToolRule, ToolsEvent, ToolState, ToolsUpdateEvent
from microturn.protocol.live import ClientEvent
from microturn.server.background_engine import BackgroundEngineSession
from microturn.server.engine_port import EngineSession
from microturn.server.limits import Limits, MessageRate
from microturn.server.wire import ClientGoneError, Wire

UPDATE = "microturn.tools.update"
GATHER_S = 0.1
"""How long a change that the client did not make waits for others."""


class SessionTools:
    """The tools of one session, as its client knows them.

    Args:
        session: Without a background behind it there are none.
        is_served: Whether the background does what the model asks for; else the client does, with tools of its own.
    """

    def __init__(
        self, wire: Wire[ClientEvent], session: EngineSession, limits: Limits, clock: Clock, *, is_served: bool
    ) -> None:
        self._wire = wire
        self._clock = clock
        self._background = session if is_served and isinstance(session, BackgroundEngineSession) else None
        self._rate = MessageRate(limits.max_tool_updates_per_s, limits.max_tool_update_burst)
        self._is_shown = False
        self._is_changing = False
        self._waiting: asyncio.TimerHandle | None = None
        """Until a list is sent."""

    def begin(self, rules: Sequence[ToolRule]) -> None:
        """What the client says on enabling; where there are no tools, it means nothing.

        Raises:
            ProtocolError: as ``update``, or it may not say so.
        """
        permissions = self._wire.permissions
        if rules and permissions is not None and not permissions.admits(UPDATE):
            raise ProtocolError(
                f"{UPDATE} is not among this data channel's allowed_client_events: leave tools out",
                code="not_permitted",
                param="tools",
            )
        if rules and self._background is not None:
            self._apply(self._background, rules, "tools")

    def update(self, event: ToolsUpdateEvent) -> None:
        """What the client says about tools.

        Raises:
            ProtocolError: nobody has tools here, or there are too many rules, or too many changes.
        """
        if self._background is None:
            raise ProtocolError(
                "no background model of this server works for this session: its tools are the client's own",
                code="no_background",
                param="type",
            )
        self._apply(self._background, event.rules, "rules")
        self.show(event.event_id)

    def show(self, client_event_id: str | None = None) -> None:
        """Tell the client of its tools, now and after every change."""
        self._send(client_event_id)
        if self._background is not None and not self._is_shown:
            self._is_shown = True
            self._background.observe_tools(self._send_soon)

    def _apply(self, background: BackgroundEngineSession, rules: Sequence[ToolRule], param: str) -> None:
        if not self._rate.admits(self._clock.now_ns()):
            raise ProtocolError(
                "the permissions of tools change too often: put several rules into one event",
                code="rate_limit_exceeded",
                param=param,
            )
        self._is_changing = True  # it is answered with the list in any case
        try:
            background.rule_tools([(rule.tool, Permission(rule.permission)) for rule in rules])
        except CapacityError as error:
            raise ProtocolError(str(error), code="too_many_rules", param=param) from None
        finally:
            self._is_changing = False

    def _send_soon(self) -> None:
        """Changes that come close together are told at once."""
        if self._waiting is None and not self._is_changing:
            self._waiting = asyncio.get_running_loop().call_later(GATHER_S, self._send)

    def _send(self, client_event_id: str | None = None) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None
        standings = self._background.tool_standings() if self._background else []
        event = ToolsEvent(
            event_id=self._wire.new_event_id(),
            client_event_id=client_event_id,
            tools=[
                ToolState(
                    name=each.name,
                    description=each.description,
                    permission=each.permission.value,
                    fixed=each.is_fixed,
                )
                for each in standings
            ],
        )
        with contextlib.suppress(ClientGoneError):  # its own tasks notice
            self._wire.send(event)
