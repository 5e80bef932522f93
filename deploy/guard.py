"""The guard: holds every output's safe value, and has the reactor as its child.

The light program that `reactorium guard` becomes once it has read the reactor's file (`deploy.guard_start`): no
network, no database, no driver. One thread waits for signals, the child's end and its proof of progress among them;
buses have theirs.

Order is everything here: outputs are made safe first, then it is told. Outputs are the guard's until the reactor says
that it is about to take them, and again once it has ended; one that gives no proof of progress is ended (`proof`).
"""

import fcntl
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import NoReturn

import setproctitle

from deploy.board_watchdog import BoardWatchdog
from deploy.guard_plan import Plan, stamp
from deploy.plain_log import PlainLog
from deploy.proof import MOST, NEWS, PIPES, Watch
from deploy.restarts import WITHIN, Failures, Restarts
from deploy.safekeeping import Safekeeping
from hardware.safe_writer import carry_out

AT_ONCE = 1.0  # seconds that one round of writes may take; a bus that needs longer is waited for no more
RETRY = 0.2  # seconds between two tries of what is not safe
BEFORE_START = 3.0  # seconds that are spent on outputs that cannot be made safe before the first start
STOPPING = 9.0  # seconds from telling the reactor to stop to killing it: more than it gives itself (`lifeline`)
AT_END = 2.0  # seconds that are spent on outputs before the guard ends
ROUND = 1.0  # seconds between two looks at the reactor's progress, and two meals of the watchdog, at most
SHORT = 0.1  # seconds between two looks at a child that is to end; its end is heard
GOING = 0.3  # seconds between the end of a process's pipe and its own
STUCK = 1.0  # seconds after which a process that was killed is stuck in the kernel
MOST_NEWS = 5  # lines for the next reactor

_STOP = frozenset({signal.SIGTERM, signal.SIGINT, signal.SIGHUP})
_HEARD = _STOP | {signal.SIGCHLD, signal.SIGIO}


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
    """One run of the reactor, tied to us by two pipes. Whoever starts it must have `Signals`."""

    def __init__(self, command: list[str], environment: Mapping[str, str]) -> None:
        self.pid = 0
        self._how = ""
        self._proof, proof = os.pipe()
        answer, self._answer = os.pipe()
        os.set_inheritable(proof, True)  # noqa: FBT003 - takes no keywords
        os.set_inheritable(answer, True)  # noqa: FBT003
        try:
            environment = {**environment, PIPES: f"{proof},{answer}"}
            self.pid = os.posix_spawn(command[0], command, environment, setsigmask=())
        except OSError as error:  # no memory, too many processes: another time
            self._end(f"cannot be started: {error.strerror}")
        else:
            fcntl.fcntl(self._proof, fcntl.F_SETOWN, os.getpid())
            fcntl.fcntl(self._proof, fcntl.F_SETFL, os.O_NONBLOCK | os.O_ASYNC)  # SIGIO for whatever comes
        finally:
            os.close(proof)
            os.close(answer)

    def end(self) -> str:
        """Say how it ended; nothing while it runs."""
        if not self._how:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self._end(_describe(os.waitstatus_to_exitcode(status)))
        return self._how

    def hear(self) -> bytes | None:
        """Give what it has proved since it was heard last; none once its pipe has ended. Call only while it runs."""
        try:
            return os.read(self._proof, MOST) or None
        except BlockingIOError:
            return b""

    def answer(self) -> None:
        """Tell it that the outputs are its own. Call only while it runs."""
        with suppress(BrokenPipeError):  # then its end is on its way
            os.write(self._answer, b".")

    def send(self, number: signal.Signals) -> None:
        """Send it a signal; call only while it runs."""
        os.kill(self.pid, number)

    def _end(self, how: str) -> None:
        self._how = how
        os.close(self._proof)
        os.close(self._answer)


