"""Where the windows of a map are run: here, or on a cluster."""

from __future__ import annotations

from hf_magics.engines.ray import on_ray
from hf_magics.errors import OptionError
from hf_magics.inference.mapping.job import Execute
from hf_magics.inference.mapping.threads import here
from hf_magics.specs import MapSpec


def executor_for(spec: MapSpec) -> Execute:
    """Return what runs the windows of this job.

    Raises:
        OptionError: There is no such place, or an option of another one is given.
    """
    if spec.on not in {"", "ray"}:
        raise OptionError(f"--on '{spec.on}': there is ray; without it, this process")
    if not spec.on and (spec.address or spec.actors):
        raise OptionError("--address and --actors go with --on ray")
    if spec.actors is not None and spec.actors < 1:
        raise OptionError(f"--actors {spec.actors}: at least 1 is needed")
    return on_ray(spec) if spec.on else here
