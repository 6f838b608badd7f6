"""An error with those behind it: each is met once, whatever points to what."""

from itertools import islice

from hf_magics.errors import with_causes
from hf_magics.secret import without_frames


def raised() -> ValueError:
    """Return an error with a cause and, beside it, another that was being handled."""
    try:
        try:
            raise KeyError("handled")  # noqa: TRY301 - it is to be handled where it is raised
        except KeyError:
            raise ValueError("told") from OSError("cause")
    except ValueError as error:
        return error


def test_an_error_comes_first_then_its_cause_and_what_was_being_handled():
    assert [str(one) for one in with_causes(raised())] == ["told", "cause", "'handled'"]


def test_an_error_that_is_its_own_cause_is_met_once():
    error = ValueError("mine")
    error.__cause__ = error
    assert list(islice(with_causes(error), 3)) == [error]


def test_no_frame_is_left_of_what_was_being_handled():
    """A frame of it may hold a token, as those of the error itself may."""
    error = without_frames(raised())
    assert [one.__traceback__ for one in with_causes(error)] == [None] * 3
