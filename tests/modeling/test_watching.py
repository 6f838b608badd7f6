"""What transformers says while it works, in several threads that come and go in any order."""

import logging
import os
import sys
import threading
import warnings

import pytest
from huggingface_hub.utils import are_progress_bars_disabled
from transformers.utils import logging as transformers_logging

from hf_magics.modeling.watching import warned_into, watched


@pytest.fixture
def before():
    """What belongs to the process, as it is when nobody watches."""
    transformers_logging.get_verbosity()
    return _state()


def _state() -> tuple:
    loggers = [logging.getLogger(name) for name in ("transformers", "huggingface_hub")]
    return (
        sys.stderr,
        warnings.showwarning,
        [(one.propagate, tuple(one.handlers)) for one in loggers],
        os.environ.get("DISABLE_SAFETENSORS_CONVERSION"),
        are_progress_bars_disabled(),
        transformers_logging.set_tqdm_hook(None),
    )


def test_who_comes_first_may_leave_first(before):
    """Each hears its own thread, and in the end everything is as it was."""
    logger = logging.getLogger("transformers.modeling_utils")
    came, left = threading.Event(), threading.Event()
    first, second, warned = [], [], []

    def other() -> None:
        with watched("second", notes=second), warned_into(warned):
            logger.warning("said in the second")
            warnings.warn("warned in the second", stacklevel=1)
            came.set()
            left.wait(10)
            logger.warning("said later")

    thread = threading.Thread(target=other)
    with watched("first", notes=first), warned_into([]):
        thread.start()
        assert came.wait(10)
        logger.warning("said in the first")
    left.set()
    thread.join()
    assert first == ["said in the first"]
    assert second == ["said in the second", "said later"]
    assert warned == ["warned in the second"]
    assert _state() == before


def test_a_thread_that_nobody_listens_in_is_heard_by_the_latest(before):
    """Transformers loads and the hub downloads in threads of their own."""
    logger = logging.getLogger("transformers.modeling_utils")
    notes: list[str] = []
    with watched("load", notes=notes):
        thread = threading.Thread(target=logger.warning, args=("said by a worker",))
        thread.start()
        thread.join()
    assert notes == ["said by a worker"]
    assert _state() == before


def test_an_error_inside_leaves_nothing(before):
    with pytest.raises(ZeroDivisionError), watched("load", notes=[]):
        raise ZeroDivisionError
    assert _state() == before


def test_tied_weights_that_are_missing_are_told_by_the_page_alone(before):
    """What transformers calls a corrupted checkpoint is a head that the loading report names."""
    notes: list[str] = []
    with watched("x", notes=notes):
        logging.getLogger("transformers").warning(
            "This checkpoint seem corrupted. The tied weights mapping for this model specifies to "
            "tie a to b, but both are absent from the checkpoint"
        )
        logging.getLogger("transformers").warning("something else")
    assert notes == ["something else"]
