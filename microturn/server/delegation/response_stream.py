"""One response of the Responses backend as the stream of events that GPT-Live nests in ``response.event``.

The nested events are those of OpenAI's Responses API. As there, snapshots of the response leave its output out.
"""

import time
from typing import Any

from openai.types.live import ResponseEvent

from microturn.server.audience import Audience


class ResponseStream:
    """A response, from ``response.created`` on.

    Args:
        response_id: Names it; ``session.delegation.created`` has told of it already.
        delegation_id: The delegation that it belongs to; None for what the client asked for by itself.
        model: Name of the backend.
    """

    def __init__(self, audience: Audience, response_id: str, delegation_id: str | None, model: str) -> None:
        self._audience = audience
        self._delegation_id = delegation_id
        self._response: dict[str, Any] = {
            "id": response_id,
            "object": "response",
            "created_at": int(time.time()),
            "model": model,
            "output": [],
            "parallel_tool_calls": False,
            "tool_choice": "auto",
            "tools": [],
        }
        self._num_events = 0
        self._tell_state("response.created", "in_progress")

    @property
    def response_id(self) -> str:
        """Its name."""
        return self._response["id"]

    def progress(self) -> None:
        """The backend works on it."""
        self._tell_state("response.in_progress", "in_progress")

    def complete_with_text(self, text: str) -> None:
        """The answer, whole."""
        item_id = f"msg_{self.response_id}"
        place = {"item_id": item_id, "output_index": 0, "content_index": 0}
        part: dict[str, Any] = {"type": "output_text", "text": "", "annotations": []}
        done = {**part, "text": text}
        message: dict[str, Any] = {"id": item_id, "type": "message", "role": "assistant", "content": []}
        self._tell("response.output_item.added", output_index=0, item={**message, "status": "in_progress"})
        self._tell("response.content_part.added", **place, part=part)
        self._tell("response.output_text.delta", **place, delta=text, logprobs=[])
        self._tell("response.output_text.done", **place, text=text, logprobs=[])
        self._tell("response.content_part.done", **place, part=done)
        message |= {"status": "completed", "content": [done]}
        self._tell("response.output_item.done", output_index=0, item=message)
        self._tell_state("response.completed", "completed")

    def complete_with_call(self, name: str, arguments: str, call_id: str) -> None:
        """A function that the client has to call."""
        item_id = f"fc_{self.response_id}"
        call = {"id": item_id, "type": "function_call", "call_id": call_id, "name": name}
        place = {"item_id": item_id, "output_index": 0}
        self._tell(
            "response.output_item.added", output_index=0, item={**call, "status": "in_progress", "arguments": ""}
        )
        self._tell("response.function_call_arguments.delta", **place, delta=arguments)
        self._tell("response.function_call_arguments.done", **place, name=name, arguments=arguments)
        call |= {"status": "completed", "arguments": arguments}
        self._tell("response.output_item.done", output_index=0, item=call)
        self._tell_state("response.completed", "completed")

    def fail(self, message: str) -> None:
        """There is no answer."""
        self._tell_state("response.failed", "failed", error={"code": "server_error", "message": message})

    def cancel(self) -> None:
        """The answer is not wanted any more."""
        self._tell_state("response.incomplete", "cancelled")

    def _tell_state(self, kind: str, status: str, **more: object) -> None:
        self._tell(kind, response={**self._response, "status": status, **more})

    def _tell(self, kind: str, **fields: object) -> None:
        nested = {"type": kind, "sequence_number": self._num_events, **fields}
        self._num_events += 1
        self._audience.send(
            ResponseEvent(
                type="response.event",
                event_id=self._audience.new_event_id(),
                delegation_id=self._delegation_id,
                event=nested,
            )
        )
