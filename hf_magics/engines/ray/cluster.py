"""Ray itself: started here or met at an address, kept quiet, and left as it was found."""

from __future__ import annotations

import contextlib
import logging
import os
import socket
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from hf_magics.display.progress import progress
from hf_magics.display.words import one_line
from hf_magics.errors import EngineError
from hf_magics.inference.mapping.threads import physical_cores
from hf_magics.optional import optional

_WAIT_S = 5.0
_QUIET = {
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_BACKEND_LOG_LEVEL": "fatal",  # what its core writes past Python, of Ray Data's own actors
}
_LOOPBACK = {
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # on one machine: addresses of loopback alone
    "RAY_USAGE_STATS_ENABLED": "0",
}


@contextlib.contextmanager
def cluster(address: str) -> Iterator[Any]:
    """Give ray with a cluster for the length of the block.

    One that the notebook is connected to already is taken, where no other address is given; it
    stays. One that was started or connected here goes with the block.

    Args:
        address: Where the cluster is, ``""`` for one on this machine.

    Raises:
        MissingExtraError: Ray is not installed.
        EngineError: No cluster answers at the address, or it can't be started.
    """
    for name, value in (_QUIET if address else _QUIET | _LOOPBACK).items():
        os.environ.setdefault(name, value)
    ray = optional("ray", extra="ray")
    optional("ray.data", extra="ray")
    there = ray.is_initialized()
    if not there:
        with progress(f"connecting to Ray at {address}" if address else "starting Ray") as meter:
            meter.at_once()
            with _only_errors():
                _connect(ray, address)
    elif address:
        raise EngineError(
            "this notebook is connected to a Ray cluster already: leave out --address, or "
            "ray.shutdown() first"
        )
    try:
        with _quiet_data(ray):
            yield ray
    finally:
        if not there:
            ray.shutdown()


def _connect(ray: Any, address: str) -> None:
    more: dict[str, Any] = {"address": address}
    if address:
        _check_address(address)
    else:
        more = {"num_cpus": physical_cores(), "include_dashboard": False}
    try:
        ray.init(**more, log_to_driver=False, logging_level="ERROR", configure_logging=False)
    except (ConnectionError, RuntimeError, TimeoutError, ValueError) as error:
        where = f"at {address}" if address else "on this machine"
        if "InvalidAuthToken" in f"{error} {error.__cause__}":
            raise EngineError(_LOCKED.format(where)) from error
        if isinstance(error, ConnectionError) and address:  # Ray names its own options
            raise EngineError(f"no Ray cluster answers {where}: {_STARTS_ONE}") from error
        raise EngineError(f"Ray can't be had {where}: {one_line(error)[:200]}") from error


_STARTS_ONE = "ray start --head starts one; without --address it runs on this machine"
# it reads the environment once, when it is imported
_LOCKED = (
    "the Ray cluster {} asks for its token: restart the kernel and run %env RAY_AUTH_MODE=token "
    "first; Ray takes it from RAY_AUTH_TOKEN or ~/.ray/auth_token"
)


def _check_address(address: str) -> None:
    """Refuse an address where nothing listens, for which Ray itself waits a minute."""
    if address in {"auto", "local"}:
        return
    parts = urlsplit(address if "://" in address else f"//{address}")
    try:
        host, port = parts.hostname or "", parts.port or (10001 if parts.scheme == "ray" else 6379)
        socket.create_connection((host, port), _WAIT_S).close()
    except (OSError, ValueError) as error:
        raise EngineError(
            f"no Ray cluster answers at {address} ({error}): {_STARTS_ONE}"
        ) from error


@contextlib.contextmanager
def _only_errors() -> Iterator[None]:
    """Leave unsaid what Ray says of its own start: that its cluster has a token, how it logs.

    Its core writes past Python, to the process's standard error.
    """
    logger = logging.getLogger("ray")
    before = logger.level
    logger.setLevel(logging.ERROR)
    kept, nothing = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nothing)
        logger.setLevel(before)


@contextlib.contextmanager
def _quiet_data(ray: Any) -> Iterator[None]:
    """Set what Ray Data does for the length of the block: order kept, a window a block, no bars.

    Of what it logs, errors alone.
    """
    logger = logging.getLogger("ray.data")
    level = logger.level
    context = ray.data.DataContext.get_current()
    options = context.execution_options
    names = ("enable_progress_bars", "enable_operator_progress_bars", "target_max_block_size")
    before = {name: getattr(context, name) for name in names if hasattr(context, name)}
    logger.setLevel(logging.ERROR)
    order, options.preserve_order = options.preserve_order, True
    for name in before:
        setattr(context, name, 1 if name == "target_max_block_size" else False)
    try:
        yield
    finally:
        logger.setLevel(level)
        options.preserve_order = order
        for name, value in before.items():
            setattr(context, name, value)