class Guard:
    """Runs one reactor until told to stop."""

    def __init__(  # noqa: PLR0913 - the last two are a test's
        self,
        plan: Plan,
        signals: Signals,
        outputs: Safekeeping,
        log: PlainLog,
        watchdog: BoardWatchdog,
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
        self._watchdog = watchdog
        self._told: dict[str, str] = {}
        self._restarts = Restarts(plan.pace)
        self._failures = Failures(plan.failures, plan.pace)
        self._news = os.environ.pop(NEWS, "").splitlines()  # what no reactor has told yet

    def run(self) -> int:
        """Guard; returns the exit status, 1 when an output could not be made safe at the end."""
        self._outputs.begin(AT_ONCE)
        self._log("info", f"guards {len(self._plan.outputs)} outputs")
        self._insist(BEFORE_START)
        while not self._signals.stop:
            self._start_over_if_changed()
            began = self._now()
            watch = Watch(self._plan.patience, began)
            child = self._spawn(self._plan.child, self._environment())
            killed = self._watch(child, watch)
            ended = self._now()
            self._outputs.begin(AT_ONCE)
            outcome = self._outcome(self._now() - ended)
            how = f"the reactor {f'was killed after {killed}' if killed else child.end()}"
            if not self._is_over(how):
                self._fail(f"{how}, {ended - began:.0f} s after its start; {outcome}", counts=watch.began)
                self._pause(self._restarts.after(ended - began))
        self._signals.stop = False  # from here on there is nothing to hurry for
        self._insist(AT_END)
        self._watchdog.release()
        self._log("info", "stops")
        return 1 if self._outputs.unsafe() else 0

    def _environment(self) -> dict[str, str]:
        return {**os.environ, **self._plan.variables, NEWS: "\n".join(self._news)}

    def _watch(self, child: Child, watch: Watch) -> str:
        """Return when it has ended: by itself, because we are told to stop, or killed for what is returned."""
        if not child.end():
            self._log("info", f"starts the reactor as process {child.pid}")
            self._note(child.pid)
        while not (child.end() or self._signals.stop):
            self._wait(ROUND)
            if child.end():
                break
            heard = child.hear()
            if heard and not watch.began:
                self._outputs.let_go(AT_ONCE)
                child.answer()
                self._news.clear()
            stuck = watch.hear(heard or b"", self._now())
            if heard is None and not self._ends(child, GOING):
                stuck = "it closed its pipe"
            if stuck:
                self._kill(child)
                return stuck
        if not child.end():
            child.send(signal.SIGTERM)
            if not self._ends(child, STOPPING):
                self._kill(child)
        return ""

    def _ends(self, child: Child, seconds: float) -> bool:
        """Wait for its end, for so long."""
        deadline = self._now() + seconds
        while not child.end() and self._now() < deadline:
            self._wait(SHORT)
        return bool(child.end())

    def _kill(self, child: Child) -> None:
        """End it at once. What can be made safe while it is stuck in the kernel is: its other threads have ended."""
        child.send(signal.SIGKILL)
        while not self._ends(child, STUCK):
            self._outputs.begin(AT_ONCE)

    def _outcome(self, seconds: float) -> str:
        unsafe = self._outputs.unsafe()
        return f"not safe: {', '.join(unsafe)}" if unsafe else f"outputs safe after {1000 * seconds:.0f} ms"

    def _note(self, child: int) -> None:
        """Leave the child's id to the next guard, in case this one ends before it."""
        try:
            with open(f"{self._plan.folder}/child", "w", encoding="ascii") as file:  # noqa: PTH123 - 1 MiB
                file.write(str(child))
        except OSError as error:
            self._log("warning", f"{self._plan.folder}/child: {error.strerror}")

    def _is_over(self, how: str) -> bool:
        """Whether it ended because we are told to stop."""
        if self._signals.stop:
            self._log("info", how)
        return self._signals.stop

    def _fail(self, text: str, *, counts: bool) -> None:
        """Say what happened, here and to the next reactor; too often, and that one keeps its outputs safe."""
        self._log("error", text)
        self._news = [*self._news, text][-MOST_NEWS:]
        if counts and self._failures.add(self._now()):
            self._enter_safe_mode(text)

    def _enter_safe_mode(self, last: str) -> None:
        """Have the next reactor keep its outputs safe, until a person says otherwise."""
        minutes = WITHIN / self._plan.pace / 60
        reason = f"{self._plan.failures} ends within {minutes:.3g} min; the last: {last}"
        try:
            descriptor = os.open(self._plan.safe_mode, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            try:
                os.write(descriptor, reason.encode())
            finally:
                os.close(descriptor)
        except OSError as error:  # a full disk may have the file without its text, which is enough
            self._log("error", f"{self._plan.safe_mode}: {error.strerror}")
        self._log("error", f"safe mode: {reason}")

    def _pause(self, delay: float) -> None:
        """Wait until the next start is due; what is not safe is tried again meanwhile."""
        self._log("info", f"starts it again in {delay:.3g} s")
        due = self._now() + delay
        self._insist(delay)
        while not self._signals.stop and (left := due - self._now()) > 0:
            self._wait(left)

    def _wait(self, seconds: float) -> None:
        """Wait until something happens, or for so long. Every round of this program comes by here."""
        self._watchdog.feed()
        self._signals.wait(min(seconds, ROUND))

    def _insist(self, seconds: float) -> None:
        """Say what is not safe and try it again, for so long, or until all is safe or we are told to stop."""
        deadline = self._now() + seconds
        self._tell()
        while self._outputs.unsafe() and not self._signals.stop and self._now() < deadline:
            self._wait(RETRY)
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
            os.environ[NEWS] = "\n".join(self._news)
            self._watchdog.release()
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
    outputs = Safekeeping(plan.outputs, carry_out)
    status = Guard(plan, signals, outputs, log, BoardWatchdog(plan.watchdog, log)).run()
    os._exit(status)  # a bus that hangs keeps its thread, and would keep us


if __name__ == "__main__":
    main()
