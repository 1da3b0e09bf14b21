"""Who answers in an evaluation: what ``microturn serve --background`` takes, and the installed language model alone."""

from microturn.background.backend import Backend
from microturn.background.setup import BackgroundConfig, build_backend
from microturn.errors import MissingDependencyError

LOCAL = "local"
"""As a background: the small language model that is installed, without the rules that ``embedded`` asks first."""


def background_of(config: BackgroundConfig) -> Backend:
    """A backend; to be closed by whoever asked for it.

    Raises:
        ValueError: a background that cannot be used.
        MissingDependencyError: an optional package is not installed.
    """
    if config.mode != LOCAL:
        return build_backend(config)
    try:
        from microturn.background.backends.local import LocalBackend
    except ImportError as error:
        raise MissingDependencyError(f"{error.name} is not installed: run scripts/install background-local") from None
    return LocalBackend()
