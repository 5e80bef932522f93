"""The database's side of desired settings: what waits for it, and the actor that asks it."""

import sys
from collections.abc import Iterator
from typing import Any

import pykka
import pytest
from loguru import logger

from actors.desired_store import DesiredStore, Job, Result
from actors.filing import LONGEST_JOB, LOOK, MOST, MOST_SETS, OVERLAP_US, REST, WAITING, Asker, Filing
from actors.keeper import Ready
from actors.wants import Numbering
from storage.desired import Desired
from tests.actors.archive import Archive
from tests.actors.conftest import START_US, FakeClock
from tests.actors.test_desk import document, wish
from transport.messages import Accepted

ASKER = Asker(wish(), b"eva", 7)


@pytest.fixture
def filing() -> Filing:
    filing = Filing()
    filing.move_to("http://h:1")
    job = filing.job(0.0, START_US)
    assert job is not None
    assert job.since == START_US - OVERLAP_US
    assert filing.finish(Result(job, (), ()), 0.0) == []
    return filing


def job_of(filing: Filing, now: float = 1.0) -> Job:
    job = filing.job(now, START_US)
    assert job is not None
    return job


def test_without_a_database_nothing_is_asked() -> None:
    filing = Filing()
    filing.read("r1")
    filing.keep(Desired("r1", document(5)), urgent=True)
    assert not filing.judge(ASKER)
    assert filing.job(0.0, START_US) is None


def test_one_job_at_a_time_takes_all_that_waits(filing: Filing) -> None:
    filing.read("r1")
    filing.read("r2")
    filing.keep(Desired("r1", document(5)))
    filing.keep(Desired("r1", document(6)))
    filing.keep(Desired("r1", document(4)))
    assert filing.judge(ASKER)
    job = job_of(filing)
    assert (job.sets, job.rows, job.reactors) == ((ASKER.wish,), (Desired("r1", document(6)),), ("r1", "r2"))
    filing.read("r3")
    assert filing.job(1.0, START_US) is None
    assert filing.finish(Result(job, (), ()), 1.0) == [ASKER]
    assert job_of(filing) == Job(job.number + 1, "http://h:1", reactors=("r3",))


def test_a_job_has_its_limits(filing: Filing) -> None:
    for number in range(MOST + 1):
        filing.read(f"r{number}")
        filing.keep(Desired(f"r{number}", document(5)))
    asked = [filing.judge(ASKER) for _ in range(WAITING + 1)]
    assert asked.count(False) == 1
    job = job_of(filing)
    assert (len(job.sets), len(job.rows), len(job.reactors)) == (MOST_SETS, MOST, MOST)


def test_what_came_while_an_older_one_was_kept_is_kept_next(filing: Filing) -> None:
    filing.keep(Desired("r1", document(5)))
    job = job_of(filing)
    filing.keep(Desired("r1", document(6)))
    filing.finish(Result(job, (), ()), 1.0)
    assert job_of(filing).rows == (Desired("r1", document(6)),)


def test_after_a_failure_it_rests_but_for_whom_people_wait_for(filing: Filing) -> None:
    filing.read("r1")
    filing.keep(Desired("r1", document(5)))
    filing.finish(Result(job_of(filing), (), (), "away"), 1.0)
    assert not filing.is_well(1.0)
    assert filing.job(1.0, START_US) is None
    filing.keep(Desired("r2", document(5)), urgent=True)
    filing.judge(ASKER)
    job = job_of(filing)
    assert (job.sets, job.rows, job.reactors, job.since) == ((ASKER.wish,), (Desired("r2", document(5)),), (), None)
    filing.finish(Result(job, (), (), "away"), 1.0)
    job = job_of(filing, 1.0 + REST)
    assert {row.reactor for row in job.rows} == {"r1", "r2"}
    assert job.reactors == ("r1",)


def test_an_urgent_success_ends_the_rest(filing: Filing) -> None:
    filing.read("r1")
    filing.finish(Result(job_of(filing), (), (), "away"), 1.0)
    filing.keep(Desired("r2", document(5)), urgent=True)
    filing.finish(Result(job_of(filing), (), ()), 1.0)
    assert job_of(filing).reactors == ("r1",)


def test_it_looks_for_what_others_kept_again_and_again(filing: Filing) -> None:
    assert filing.job(LOOK - 0.1, START_US) is None
    assert job_of(filing, LOOK).since is not None


def test_another_database_is_asked_what_the_one_before_did_not_answer(filing: Filing) -> None:
    filing.judge(ASKER)
    old = job_of(filing)
    filing.move_to("http://h:2")
    assert filing.finish(Result(old, (), ()), 1.0) is None
    job = job_of(filing)
    assert (job.address, job.sets) == ("http://h:2", (ASKER.wish,))


def test_a_job_that_nobody_finishes_is_given_up(filing: Filing) -> None:
    filing.judge(ASKER)
    job_of(filing)
    assert filing.give_up(LONGEST_JOB) is None
    result = filing.give_up(1.0 + LONGEST_JOB)
    assert result is not None
    assert filing.finish(result, 1.0 + LONGEST_JOB) == [ASKER]
    assert filing.give_up(1.0 + LONGEST_JOB) is None


Store = tuple[pykka.ActorRef[Any], list[Result], Archive]


@pytest.fixture
def store(clock: FakeClock) -> Iterator[Store]:
    reports: list[object] = []
    results: list[Result] = []
    archive = Archive()
    ref = DesiredStore.start(
        reports.append, connect=archive.connect, clock=clock, numbering=Numbering(3), hearer=results.append
    )
    yield ref, results, archive
    ref.stop()
    assert reports == [Ready()]
    assert archive.closed == len(archive.addresses)


def test_the_store_does_a_job_and_tells(store: Store) -> None:
    ref, results, archive = store
    archive.keep([Desired("r2", document(5))])
    job = Job(1, "http://h:1", sets=(wish(),), rows=(Desired("r3", document(6)),), reactors=("r2",))
    ref.ask(job, timeout=5)
    [result] = results
    [accepted] = result.verdicts
    assert isinstance(accepted, Accepted)
    assert (accepted.delivered, accepted.revision) == (False, START_US + 1003)
    assert result.found == (Desired("r1", document(accepted.revision)), Desired("r2", document(5)))
    assert archive.revision("r3", "heater") == 6


def test_the_store_says_once_that_the_database_is_away(store: Store) -> None:
    ref, results, archive = store
    lines: list[str] = []
    logger.remove()
    sink = logger.add(lines.append, format="{level} {message}")
    try:
        for archive.away in (True, True, False):
            ref.ask(Job(1, "http://h:1", sets=(wish(),), reactors=("r1",)), timeout=5)
    finally:
        logger.remove(sink)
        logger.add(sys.stderr)
    assert [(len(result.verdicts), bool(result.trouble)) for result in results] == [(0, True), (0, True), (1, False)]
    assert [line.split()[0] for line in lines] == ["WARNING", "INFO"]


def test_another_address_is_another_connection(store: Store) -> None:
    ref, _, archive = store
    for address in ("http://h:1", "http://h:1", "http://h:2"):
        ref.ask(Job(1, address, reactors=("r1",)), timeout=5)
    assert archive.addresses == ["http://h:1", "http://h:2"]
    assert archive.closed == 1
