"""Wire faults against real processes: whatever comes to the ports of coordinator and manager, reactors notice nothing.

What a listener does with each of them by itself is tested in tests/transport; here all of it comes at once, to servers
that run as they always do, while people change settings. One siege, and what each test looks at is what it left.
"""

import resource
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from random import Random

import psutil
import pytest
import zmq

from deploy.settings import PREFIX
from tests.faults import attacks, judge
from tests.faults.attacks import MARK, Port
from tests.faults.boards import Board, make
from tests.faults.injector import Vessels
from tests.faults.mutations import Frames
from tests.faults.witness import Witness
from tests.system.referee import Wired, settle, wiring
from tests.system.whole import CLOCK, Whole, command, title_of, wait_for
from tests.transport.test_strangers import GREETING, address_of
from tests.transport.world import RawPeer, make_keys
from transport.callers import KEPT_FREE
from transport.complaints import MOST_LINES
from transport.keys import KeyPair, load_or_make
from transport.listener import TOO_MANY
from transport.messages import Accepted, Role, Set

pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]
REACTORS, CAPACITY = 3, 2  # two managers, one of them with a place for a stranger
PACE, INTERVAL = 5, 5  # a sample a second
STATUS = 3.0  # seconds between two statuses
WRONG, STRANGE = 100_000, 30_000  # messages to each port, of the two kinds
IDLE, SCANS, NONSENSE = 2000, 1000, 20
FILES = 2 * IDLE + 1000  # that this process needs
GROWTH = {"files": 8, "threads": 0, "resident": 48 << 20}
ANSWER = 40.0  # seconds
WELL = 60.0


@dataclass
class Site:
    """A running system, its vessels, and who looks at it."""

    whole: Whole
    boards: list[Board]
    vessels: Vessels
    witness: Witness
    wired: list[Wired] = field(default_factory=list)
    bases: dict[str, int] = field(default_factory=dict)  # revisions of each reactor's heater

    @property
    def names(self) -> list[str]:
        return [board.name for board in self.boards]

    @property
    def coordinator(self) -> Port:
        return Port(self.whole.coordinator, self.whole.coordinator_key)

    def places(self) -> dict[str, tuple[str, int]]:
        """Tell where each good reactor is, and since which placement."""
        return {
            one.reactor: (manager.endpoint, one.epoch)
            for manager in self.witness.operator.system.managers.values()
            for one in manager.reactors
            if one.reactor in self.names
        }

    def look(self) -> list[Wired]:
        """Find what is wired, as long as no stranger tells of something, too."""
        self.wired = wiring(self.whole, {board.name: board.vessel for board in self.boards})
        return self.wired

    def servers(self) -> dict[str, psutil.Process]:
        found = {title_of(process): process for process in self.whole.family()}
        return {title: process for title, process in found.items() if "coordinator" in title or "manager" in title}

    def logs(self) -> dict[str, str]:
        return {path.name: path.read_text() for path in (self.whole.state / "logs").glob("*.log")}

    def change(self, name: str, duty: float) -> tuple[float, bool]:
        """Change a setting of a reactor; returns the seconds until it was accepted, and whether it was delivered."""
        asked = Set(
            reactor=name,
            target="heater",
            base=self.bases.get(name, 0),
            author="eva",
            values={"on": True, "duty": duty},
        )
        asked_ns = CLOCK.monotonic_ns()
        answer = self.witness.operator.set(asked).result(ANSWER)
        assert isinstance(answer, Accepted), answer
        self.bases[name] = answer.revision
        return (CLOCK.monotonic_ns() - asked_ns) / 1e9, answer.delivered


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("wire")
    boards = make(folder / "boards", REACTORS)
    whole = Whole(
        folder,
        REACTOR_FILE=":".join(str(board.reactor) for board in boards),
        PACE=PACE,
        SAMPLE_INTERVAL=INTERVAL,
        LIVE_INTERVAL=INTERVAL,
        STATUS_INTERVAL=STATUS,
        MANAGER_CAPACITY=CAPACITY,
    )
    whole.state.mkdir()
    with closing(whole), closing(Vessels(whole, boards)) as vessels:
        for board in boards:
            vessels.start(board.name)
        whole.start()
        with closing(Witness(whole, STATUS)) as witness:
            made = Site(whole, boards, vessels, witness)
            wait_for(lambda: not witness.unwell(made.names), "all well")
            whole.wait_for_line("first samples are stored")
            wait_for(lambda: {one.reactor for one in made.look()} == set(made.names), "inventory of all")
            yield made
        assert whole.interrupt() == 0


