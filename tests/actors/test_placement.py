"""Placement against a small world of managers, reactors and a launcher that live by its actions."""

from collections import Counter
from dataclasses import dataclass, field
from itertools import count

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from actors import placement as core
from actors.placement import Action, Admit, Answer, Asker, Give, Note, Placement, Refuse, Start, Stop
from transport.messages import MAX_COUNT, Error, Heartbeat, Hello, Placed, Register

KEY = "k" * 40
OTHER_KEY = "o" * 40
HEARTBEAT = 5.0
LISTEN = core.LISTEN * HEARTBEAT
CONFIRM = core.CONFIRM * HEARTBEAT


@dataclass
class FakeManager:
    number: int
    pid: int
    route: bytes
    endpoint: str
    known: bool = False
    mute: bool = False
    unsure: bool = False  # it has a reactor that the coordinator cannot know of before the next heartbeat
    draining: bool = False
    next_heartbeat: float = 0.0
    attached: dict[str, int] = field(default_factory=dict)


@dataclass
class Welcome:
    endpoint: str
    epoch: int
    until: float  # as long as the coordinator keeps the place
    kept: bool = True  # the coordinator has not restarted since


@dataclass
class FakeReactor:
    name: str
    epoch: int = 0
    at: str = ""  # endpoint of the manager that it is attached to
    lost: str = ""
    asked: float | None = None
    welcome: Welcome | None = None


