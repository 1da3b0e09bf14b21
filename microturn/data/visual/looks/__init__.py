"""How things are drawn: each name in several looks. ``split.LOOKS`` says which side a look is on."""

from microturn.data.visual.looks.carried import CARRIED
from microturn.data.visual.looks.indoors import INDOORS
from microturn.data.visual.looks.nature import NATURE
from microturn.data.visual.looks.outdoors import OUTDOORS
from microturn.data.visual.looks.parts import Look
from microturn.data.visual.looks.toys import TOYS

_NAMES = (
    *("ball", "box", "cup", "star", "car", "tree", "fish", "house"),
    *("book", "bottle", "phone", "flower", "hat", "key", "heart", "lamp"),
)
_ALL = TOYS | INDOORS | CARRIED | OUTDOORS | NATURE

LOOKS: dict[str, dict[str, Look]] = {name: _ALL[name] for name in _NAMES}
"""Name to look to outlines, back to front."""
