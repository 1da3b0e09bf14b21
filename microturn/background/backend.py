"""What the coordinator needs of whatever does the thinking."""

from typing import Protocol

from microturn.background.jobs import Answer
from microturn.background.package import ContextPackage, PackagePolicy
from microturn.background.workbench import Workbench


class Backend(Protocol):
    """Answers questions. One instance serves all sessions at once."""

    @property
    def name(self) -> str:
        """For logs and the page."""
        ...

    @property
    def package_policy(self) -> PackagePolicy:
        """How large a context package it can take."""
        ...

    async def answer(self, package: ContextPackage, bench: Workbench) -> Answer:
        """Work on one question until there is an answer. Cancellation must end the work.

        Raises:
            BackendError: there is none.
            CapacityError: the session's budget is used up.
        """
        ...

    async def close(self) -> None:
        """Let go of connections and processes."""
        ...
