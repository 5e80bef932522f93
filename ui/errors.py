"""What can go wrong between a person and the wire.

OperatorError                 anything below; the text is for people
├── NoManager                 nobody can take it now: try again
├── NoAnswer                  it was sent, and what became of it is not known: look
└── Declined                  the manager answered with an error
"""


class OperatorError(Exception):
    """Something that was asked for and cannot be said to be done."""


class NoManager(OperatorError):  # noqa: N818 - what happened
    """No manager serves the reactor, or none is connected. Nothing was changed."""


class NoAnswer(OperatorError):  # noqa: N818
    """The answer did not come in time, or its connection was lost: the change may have been made."""


class Declined(OperatorError):  # noqa: N818
    """The manager refused the message itself. Nothing was changed."""
