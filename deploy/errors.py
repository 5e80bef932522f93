"""What keeps a process from starting.

ConfigurationError            variables or files hold mistakes: every one of them, a line each
StartError                    this machine cannot run it now: a port taken, a folder locked, nothing to download from
"""


class ConfigurationError(Exception):
    """Mistakes that people must correct. `mistakes` has one line for each."""

    def __init__(self, *mistakes: str) -> None:
        super().__init__("\n".join(mistakes))
        self.mistakes = mistakes


class StartError(Exception):
    """The one line that says what stands in the way, and what to do about it."""