@dataclass
class Siege:
    """What was there before, what was seen while it lasted, and what it did."""

    manager: Port
    title: str  # of the manager's process
    places: Mapping[str, tuple[str, int]]
    needs: Mapping[str, Mapping[str, int]]
    began_ns: int
    began_us: int
    ended_ns: int = 0
    changes: list[tuple[float, bool]] = field(default_factory=list)
    most_files: dict[str, int] = field(default_factory=dict)
    done: dict[str, object] = field(default_factory=dict)  # what each attack came to


@pytest.fixture(scope="module")
def siege(site: Site) -> Iterator[Siege]:
    """Everything at once, to both ports, until the last of it is over."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < FILES:
        pytest.skip(f"this needs {FILES} open files, and {hard} are allowed")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, FILES), hard))
    yield besiege(site)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def needs(process: psutil.Process) -> dict[str, int]:
    return {
        "files": process.num_fds(),
        "threads": process.num_threads(),
        "resident": process.memory_info().rss,
    }


def besiege(site: Site) -> Siege:
    peers: dict[str, Role] = {
        "wrong": "reactor",
        "strange": "reactor",
        "revoked-1": "operator",
        "revoked-2": "operator",
    }
    keys = {name: load_or_make(site.whole.let_in(name, role)) for name, role in (peers | {"nosy": "operator"}).items()}
    for info in site.witness.operator.system.managers.values():
        knows = partial(attacks.is_let_in, Port(info.endpoint, info.key), keys["nosy"], attacks.question("manager"))
        wait_for(knows, "the last of the keys is known")
    manager, epoch = attacks.place(site.coordinator, keys["strange"])
    names = {info.endpoint: info.name for info in site.witness.operator.system.managers.values()}
    seen = Siege(
        manager,
        f"reactorium manager {names[manager.endpoint].removeprefix('host-').zfill(2)}",
        site.places(),
        {title: needs(process) for title, process in site.servers().items()},
        CLOCK.monotonic_ns(),
        CLOCK.wall_us(),
    )
    all_of_it = {
        **against("coordinator", site.coordinator, site, keys, "revoked-1"),
        **against("manager", manager, site, keys, "revoked-2"),
        "strange to coordinator": lambda: attacks.flood(
            site.coordinator, keys["strange"], attacks.strange_to_coordinator(STRANGE)
        ),
        "strange to manager": lambda: attacks.flood(manager, keys["strange"], attacks.strange_to_manager(STRANGE // 2)),
        "strange reports": lambda: attacks.report(manager, keys["strange"], epoch, STRANGE // 2),
    }
    with ThreadPoolExecutor(len(all_of_it)) as pool:
        attackers = {name: pool.submit(attack) for name, attack in all_of_it.items()}
        watch_and_change(site, seen, attackers)
    seen.ended_ns = CLOCK.monotonic_ns()
    seen.done = {name: future.result() for name, future in attackers.items()}
    return seen


def against(
    role: str, port: Port, site: Site, keys: Mapping[str, KeyPair], revoked: str
) -> dict[str, Callable[[], object]]:
    """What may come to any port."""
    asked = attacks.question(role)
    attackers: dict[str, Callable[[], object]] = {
        "idle": lambda: attacks.idle(port, IDLE),
        "scan": lambda: attacks.scan(port, SCANS),
        "nonsense": lambda: attacks.nonsense(port, NONSENSE),
        "half open": lambda: attacks.half_open(port, keys["nosy"], asked),
        "twice": lambda: attacks.repeat(port, keys["nosy"], asked),
        "unknown": lambda: attacks.is_let_in(port, make_keys(), asked),
        "revoked": lambda: revoke(site, port, keys[revoked], revoked, asked),
        "wrong": lambda: attacks.flood(port, keys["wrong"], attacks.wrong(Random(role), site.names, WRONG)),
    }
    return {f"{name} at {role}": attack for name, attack in attackers.items()}


def revoke(site: Site, port: Port, keys: KeyPair, name: str, asked: Frames) -> bool:
    """Take a peer's key off the list while it is connected; returns whether it gets in again."""
    with closing(RawPeer(port.endpoint, port.key, keys)) as peer:
        peer.socket.send_multipart(asked)
        peer.socket.recv_multipart()
        (site.whole.state / "allow" / f"{name}.toml").unlink()
        assert peer.is_cut_off(ANSWER)
    return attacks.is_let_in(port, keys, asked)


