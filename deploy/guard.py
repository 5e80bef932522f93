"""The guard: holds every output's safe value, and has the reactor as its child.

The light program that `reactorium guard` becomes once it has read the reactor's file (`deploy.guard_start`): no
network, no database, no driver. One thread waits for signals, the child's end among them; buses have theirs.

Order is everything here: outputs are made safe first, then it is told; lines are the reactor's while there is one.
"""

import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from typing import NoReturn

import setproctitle

from deploy.guard_plan import Plan, stamp
from deploy.plain_log import PlainLog
from deploy.restarts import Restarts
from deploy.safekeeping import Safekeeping
from hardware.safe_writer import carry_out

AT_ONCE = 1.0  # seconds that one round of writes may take; a bus that needs longer is waited for no more
RETRY = 0.2  # seconds between two tries of what is not safe
BEFORE_START = 3.0  # seconds that are spent on outputs that cannot be made safe before the first start
STOPPING = 9.0  # seconds from telling the reactor to stop to killing it: more than it gives itself (`lifeline`)
AT_END = 2.0  # seconds that are spent on outputs before the guard ends
LONG, SHORT = 3600.0, 0.1  # seconds between two looks at a child that runs, at one that is to end; its end is heard

_STOP = frozenset({signal.SIGTERM, signal.SIGINT, signal.SIGHUP})
_HEARD = _STOP | {signal.SIGCHLD}


class Signals:
    """What happens to this process: signals are not handled but waited for, so that none comes between."""

    def __init__(self) -> None:
        self.stop = False
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # who started us may have it ignored, and children unheard
        signal.pthread_sigmask(signal.SIG_BLOCK, _HEARD)

    def wait(self, seconds: float) -> None:
        """Wait until something happened, or for so long; sets `stop` when told to."""
        heard = signal.sigtimedwait(_HEARD, max(0.0, seconds))
        if heard is not None and heard.si_signo in _STOP:
            self.stop = True

    def give_back(self) -> None:
        """Let signals have their usual effect again: what came meanwhile has it now."""
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _HEARD)


class Child:
    """One run of the reactor. Whoever starts it must have `Signals`."""

    def __init__(self, command: list[str], environment: Mapping[str, str]) -> None:
        self.pid = 0
        self._how = ""
        try:
            self.pid = os.posix_spawn(command[0], command, environment, setsigmask=())
        except OSError as error:  # no memory, too many processes: another time
            self._how = f"cannot be started: {error.strerror}"

    def end(self) -> str:
        """Say how it ended; nothing while it runs."""
        if not self._how:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self._how = _describe(os.waitstatus_to_exitcode(status))
        return self._how

    def send(self, number: signal.Signals) -> None:
        """Send it a signal; call only while it runs."""
        os.kill(self.pid, number)


class Guard:
    """Runs one reactor until told to stop."""

    def __init__(  # noqa: PLR0913 - the last two are a test's
        self,
        plan: Plan,
        signals: Signals,
        outputs: Safekeeping,
        log: PlainLog,
        *,
        spawn: Callable[[list[str], Mapping[str, str]], Child] = Child,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._plan = plan
        self._signals = signals
        self._outputs = outputs
        self._log = log
        self._spawn = spawn
        self._now = now
        self._told: dict[str, str] = {}
        self._restarts = Restarts(plan.pace)

    def run(self) -> int:
        """Guard; returns the exit status, 1 when an output could not be made safe at the end."""
        self._outputs.begin(AT_ONCE)
        self._log("info", f"guards {len(self._plan.outputs)} outputs")
        self._insist(BEFORE_START)
        while not self._signals.stop:
            self._start_over_if_changed()
            self._outputs.let_go(AT_ONCE)
            began = self._now()
            child = self._spawn(self._plan.child, {**os.environ, **self._plan.variables})
            self._watch(child)
            self._outputs.begin(AT_ONCE)
            self._after(child, self._now() - began)
        self._signals.stop = False  # from here on there is nothing to hurry for
        self._insist(AT_END)
        self._log("info", "stops")
        return 1 if self._outputs.unsafe() else 0

    def _watch(self, child: Child) -> None:
        """Return when it has ended: by itself, or because we are told to stop."""
        if not child.end():
            self._log("info", f"starts the reactor as process {child.pid}")
        while not (child.end() or self._signals.stop):
            self._signals.wait(LONG)
        if child.end():
            return
        child.send(signal.SIGTERM)
        deadline = self._now() + STOPPING
        while not child.end():
            if self._now() >= deadline:
                child.send(signal.SIGKILL)
            self._signals.wait(SHORT)

    def _after(self, child: Child, ran: float) -> None:
        """Say what happened, and wait until the next start is due; what is not safe is tried again meanwhile."""
        if self._signals.stop:
            self._log("info", f"the reactor {child.end()}")
            return
        delay = self._restarts.after(ran)
        self._log("error", f"the reactor {child.end()} after {ran:.0f} s and is started again in {delay:.3g} s")
        due = self._now() + delay
        self._insist(delay)
        while not self._signals.stop and (left := due - self._now()) > 0:
            self._signals.wait(left)

    def _insist(self, seconds: float) -> None:
        """Say what is not safe and try it again, for so long, or until all is safe or we are told to stop."""
        deadline = self._now() + seconds
        self._tell()
        while self._outputs.unsafe() and not self._signals.stop and self._now() < deadline:
            self._signals.wait(RETRY)
            self._outputs.go_on(AT_ONCE)
            self._tell()

    def _tell(self) -> None:
        """Say what has changed since it was last said."""
        unsafe = self._outputs.unsafe()
        for name, error in unsafe.items():
            if self._told.get(name) != error:
                self._log("error", f"{name} is not safe: {error}")
        for name in self._told.keys() - unsafe.keys():
            self._log("info", f"{name} is safe now")
        self._told = unsafe

    def _start_over_if_changed(self) -> None:
        """Read the reactor's file again if somebody wrote it: what is safe may be another thing now."""
        if stamp(self._plan.file) != self._plan.stamp:
            self._log("info", f"{self._plan.file} is another: reads it again")
            self._signals.give_back()
            os.execv(self._plan.again[0], self._plan.again)  # noqa: S606 - ourselves


def _describe(code: int) -> str:
    if code >= 0:
        return f"ended with status {code}"
    try:
        return f"was killed by {signal.Signals(-code).name}"
    except ValueError:  # a real-time signal
        return f"was killed by signal {-code}"


def main() -> NoReturn:
    """Be the guard of the plan that stands in the open file whose number is the only argument."""
    signals = Signals()
    plan = Plan.receive(int(sys.argv[1]))
    os.set_inheritable(plan.lock, False)  # noqa: FBT003 - takes no keywords; ours, not the reactor's
    setproctitle.setproctitle(f"reactorium guard {plan.name}")
    log = PlainLog(f"guard {plan.name}", plan.log_level, plan.log_format)
    status = Guard(plan, signals, Safekeeping(plan.outputs, carry_out), log).run()
    os._exit(status)  # a bus that hangs keeps its thread, and would keep us


if __name__ == "__main__":
    main()
