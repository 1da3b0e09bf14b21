"""Pictures that tools return: a few small ones go to the page with the answer. Nobody else is shown them.

They are foreign: only the raster formats that a page draws without running anything are kept, and only where their
bytes are of the format that they are said to be.
"""

import base64
import io
from dataclasses import dataclass

from PIL import Image

MAX_PICTURES = 4
"""Of one job."""
MAX_PICTURE_BYTES = 96_000
"""Of all pictures of a job together: with a long answer they still fit into one message of a data channel."""
MAX_PICTURE_SIDE_PX = 4_096
_FORMATS = {"image/png": "PNG", "image/jpeg": "JPEG", "image/gif": "GIF", "image/webp": "WEBP"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Picture:
    """A picture that a tool has returned for a job."""

    tool: str
    media_type: str
    data: bytes

    def to_markdown(self) -> str:
        """The picture as an answer holds it."""
        name = self.tool.replace("_", " ").replace("[", "").replace("]", "")
        return f"![{name}](data:{self.media_type};base64,{base64.b64encode(self.data).decode()})"


def is_showable(media_type: str, data: bytes) -> bool:
    """Whether a page may draw it: a small raster picture, by its own first bytes too."""
    kind = _FORMATS.get(media_type)
    if kind is None or len(data) > MAX_PICTURE_BYTES:
        return False
    try:
        with Image.open(io.BytesIO(data), formats=[kind]) as image:  # reads no more than the header
            return max(image.size) <= MAX_PICTURE_SIDE_PX
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return False