class World:
    """Managers, reactors, a launcher and a clock. Nothing here sleeps: `run` moves the clock."""

    def __init__(self, *, numbers: int = 4, capacity: int = 3, empty: float = 300.0) -> None:
        self.numbers, self.capacity, self.empty = numbers, capacity, empty
        self.now = 1000.0
        self.ids = count(1)
        self.running: dict[int, FakeManager] = {}
        self.reactors: dict[str, FakeReactor] = {}
        self.started: Counter[int] = Counter()
        self.stopped: Counter[int] = Counter()
        self.notes: list[str] = []
        self.refusals: list[Error] = []
        self.start_works = True
        self.registers = True
        self.restart()
        self.restarted = -1000.0

    # the coordinator

    def restart(self) -> None:
        self.core = Placement(
            numbers=self.numbers, capacity=self.capacity, empty_manager=self.empty, interval=HEARTBEAT, now=self.now
        )
        self.restarted = self.now
        for manager in self.running.values():
            manager.known = False
        for reactor in self.reactors.values():
            reactor.asked = None  # its link went down with the coordinator
            if reactor.welcome:
                reactor.welcome.kept = False

    def do(self, actions: list[Action]) -> None:
        for action in actions:
            match action:
                case Give(asker, name, _, endpoint, _, epoch):
                    self.welcome(self.reactor_of(asker), endpoint, epoch)
                    assert name == self.reactor_of(asker).name
                case Refuse(asker, error):
                    assert error.retry > 0
                    self.refusals.append(error)
                    self.reactor_of(asker).asked = None
                case Admit(asker, name):
                    self.by_route(asker.route).known = True
                    assert name == f"host-{self.by_route(asker.route).number}"
                case Answer(asker, known, drain):
                    manager_ = self.by_route(asker.route)
                    manager_.known, manager_.draining = known, drain
                case Start(number):
                    self.start(number)
                case Stop(number):
                    self.stopped[number] += 1
                    self.kill(number)
                case Note(text):
                    self.notes.append(text)

    def reactor_of(self, asker: Asker) -> FakeReactor:
        return self.reactors[asker.route.decode()]

    def by_route(self, route: bytes) -> FakeManager:
        return next(manager for manager in self.running.values() if manager.route == route)

    # managers and their launcher

    def start(self, number: int) -> None:
        assert self.now >= self.restarted + 2 * HEARTBEAT, "started while it should listen"
        assert number not in self.running
        self.started[number] += 1
        if not self.start_works:
            self.do(self.core.start_failed(number, "no such program", self.now))
            return
        self.spawn(number)
        self.core.started(number)

    def spawn(self, number: int) -> FakeManager:
        pid = next(self.ids)
        manager = FakeManager(number, pid, b"m%d" % pid, f"tcp://host:{pid}")
        self.running[number] = manager
        return manager

    def kill(self, number: int) -> None:
        """The process is gone; its reactors notice."""
        if number not in self.running:
            return
        dead = self.running.pop(number)
        for reactor in self.reactors.values():
            if reactor.at == dead.endpoint:
                reactor.at, reactor.lost = "", dead.endpoint

    def register(self, manager: FakeManager) -> None:
        message = Register(
            number=manager.number, endpoint=manager.endpoint, capacity=self.capacity, reactors=self.placed(manager)
        )
        self.do(self.core.register(Asker(manager.route, next(self.ids)), "host", KEY, message, self.now))

    def placed(self, manager: FakeManager) -> list[Placed]:
        return [Placed(name, epoch) for name, epoch in manager.attached.items()]

    def beat(self, manager: FakeManager) -> None:
        manager.next_heartbeat = self.now + HEARTBEAT
        manager.unsure = False
        if not manager.known:
            if self.registers:
                self.register(manager)
            return
        heartbeat = Heartbeat(reactors=self.placed(manager), allow_version="")
        self.do(self.core.heartbeat(Asker(manager.route, next(self.ids)), heartbeat, self.now))

    def look(self) -> None:
        self.do(self.core.processes({number: manager.pid for number, manager in self.running.items()}, self.now))

    # reactors

    def hello(self, reactor: FakeReactor) -> None:
        reactor.asked = self.now
        message = Hello(software="1", epoch=reactor.epoch, lost=reactor.lost)
        self.do(self.core.hello(Asker(reactor.name.encode(), next(self.ids)), reactor.name, message, self.now))

    def welcome(self, reactor: FakeReactor, endpoint: str, epoch: int) -> None:
        assert reactor.asked is not None, "an answer to nothing"
        assert epoch > reactor.epoch
        reactor.asked = None
        manager = self.at(endpoint)
        known = manager is not None and not manager.unsure
        reactor.welcome = Welcome(endpoint, epoch, self.now + CONFIRM, kept=known)
        reactor.epoch = epoch

    def attach(self, reactor: FakeReactor) -> None:
        """What manager and reactor do with a welcome; only after a restart may the manager find itself full."""
        welcome, reactor.welcome = reactor.welcome, None
        assert welcome
        manager = self.at(welcome.endpoint)
        if manager is None or self.now >= welcome.until:
            reactor.lost = welcome.endpoint
            return
        full = len(manager.attached.keys() - {reactor.name}) >= self.capacity
        if full:
            assert not welcome.kept, "placed above capacity"
        elif not manager.draining:
            manager.attached[reactor.name] = welcome.epoch
            reactor.at, reactor.lost = manager.endpoint, ""
            if not welcome.kept:  # it may have taken the place of one that was given it since
                manager.unsure = True
                self.forgotten(manager.endpoint)

    def forgotten(self, endpoint: str) -> None:
        """The coordinator does not know all that are on their way to this manager."""
        for reactor in self.reactors.values():
            if reactor.welcome and reactor.welcome.endpoint == endpoint:
                reactor.welcome.kept = False

    def at(self, endpoint: str) -> FakeManager | None:
        return next((manager for manager in self.running.values() if manager.endpoint == endpoint), None)

    def leave(self, reactor: FakeReactor) -> None:
        """It loses its manager, which has not noticed yet."""
        reactor.lost, reactor.at = reactor.at, ""

    def forget(self, manager: FakeManager) -> None:
        """A manager notices who is no longer with it."""
        for name in list(manager.attached):
            if self.reactors[name].at != manager.endpoint:
                del manager.attached[name]

    # time

    def run(self, seconds: float, *, step: float = 1.0) -> None:
        """Let everybody who is well do what they do."""
        end = self.now + seconds
        while self.now < end:
            self.now += step
            self.pass_time()
            for reactor in self.reactors.values():
                if reactor.welcome:
                    self.attach(reactor)
                elif not reactor.at and reactor.asked is None:
                    self.hello(reactor)

    def pass_time(self) -> None:
        for manager in list(self.running.values()):
            if not manager.mute and self.now >= manager.next_heartbeat:
                self.forget(manager)
                self.beat(manager)
        self.look()
        self.do(self.core.tick(self.now))
        known = {manager.endpoint for manager in self.core.managers}
        for endpoint in {manager.endpoint for manager in self.running.values()} - known:
            self.forgotten(endpoint)
        for reactor in self.reactors.values():
            assert reactor.asked is None or self.now - reactor.asked <= core.PATIENCE + 2.0, "a hello without an answer"

    def add(self, number: int) -> None:
        for _ in range(number):
            name = f"r{len(self.reactors)}"
            self.reactors[name] = FakeReactor(name)

    def sizes(self) -> list[int]:
        return sorted(len(manager.attached) for manager in self.running.values())


