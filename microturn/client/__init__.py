"""A client of a microturn server, in a few lines.

    from microturn.client import connect, samples_of

    async with connect("http://127.0.0.1:8710") as session:
        await session.send_text("hello")
        async for event in session:
            match event.type:
                case "session.output_transcript.delta": print(event.delta, end="")
                case "session.output_audio.delta": play(samples_of(event))       # float32 at 24 kHz

Send sound all the time, silence included: media time counts samples. ``send_recording`` does so for a file, and
``microturn talk`` for a microphone. A lost connection comes back by itself.
"""

from microturn.client.live_client import LiveClient, connect, samples_of
from microturn.client.pacing import send_paced, send_silence
from microturn.client.recording import send_recording

__all__ = ["LiveClient", "connect", "samples_of", "send_paced", "send_recording", "send_silence"]
