"""Ray: a map on a pool of actors, on this machine or on a cluster."""

from hf_magics.engines.ray.executing import on_ray

__all__ = ["on_ray"]
