"""What can go wrong between processes.

TransportError                anything below
├── EnvelopeError             frames that are no message, or a message too large to send; `code` as in `error`
├── KeyFileError              a key file that is missing, readable by others, or no key
└── EndpointError             an address that cannot be listened on or connected to
"""

from transport.messages import ErrorCode


class TransportError(Exception):
    """Something that the transport could not do."""


class EnvelopeError(TransportError):
    """Frames that are refused. The text names a field at most and holds nothing of what the peer sent.

    `reply_to` is the id that the header carried, 0 when it could not be read; `kind` the type, when it is a known one.
    """

    def __init__(self, code: ErrorCode, text: str, *, reply_to: int = 0, kind: str = "") -> None:
        super().__init__(text)
        self.code: ErrorCode = code
        self.text = text
        self.reply_to = reply_to
        self.kind = kind


class KeyFileError(TransportError):
    """A key file that cannot be used; the text names the file, never its content."""


class EndpointError(TransportError):
    """An endpoint that is taken, malformed or not this machine's."""
