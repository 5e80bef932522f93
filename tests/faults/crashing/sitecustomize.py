"""What no product has: SIGUSR2 is an exception out of nowhere, and a database is tried again within seconds.

Python imports it at the start of each process of a test's system, because it is on PYTHONPATH. The exception comes on
the main thread, wherever that is, out of a call that has every secret of the system in a variable.
"""

import os
import signal
import sys
from pathlib import Path
from types import FrameType

STATE = Path(os.environ.get("REACTORIUM_STATE_DIR", "."))
SOON = 2.0  # seconds instead of 30, of a login that was refused and of a database that was away


def crash(_number: int, _frame: FrameType | None) -> None:
    """Raise."""
    held = [path.read_text() for path in (*STATE.glob("*.toml"), *STATE.glob("keys/*"), *STATE.glob("reactors/*/key"))]
    raise RuntimeError("out of nowhere" if held else "with nothing in hand")


signal.signal(signal.SIGUSR2, crash)
if sys.orig_argv[-1] == "reactor":
    from storage import shipping
    from transport.liveness import back_off

    shipping.LOGIN_WAIT = SOON
    vars(shipping)["back_off"] = lambda failures, source: min(SOON, back_off(failures, source))
