"""The reactor's side of the tie to its guard: proof of progress one way, the other way a pipe that ends with it."""

import os
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress

from deploy.proof import PARTS, encode

PATIENCE = 3.0  # seconds for the guard to let go of the outputs; afterwards lines that are still taken are tried again


class Tether:
    """Both pipes. `gone` is called, on a thread of its own, when the guard has ended, however it did."""

    def __init__(self, proof: int, answer: int, gone: Callable[[], None]) -> None:
        """Take the descriptors that the guard left open."""
        for descriptor in (proof, answer):
            os.set_inheritable(descriptor, False)  # noqa: FBT003 - takes no keywords
        os.set_blocking(proof, False)
        self._proof = proof
        self._answer = answer
        self._gone = gone
        self._free = threading.Event()
        threading.Thread(target=self._listen, name="guard", daemon=True).start()

    def take_over(self) -> None:
        """Say that the outputs are about to be taken, and wait until the guard has let go of them."""
        self.prove([0.0] * len(PARTS))
        self._free.wait(PATIENCE)

    def prove(self, late: Sequence[float]) -> None:
        """Say by how many seconds each part is late. Never waits: a guard that does not read gets what comes later."""
        with suppress(BlockingIOError, BrokenPipeError):  # it stands still, or has gone, which the other pipe tells
            os.write(self._proof, encode(late))

    def _listen(self) -> None:
        while os.read(self._answer, 1):
            self._free.set()
        self._gone()
