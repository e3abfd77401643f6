"""What a pass needs of one chip and its links."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable


@runtime_checkable
class Machine(Protocol):
    """What `step_time` needs of one chip and its links; `headway.hardware.Chip` is one."""

    @property
    def bandwidth(self) -> Any:
        """Memory bandwidth. [bytes/s]"""
        ...

    @property
    def link(self) -> Any:
        """Link bandwidth per direction. [bytes/s]"""
        ...

    def beyond(self, ranks: Any) -> Any:
        """Bandwidth per direction of what joins so many chips beyond the link; 0 where nothing does. [bytes/s]"""
        ...

    @property
    def joined(self) -> Any:
        """Chips that the link joins."""
        ...

    @property
    def cpu(self) -> Machine | None:
        """The chip's share of its host's processors and memory; None where nothing is left to them."""
        ...

    @property
    def cpu_link(self) -> Any:
        """Bandwidth per direction between chip and host. [bytes/s]"""
        ...

    def peak(self, chain: tuple[str, ...]) -> Any:
        """Dense peak of the first compute kind in the chain that the chip has. [FLOP/s]"""
        ...

    def rate_kind(self, chain: tuple[str, ...]) -> str:
        """Name of that compute kind."""
        ...
