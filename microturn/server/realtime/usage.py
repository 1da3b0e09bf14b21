"""What a response cost: the tokens that the model read and wrote since the response before it."""

from openai.types.realtime import (
    RealtimeResponseUsage,
    RealtimeResponseUsageInputTokenDetails,
    RealtimeResponseUsageOutputTokenDetails,
)

from microturn.turns.micro_turn import MicroTurnOutput
from microturn.turns.timing import AUDIO_TOKENS_PER_TURN, PATCHES_PER_TURN
from microturn.turns.trace import TurnTrace


class UsageMeter:
    """Counts the micro-turns of one session.

    The model listens all the time, so the silence between two responses counts with the second. Nothing is read twice:
    what it remembers is state, and no token of it is counted again as a cached one.
    """

    def __init__(self) -> None:
        self._heard = self._seen = self._read = self._spoken = self._written = 0

    def add(self, output: MicroTurnOutput, trace: TurnTrace) -> None:
        """Take one micro-turn in."""
        self._heard += AUDIO_TOKENS_PER_TURN
        self._seen += trace.num_image_tokens
        self._read += trace.num_event_tokens
        self._spoken += PATCHES_PER_TURN if output.is_speaking else 0
        self._written += trace.num_text_tokens

    def take(self) -> RealtimeResponseUsage:
        """The tokens since the last ``take``."""
        num_input, num_output = self._heard + self._seen + self._read, self._spoken + self._written
        usage = RealtimeResponseUsage(
            total_tokens=num_input + num_output,
            input_tokens=num_input,
            input_token_details=RealtimeResponseUsageInputTokenDetails(
                audio_tokens=self._heard, image_tokens=self._seen, text_tokens=self._read, cached_tokens=0
            ),
            output_tokens=num_output,
            output_token_details=RealtimeResponseUsageOutputTokenDetails(
                audio_tokens=self._spoken, text_tokens=self._written
            ),
        )
        self._heard = self._seen = self._read = self._spoken = self._written = 0
        return usage
