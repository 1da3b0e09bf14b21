"""A language model that talks on and on, in a process of its own: ``python -m microturn.testing.endless_endpoint``.

It prints its address, answers every request with a long stream at the pace of a hosted model, and ends when its
standard input closes.
"""

import asyncio
import sys

from microturn.testing.endpoint import EndpointReply, scripted_endpoint

TOKENS_PER_S = 50
NUM_WORDS = 6_000


async def main() -> None:
    """Serve until standard input closes."""
    reply = EndpointReply(text="word " * NUM_WORDS, pause_ms=1_000 // TOKENS_PER_S)
    async with scripted_endpoint([reply]) as endpoint:
        print(f"listening {endpoint.base_url}", flush=True)  # the parent waits for this line
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main())
