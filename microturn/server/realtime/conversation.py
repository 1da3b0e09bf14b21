"""The list of items that Realtime clients see: ids, order, and the two events that announce each."""

import uuid
from collections import OrderedDict
from typing import Any

from openai.types.realtime import (
    ConversationItem,
    ConversationItemAdded,
    ConversationItemDone,
)

from microturn.errors import ProtocolError
from microturn.server.wire import Wire

MAX_ITEMS = 512
"""Items that can be asked for; the oldest are forgotten."""


def new_id(kind: str) -> str:
    """An id that is unique over all sessions."""
    return f"{kind}_{uuid.uuid4().hex[:21]}"


class Conversation:
    """The items of one session, oldest first."""

    def __init__(self, wire: Wire[Any]) -> None:
        self._wire = wire
        self._items: OrderedDict[str, ConversationItem] = OrderedDict()
        self._last_id: str | None = None

    @property
    def last_id(self) -> str | None:
        """Id of the newest item."""
        return self._last_id

    def add(self, item: ConversationItem) -> None:
        """Announce an item, which goes after all others. Its id is set."""
        previous_id, item_id = self._last_id, _id_of(item)
        self._items[item_id], self._last_id = item, item_id
        while len(self._items) > MAX_ITEMS:
            self._items.popitem(last=False)
        self._wire.send(
            ConversationItemAdded(
                type="conversation.item.added",
                event_id=self._wire.new_event_id(),
                item=item,
                previous_item_id=previous_id,
            )
        )

    def finish(self, item: ConversationItem) -> None:
        """Announce the final form of an item that was added."""
        self._items[_id_of(item)] = item
        self._wire.send(
            ConversationItemDone(type="conversation.item.done", event_id=self._wire.new_event_id(), item=item)
        )

    def find(self, item_id: str) -> ConversationItem:
        """An item.

        Raises:
            ProtocolError: there is none of that id.
        """
        try:
            return self._items[item_id]
        except KeyError:
            raise ProtocolError(
                f"no item has the id {item_id[:60]!r}: use one from conversation.item.added",
                code="item_not_found",
                param="item_id",
            ) from None

    def forget(self, item_id: str) -> None:
        """Take an item out of the list; the model has heard it all the same.

        Raises:
            ProtocolError: there is none of that id.
        """
        self.find(item_id)
        del self._items[item_id]
        if self._last_id == item_id:
            self._last_id = next(reversed(self._items), None)


def _id_of(item: ConversationItem) -> str:
    item_id = item.id
    assert item_id, "an item gets its id before it is announced"
    return item_id