class Chaos(RuleBasedStateMachine):
    """Whatever happens, in whatever order: no manager above capacity, every hello answered, and it comes right."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World(empty=20.0)

    @rule(number=st.integers(1, 4))
    def arrive(self, number: int) -> None:
        if len(self.world.reactors) + number <= self.world.numbers * self.world.capacity:
            self.world.add(number)

    @rule(data=st.data())
    @precondition(lambda self: self.world.reactors)
    def say_hello(self, data: st.DataObject) -> None:
        reactor = data.draw(st.sampled_from(sorted(self.world.reactors)), label="reactor")
        self.world.leave(self.world.reactors[reactor])
        self.world.hello(self.world.reactors[reactor])

    @rule(data=st.data())
    def attach(self, data: st.DataObject) -> None:
        ready = sorted(name for name, reactor in self.world.reactors.items() if reactor.welcome)
        if ready:
            self.world.attach(self.world.reactors[data.draw(st.sampled_from(ready), label="reactor")])

    @rule(seconds=st.integers(1, 25))
    def wait(self, seconds: int) -> None:
        for _ in range(seconds):
            self.world.now += 1.0
            self.world.pass_time()

    @rule(seconds=st.integers(1, 25))
    def all_well(self, seconds: int) -> None:
        self.world.run(seconds)

    @rule(number=st.integers(1, 4))
    def kill(self, number: int) -> None:
        self.world.kill(number)

    @rule(number=st.integers(1, 4))
    def replace(self, number: int) -> None:
        """A supervisor that restarts by itself."""
        if number in self.world.running:
            self.world.kill(number)
            self.world.beat(self.world.spawn(number))

    @rule(number=st.integers(1, 4))
    def freeze_or_thaw(self, number: int) -> None:
        if number in self.world.running:
            self.world.running[number].mute ^= True

    @rule()
    def restart(self) -> None:
        self.world.restart()

    @rule()
    def break_or_mend_launcher(self) -> None:
        self.world.start_works ^= True

    @rule()
    def break_or_mend_registration(self) -> None:
        self.world.registers ^= True

    @invariant()
    def within_capacity(self) -> None:
        world = self.world
        for manager in world.running.values():
            coming = {
                name
                for name, reactor in world.reactors.items()
                if (welcome := reactor.welcome)
                and welcome.endpoint == manager.endpoint
                and welcome.kept
                and world.now < welcome.until
            }
            assert len(manager.attached.keys() | coming) <= world.capacity
        assert len(world.running) <= world.numbers

    def teardown(self) -> None:
        world = self.world
        world.start_works = world.registers = True
        for manager in world.running.values():
            manager.mute = False
        world.run(240.0)
        assert all(reactor.at for reactor in world.reactors.values())
        for manager in world.running.values():
            world.forget(manager)
        assert sum(world.sizes()) == len(world.reactors)


TestChaos = Chaos.TestCase
TestChaos.settings = settings(max_examples=40, stateful_step_count=30, suppress_health_check=list(HealthCheck))


@pytest.fixture
def world() -> World:
    world = World(numbers=6, capacity=50)
    world.run(LISTEN + 1)
    return world


def test_two_hundred_reactors_need_four_managers_of_fifty(world: World) -> None:
    world.add(200)
    world.run(20)
    assert world.sizes() == [50, 50, 50, 50]


def test_reactors_spread_over_the_managers_that_have_room(world: World) -> None:
    world.add(60)
    world.run(20)
    assert len(world.running) == 2
    world.add(10)
    world.run(20)
    assert world.sizes() == [20, 50]


def test_managers_start_on_connection_not_ahead_of_it(world: World) -> None:
    world.run(60)
    assert not world.running
    world.add(1)
    world.run(5)
    assert world.sizes() == [1]


def test_a_killed_manager_is_replaced_and_all_its_reactors_are_placed_within_30_s(world: World) -> None:
    world.add(200)
    world.run(20)
    world.kill(2)
    world.run(10)
    assert world.sizes() == [50, 50, 50, 50]
    assert all(reactor.at for reactor in world.reactors.values())


def test_an_exit_counts_at_once_and_silence_after_17_s(world: World) -> None:
    world.add(60)
    world.run(20)
    world.kill(1)
    world.look()
    assert [info.name for info in world.core.managers] == ["host-2"]
    world.running[2].mute = True
    for _ in range(30):
        world.now += 1
        world.do(world.core.tick(world.now))
    assert world.core.managers == []
    assert "host-2 is gone with 10 reactors: not heard for 17 s" in world.notes


def test_a_restarted_coordinator_starts_nothing_and_moves_nobody(world: World) -> None:
    world.add(200)
    world.run(20)
    before = {name: reactor.at for name, reactor in world.reactors.items()}
    started = world.started.copy()
    world.restart()
    world.run(120)
    assert world.started == started
    assert {name: reactor.at for name, reactor in world.reactors.items()} == before
    assert [len(info.reactors) for info in world.core.managers] == [50, 50, 50, 50]


def test_a_hello_while_listening_is_placed_where_there_is_room_already(world: World) -> None:
    world.add(1)
    world.run(10)
    world.restart()
    world.beat(world.running[1])
    world.add(1)
    world.hello(world.reactors["r1"])
    assert world.reactors["r1"].welcome


def test_after_a_restart_running_processes_are_waited_for_instead_of_starting_more(world: World) -> None:
    world.add(50)
    world.run(10)
    world.registers = False  # its link backs off
    world.restart()
    world.leave(world.reactors["r0"])
    world.run(LISTEN + 10)
    assert world.started.total() == 1
    world.registers = True
    world.run(10)
    assert world.reactors["r0"].at == world.running[1].endpoint


def test_a_process_that_never_registers_is_stopped_and_another_number_tried(world: World) -> None:
    world.registers = False
    world.add(1)
    world.run(core.REGISTER + 5)
    assert world.stopped[1] == 1
    world.registers = True
    world.run(10)
    assert world.sizes() == [1]
    assert 2 in world.running


def test_starts_that_fail_are_reported_and_tried_again_with_back_off(world: World) -> None:
    world.start_works = False
    world.add(1)
    world.run(130)
    assert world.started.total() == 8  # after 1, 2, 4, 8, 16, 32 and 60 s
    assert "manager 1 did not start: no such program" in world.notes
    world.start_works = True
    world.run(130)
    assert world.reactors["r0"].at


def test_waiting_hellos_are_told_why(world: World) -> None:
    world.start_works = False
    world.add(1)
    world.run(core.PATIENCE + 2)
    assert [(error.code, error.text) for error in world.refusals] == [("later", "no manager yet: no such program")]


def test_a_full_house_says_so() -> None:
    world = World(numbers=1, capacity=1)
    world.run(LISTEN + 1)
    world.add(2)
    world.run(core.PATIENCE + 2)
    assert [(error.code, error.text) for error in world.refusals] == [("full", "all 1 managers are full")]


def test_an_empty_manager_is_drained_then_stopped(world: World) -> None:
    world.add(1)
    world.run(10)
    gone = world.reactors.pop("r0")
    world.running[1].attached.clear()
    world.run(290)
    assert not world.running[1].draining
    world.run(30)
    assert not world.running
    assert world.stopped == {1: 1}
    world.reactors["r0"] = gone
    gone.at = ""
    world.run(10)
    assert gone.at


def test_a_manager_that_fills_while_draining_is_kept(world: World) -> None:
    world.add(1)
    world.run(10)
    manager, reactor = world.running[1], world.reactors["r0"]
    manager.attached.clear()
    for _ in range(320):
        world.now += 1
        world.look()
        if not manager.draining and world.now >= manager.next_heartbeat:
            world.beat(manager)
    assert manager.draining
    manager.attached["r0"] = reactor.epoch  # it attached before the manager heard
    world.beat(manager)
    assert world.core.heartbeat(Asker(manager.route, 1), Heartbeat(reactors=[], allow_version=""), world.now) == [
        Answer(Asker(manager.route, 1), known=True, drain=False)
    ]


def test_the_lost_manager_is_the_last_choice() -> None:
    world = World(numbers=2, capacity=3)
    world.run(LISTEN + 1)
    world.add(4)
    world.run(20)
    reactor = next(each for each in world.reactors.values() if each.at == world.running[2].endpoint)
    other = next(each for each in world.reactors.values() if each.at == world.running[1].endpoint)
    del world.running[1].attached[other.name]
    world.beat(world.running[1])
    world.leave(reactor)
    world.hello(reactor)
    assert reactor.welcome
    assert reactor.welcome.endpoint == world.running[1].endpoint


def test_a_full_manager_takes_its_own_reactor_back(world: World) -> None:
    world.add(50)
    world.run(20)
    reactor = world.reactors["r7"]
    world.leave(reactor)
    world.hello(reactor)
    assert reactor.welcome
    assert reactor.welcome.epoch == 2
    world.attach(reactor)
    assert world.sizes() == [50]


def test_a_place_left_before_it_was_reported_counts_until_the_next_heartbeat() -> None:
    world = World(numbers=2, capacity=1)
    world.run(LISTEN + 1)
    world.add(1)
    world.run(3, step=0.5)
    first, reactor = world.running[1], world.reactors["r0"]
    first.mute = True  # it has attached the reactor, and not said so
    first.attached["r0"] = reactor.epoch
    world.beat(world.spawn(2))
    world.core.tick(world.now)
    world.core.processes({1: first.pid, 2: world.running[2].pid}, world.now)
    world.leave(reactor)
    world.hello(reactor)
    assert reactor.welcome
    assert reactor.welcome.endpoint == world.running[2].endpoint
    world.add(1)
    world.hello(world.reactors["r1"])
    assert world.reactors["r1"].welcome is None
    first.attached.clear()
    world.beat(first)
    assert world.reactors["r1"].welcome


def test_a_manager_that_registers_twice_keeps_the_places_on_their_way() -> None:
    world = World(numbers=1, capacity=1)
    world.run(LISTEN + 1)
    world.add(2)
    world.hello(world.reactors["r0"])
    world.look()
    world.register(world.running[1])
    assert world.reactors["r0"].welcome
    world.register(world.running[1])
    world.hello(world.reactors["r1"])
    assert world.reactors["r1"].welcome is None


def test_epochs_only_rise_whoever_remembers_them(world: World) -> None:
    world.add(1)
    reactor = world.reactors["r0"]
    reactor.epoch = 41
    world.run(10)
    assert reactor.epoch == 42
    world.restart()
    world.beat(world.running[1])
    reactor.epoch = 0  # the reactor's file was lost; its manager still knows
    world.leave(reactor)
    world.hello(reactor)
    assert reactor.epoch == 43


def test_no_claim_of_an_epoch_bars_a_reactor_for_ever(world: World) -> None:
    """A welcome above the highest number of the wire would be refused by whom it is for."""
    world.add(1)
    world.run(10)
    for claimed in (MAX_COUNT - 1, MAX_COUNT, 0):
        [given] = world.core.hello(Asker(b"r0", 1), "r0", Hello(software="1", epoch=claimed), world.now)
        assert isinstance(given, Give)
        assert given.epoch == MAX_COUNT


def test_a_silent_manager_is_given_nobody(world: World) -> None:
    world.add(1)
    world.run(10)
    world.running[1].mute = True
    for _ in range(15):
        world.now += 1
        world.look()
    world.add(1)
    world.hello(world.reactors["r1"])
    assert world.reactors["r1"].welcome is None
    assert world.started[2] == 1


def test_an_unknown_manager_is_asked_to_register(world: World) -> None:
    assert world.core.heartbeat(Asker(b"?", 1), Heartbeat(reactors=[], allow_version=""), world.now) == [
        Answer(Asker(b"?", 1), known=False, drain=False)
    ]


def test_a_number_is_one_managers(world: World) -> None:
    world.add(1)
    world.run(10)
    message = Register(number=1, endpoint="tcp://other:1", capacity=3)
    [refusal] = world.core.register(Asker(b"x", 1), "other", OTHER_KEY, message, world.now)
    assert isinstance(refusal, Refuse)
    assert refusal.error.code == "name"
    assert refusal.error.text == "number 1 is taken by host-1"


@pytest.mark.parametrize(
    "message",
    [Register(number=1, endpoint="tcp://other:1", capacity=3), Register(number=1, error="no address to bind")],
    ids=["serving", "failing"],
)
def test_the_launchers_numbers_are_its_own(world: World, message: Register) -> None:
    refusal, note = world.core.register(Asker(b"x", 1), "other", OTHER_KEY, message, world.now)
    assert isinstance(refusal, Refuse)
    assert refusal.error.text == "number 1 is one of the server's own managers"
    assert note == Note("other-1 is refused: number 1 is one of the server's own managers")
    assert world.core.managers == []


def test_a_manager_of_another_machine_is_used_and_never_stopped(world: World) -> None:
    message = Register(number=70, endpoint="tcp://other:1", capacity=3)
    actions = world.core.register(Asker(b"x", 1), "other", OTHER_KEY, message, world.now)
    assert actions == [Admit(Asker(b"x", 1), "other-70")]
    world.look()
    for _ in range(100):
        world.now += 5
        [answer] = world.core.heartbeat(Asker(b"x", 2), Heartbeat(reactors=[], allow_version=""), world.now)
        assert answer == Answer(Asker(b"x", 2), known=True, drain=False)


def test_a_name_that_is_too_long_is_refused(world: World) -> None:
    message = Register(number=1, endpoint="tcp://other:1", capacity=3)
    [refusal] = world.core.register(Asker(b"x", 1), "h" * 31, KEY, message, world.now)
    assert isinstance(refusal, Refuse)
    assert refusal.error.code == "name"


def test_the_error_that_kept_a_manager_from_serving_is_told(world: World) -> None:
    world.registers = False
    world.add(1)
    world.run(2)
    message = Register(number=1, error="no address to bind")
    world.do(world.core.register(Asker(world.running[1].route, 1), "host", KEY, message, world.now))
    assert "manager 1 did not start: no address to bind" in world.notes
    assert world.stopped == {1: 1}


def test_the_version_changes_when_the_managers_do(world: World) -> None:
    before = world.core.version
    world.add(1)
    world.run(10)
    after = world.core.version
    assert after > before
    world.run(60)
    assert world.core.version == after


def test_for_an_operator_one_manager_runs_and_stays(world: World) -> None:
    world.do(world.core.operate(world.now))
    world.run(LISTEN + 2)
    assert len(world.running) == 1
    assert world.core.absent(world.now) == "host-1"
    world.run(world.empty * 2)
    assert len(world.running) == 1
    world.kill(1)
    assert world.core.absent(world.now) == "host-1"  # nobody knows yet
    world.run(30)
    assert len(world.running) == 1


def test_with_an_operator_only_the_last_empty_manager_stays(world: World) -> None:
    world.do(world.core.operate(world.now))
    world.add(2 * world.capacity)
    world.run(60)
    assert len(world.running) == 2
    world.reactors.clear()
    for manager in world.running.values():
        manager.attached.clear()
    world.run(world.empty * 2)
    assert len(world.running) == 1


def test_one_manager_at_a_time_takes_what_is_set_of_absent_reactors(world: World) -> None:
    assert world.core.absent(world.now) == ""
    world.add(2 * world.capacity)
    world.run(60)
    assert world.core.absent(world.now) == "host-1"
    next(manager for manager in world.running.values() if manager.number == 1).mute = True
    world.run(13)
    assert world.core.absent(world.now) == "host-2"