def watch_and_change(site: Site, seen: Siege, attackers: Mapping[str, "Future[object]"]) -> None:
    """Go on as people do, until the last attack is over."""
    servers = site.servers()
    while not all(future.done() for future in attackers.values()):
        for title, process in servers.items():
            seen.most_files[title] = max(process.num_fds(), seen.most_files.get(title, 0))
        number = len(seen.changes)
        seen.changes.append(site.change(site.names[number % REACTORS], float(20 + number % 50)))


# --- while it lasted


def test_reactors_stay_attached_and_are_shown_alive_all_the_time(site: Site, siege: Siege) -> None:
    span = siege.began_ns, siege.ended_ns
    sys.stdout.write(f"a siege of {(span[1] - span[0]) / 1e9:.1f} s\n")
    assert judge.of_bystanders(site.witness.shown, [(name, span) for name in site.names]) == []
    assert site.places() == siege.places
    assert len(siege.places) == REACTORS


def test_nobody_gets_in_or_is_heard_who_may_not(siege: Siege) -> None:
    done = siege.done
    for role in ("coordinator", "manager"):
        assert (done[f"unknown at {role}"], done[f"revoked at {role}"]) == (False, False)
    taken = {name: sent for name, sent in done.items() if isinstance(sent, int) and sent is not False}
    sys.stdout.write(f"messages taken of each peer: {taken}\n")
    assert all(sent < WRONG for name, sent in taken.items() if "wrong" in name)  # cut off
    assert (
        sum(sent for name, sent in taken.items() if "strange" in name) == 2 * STRANGE
    )  # allowed, and heard to the end


def test_a_change_is_applied_in_its_ordinary_time(siege: Siege) -> None:
    """Delivered within 3 s, after which a manager has the database keep it; but for a moment of a busy machine."""
    seconds, count = sorted(seconds for seconds, _ in siege.changes), len(siege.changes)
    sys.stdout.write(f"{count} changes, half within {seconds[count // 2]:.3f} s, slowest {seconds[-1]:.2f}\n")
    assert count > REACTORS
    assert sum(delivered for _, delivered in siege.changes) > 0.9 * count


def test_two_thousand_idle_connections_are_few(site: Site, siege: Siege) -> None:
    """Where connecting takes longer than the 3 s of a handshake, not all are there at once."""
    limits = {title: process.rlimit(psutil.RLIMIT_NOFILE)[0] for title, process in site.servers().items()}
    sys.stdout.write(f"most files {siege.most_files}, limits {limits}\n")
    for title in ("reactorium coordinator", siege.title):
        assert IDLE / 4 < siege.most_files[title] < limits[title] - limits[title] // KEPT_FREE


def test_no_sample_is_lost(site: Site, siege: Siege) -> None:
    assert sum(one.circuit is not None for one in site.wired) == sum(len(board.circuits) - 1 for board in site.boards)
    assert siege.done
    sys.stdout.write(f"settled {settle(site.whole, site.wired):.1f} s after the siege\n")


def test_live_readings_are_not_lost_with_a_strangers(site: Site, siege: Siege) -> None:
    until_us = siege.began_us + (siege.ended_ns - siege.began_ns) // 1000
    rows = site.whole.database.query(
        "SELECT reactor, count() FROM readings WHERE sensor != 'self'"
        f" AND ts BETWEEN cast({siege.began_us} AS TIMESTAMP) AND cast({until_us} AS TIMESTAMP)"
    )
    sys.stdout.write(f"live readings: {rows}\n")
    assert {name for name, _ in rows} >= set(site.names)


# --- and afterwards


def test_the_servers_need_no_more_than_before(site: Site, siege: Siege) -> None:
    def grown() -> list[str]:
        return [
            f"{title}: {name} {siege.needs[title][name]} grew to {value}"
            for title, process in site.servers().items()
            if title in siege.needs
            for name, value in needs(process).items()
            if value > siege.needs[title][name] + GROWTH[name]
        ]

    wait_for(lambda: not grown(), "what the servers need")
    for title, process in site.servers().items():
        sys.stdout.write(f"{title}: {siege.needs.get(title)} became {needs(process)}\n")


def test_logs_name_the_bad_ones_now_and_then_by_nothing_they_chose(site: Site, siege: Siege) -> None:
    logs = site.logs()
    assert not [name for name, text in logs.items() if MARK in text.upper()]
    of_manager = siege.title.removeprefix("reactorium ").replace(" ", "_")
    for server in ("coordinator", of_manager):
        text = logs[f"{server}.log"]
        sys.stdout.write(f"{server}: {text.count(chr(10))} lines\n")
        assert text.count("\n") < 2 * MOST_LINES
        for said in (
            "stranger at 127.0.0.1: ",
            f"wrong: cut off for the rest of the minute, after {TOO_MANY} faults",
            "is no longer allowed: cut off",
        ):
            assert said in text, text


