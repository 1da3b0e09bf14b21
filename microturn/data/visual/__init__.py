"""What a camera shows: rendered scenes and real clips. A view gives the picture at any media time.

A scene is a background, things and people on it, a light and a camera; all of them change at moments that the caller
sets and that it is told back: what is to be seen, and when, is known by construction.
"""

from microturn.data.visual.films import Film, Films
from microturn.data.visual.patch_labels import PatchLabels
from microturn.data.visual.people import Person
from microturn.data.visual.scene import Scene
from microturn.data.visual.things import Thing
from microturn.data.visual.view import View

__all__ = ["Film", "Films", "PatchLabels", "Person", "Scene", "Thing", "View"]
