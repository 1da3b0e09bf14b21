"""What an untrusted frontend may say about tools, by whichever event."""

from typing import Any, cast

import pytest
from openai.types.live import DataChannelConfig

from microturn.clock import SystemClock
from microturn.errors import ProtocolError
from microturn.protocol.extensions import ToolRule, ToolsUpdateEvent
from microturn.server.limits import Limits
from microturn.server.tool_rules import SessionTools
from microturn.server.wire import LIVE, Permissions, Wire


def test_who_may_not_change_permissions_may_not_do_so_on_enabling_either():
    wire = Wire(cast(Any, None), LIVE, Limits(), SystemClock(), lambda: "event")
    wire.permissions = Permissions(DataChannelConfig(allowed_client_events=["microturn.extensions.enable"]))
    tools = SessionTools(wire, cast(Any, None), Limits(), SystemClock(), is_served=True)
    tools.begin(())
    rule = ToolRule(tool="*", permission="allow")
    with pytest.raises(ProtocolError, match="allowed_client_events") as refused:
        tools.begin([rule])
    assert refused.value.code == "not_permitted"
    wire.permissions = Permissions(DataChannelConfig(allowed_client_events=["microturn.tools.update"]))
    with pytest.raises(ProtocolError, match="no background") as refused:
        tools.update(ToolsUpdateEvent(type="microturn.tools.update", rules=[rule]))
    assert refused.value.code == "no_background"