def test_the_servers_own_counters_say_it(site: Site, siege: Siege) -> None:
    def counted(name: str, quantity: str) -> float:
        rows = site.whole.database.query(
            f"SELECT max(value) FROM readings WHERE reactor = '{name}' AND sensor = 'self' AND quantity = '{quantity}'"
        )
        return float(rows[0][0] or 0)

    def told(name: str) -> bool:
        return counted(name, "denied") >= IDLE and counted(name, "refused") >= TOO_MANY

    for name in ("coordinator", f"host-{int(siege.title.rsplit(' ', 1)[1])}"):
        wait_for(partial(told, name), f"own readings of {name}")
        sys.stdout.write(f"{name}: denied {counted(name, 'denied'):.0f}, refused {counted(name, 'refused'):.0f}\n")
        assert counted(name, "refused") < 2 * TOO_MANY  # the rest of the 100,000 was not heard


# --- whoever took the port of a manager that is gone


@contextmanager
def web_server(endpoint: str, heard: list[bytes]) -> Iterator[None]:
    """Something that speaks HTTP, and keeps what it hears."""

    def serve() -> None:
        with suppress(OSError):  # closed
            while True:
                caller, _ = door.accept()
                with caller, suppress(OSError):
                    heard.append(caller.recv(65536))
                    caller.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    with socket.create_server(address_of(endpoint)) as door:
        thread = threading.Thread(target=serve)
        thread.start()
        yield
        door.shutdown(socket.SHUT_RDWR)
        thread.join()


@contextmanager
def other_router(endpoint: str) -> Iterator["zmq.Socket[bytes]"]:
    """A server as a manager is, with a key of its own."""
    with zmq.Context() as context, context.socket(zmq.ROUTER) as router:
        router.linger = 0
        keys = make_keys()
        router.curve_server, router.curve_secretkey = True, keys.secret.encode()
        router.bind(endpoint)
        yield router


def test_a_foreign_process_on_a_managers_old_port_hears_nothing(site: Site, siege: Siege) -> None:
    first, second = sorted({endpoint for endpoint, _ in siege.places.values()})
    heard: list[bytes] = []
    site.whole.kill(*(title for title in site.servers() if "manager" in title))
    with web_server(first, heard), other_router(second) as router:
        took = wait_for(
            lambda: (
                (places := site.places()).keys() == siege.places.keys()
                and not {endpoint for endpoint, _ in places.values()} & {first, second}
            ),
            "all attached elsewhere",
        )
        assert heard
        assert all(words[:10] == GREETING for words in heard)
        assert not any(b"tank" in words for words in heard)
        assert not router.poll(0)
    sys.stdout.write(f"elsewhere after {took:.1f} s, {len(heard)} calls at the foreigner's\n")
    with suppress(AssertionError):
        wait_for(lambda: not site.witness.unwell(site.names), "all well", WELL)
    assert site.witness.unwell(site.names) == []
    settle(site.whole, site.wired)


@contextmanager
def copied_card(site: Site, name: str, folder: Path) -> Iterator[Path]:
    """Run another machine with a reactor's key, without its hardware; gives its log."""
    state, copy, log = site.whole.state, folder / "state", folder / "log"
    shutil.copytree(
        state / "reactors" / name, copy / "reactors" / name, ignore=shutil.ignore_patterns("spool*", "lock")
    )
    shutil.copytree(state / "keys", copy / "keys", ignore=lambda _, names: set(names) - {"coordinator.pub"})
    shutil.copy(state / "questdb-logins.toml", copy)
    (file,) = (board.reactor for board in site.boards if board.name == name)
    here = {f"{PREFIX}STATE_DIR": str(copy), f"{PREFIX}REACTOR_FILE": str(file)}
    with log.open("wb") as said:
        process = subprocess.Popen(
            command("reactor"), env=site.whole.environment | here, cwd=folder, stdout=said, stderr=said
        )
    yield log
    process.terminate()
    process.wait(WELL)


def test_of_two_machines_with_one_key_the_first_is_served_and_the_other_told_why(site: Site, tmp_path: Path) -> None:
    """The last test: the other one keeps rows of its own."""
    name = site.names[0]
    with copied_card(site, name, tmp_path) as log:
        wait_for(lambda: f"another machine is {name}" in log.read_text(), "the copy is refused")
        wait_for(lambda: not site.witness.unwell(site.names), "all well")
        assert site.change(name, 33.0)[1]  # delivered
    assert f"{name} is two machines" in site.logs()["coordinator.log"]
