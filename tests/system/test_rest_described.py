"""REST against its own description: whatever schemathesis thinks of is answered as OpenAPI says, or refused so."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
import urllib3
from hypothesis import HealthCheck, given, settings
from schemathesis import Case, GenerationMode
from schemathesis.core.result import Ok
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi.checks import positive_data_acceptance

from storage.reader import Reader
from storage.schema import ensure_schema
from tests.conftest import Server
from tests.ui.pretend import Pretender
from tests.ui.served import Served

EXAMPLES = 10  # of good and of bad requests each, an operation
ENDLESS = "/api/stream"
NO_SESSION = "/api/session"  # a program has none to close, and wrong passwords are answered slowly
# A document that fits the description may still be out of the range that its device declares.
NOT_OURS: list[Any] = [positive_data_acceptance]


pytestmark = pytest.mark.system


@pytest.fixture
def served(tmp_path: Path, questdb: Server) -> Iterator[Served]:
    database = questdb.client()
    ensure_schema(database)
    database.close()
    before = threading.enumerate()
    reader = Reader("127.0.0.1", questdb.pg_port, questdb.viewer.user, questdb.viewer.password)
    made = Served(tmp_path, Pretender(["tank-1"]), reader)
    yield made
    made.close()
    assert [thread for thread in threading.enumerate() if thread not in before and not thread.daemon] == []


def test_every_answer_is_as_described(served: Served) -> None:
    asking = urllib3.PoolManager(retries=urllib3.Retry(connect=50, backoff_factor=0.02))
    description = asking.request("GET", f"{served.url}/api/openapi.json").json()
    described = schemathesis.openapi.from_dict(description)
    described.config.update(base_url=served.url)
    operations = [result.ok() for result in described.get_all_operations() if isinstance(result, Ok)]
    assert len(operations) > 20
    for operation in operations:
        if operation.path not in {ENDLESS, NO_SESSION}:
            for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
                _try(operation, mode, {"Authorization": f"Bearer {served.token}"})
    assert served.server.is_alive()


def _try(operation: APIOperation[Any, Any, Any, Any], mode: GenerationMode, headers: dict[str, str]) -> None:
    @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(case=operation.as_strategy(generation_mode=mode))
    def run(case: Case[Any]) -> None:
        if mode is GenerationMode.POSITIVE and "reactor" in case.path_parameters:
            case.path_parameters["reactor"] = "tank-1"  # a random name is nobody's
        case.call_and_validate(headers=headers, excluded_checks=NOT_OURS)

    run()
