"""The engines under the name that they had before `vestige.graph`; for one release."""

from __future__ import annotations

from vestige.graph import ENGINES, Environment, Store
from vestige.graph import engines as graph_engines

__all__ = ["ENGINES", "Local", "RayCluster"]


class Local(graph_engines.Local):
    """Worker processes on this machine; `place` is the store, `root` the folder of data sets."""

    def __init__(self, place: str, root: str | None = None, workers: int | None = None) -> None:
        super().__init__(Store.at(place), Environment(root), workers)


class RayCluster(graph_engines.RayCluster):
    """Tasks on a Ray cluster; `place` is the store, `root` the folder of data sets."""

    def __init__(
        self,
        place: str,
        root: str | None = None,
        address: str | None = None,
        workers: int | None = None,
        gpu: float = 0.0,
    ) -> None:
        super().__init__(Store.at(place), Environment(root), address, workers, gpu)
