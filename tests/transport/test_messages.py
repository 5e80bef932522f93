"""Every message, round-tripped as hypothesis builds it from its type, and as its golden bytes say."""

import json
import typing
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import inspect

from transport.envelope import decode, encode
from transport.messages import (
    MAX_TEXT,
    MESSAGES,
    Accepted,
    Ack,
    Act,
    ActInfo,
    Alive,
    Allowed,
    AllowList,
    Applied,
    AppliedState,
    ArgumentInfo,
    Attach,
    Attached,
    Backlog,
    Change,
    Conflict,
    Database,
    DeviceInfo,
    Document,
    Done,
    Error,
    Heartbeat,
    Hello,
    LimitsInfo,
    ManagerInfo,
    Message,
    Mistake,
    Overview,
    Placed,
    QuantityInfo,
    Reading,
    Register,
    Registered,
    Rejected,
    SensorInfo,
    Set,
    SettingInfo,
    Snapshot,
    Status,
    Text,
    Update,
    Watch,
    Watching,
    Welcome,
    line,
)

KEY = "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7"  # RFC 26's example
DATABASE = Database(address="http://10.0.0.1:9000", identity="5d0c6c1f", incarnation=2, schema_major=1, schema_minor=3)
ALLOW = AllowList(version="9f86d081", peers=[Allowed(KEY, "tank-1", "reactor")])
DOSE = ActInfo(
    name="dose",
    title="Dose a volume",
    arguments=[ArgumentInfo("volume", "ml", 0.5, 1000.0, 2)],
    volume=["volume"],
    timed=True,
)
DUTY = SettingInfo("duty", "%", "number", 0.0, 100.0, 1.0, 0.0, 0.0, survives=True)
ATTACH = Attach(
    epoch=8,
    label="Tank 1, grün",
    software="reactorium 0.1.0",
    sensors=[
        SensorInfo(
            name="ph",
            label="pH",
            driver="ezo-ph",
            address="/dev/i2c-1:0x63",
            quantities=[QuantityInfo(name="ph", unit="pH", low=0.0, high=14.0, decimals=3)],
            live_interval=5.0,
            sample_interval=600.0,
            settings=[SettingInfo("label", "", "text", 0.0, 60.0, 1.0, "pH", "pH", survives=True)],
        )
    ],
    devices=[
        DeviceInfo(
            name="heater",
            label="Heater, 60 W",
            looks="heater",
            driver="pca9685",
            address="/dev/i2c-1:0x40:3",
            settings=[
                DUTY,
                SettingInfo("on", "", "switch", 0.0, 1.0, 1.0, default=False, safe=False, survives=True),
                SettingInfo(
                    "mode", "", "choice", 0.0, 0.0, 0.0, "slow", "slow", survives=False, choices=["slow", "fast"]
                ),
            ],
            acts=[DOSE],
            reported=[QuantityInfo(name="total", unit="ml", low=0.0, high=1e9, decimals=1)],
            rules=["off when rtd is not ok"],
            ramped="duty",
            cycled="on",
            limits=LimitsInfo(dose=10.0, day=60.0),
        )
    ],
    applied=[AppliedState("heater", 6, "eva", {"duty": 20.0, "on": True}, {"on": True}, "off without rtd")],
)
STATUS = Status(
    now_us=86_400_000_000,
    readings=[
        Reading("ph", "ph", 7.012, "ok", 86_399_000_000),
        Reading("rtd", "temperature", None, "fault", 86_399_500_000),
    ],
    backlog=Backlog(waiting=12, oldest=61.5, refused=1, dropped=0),
    clock_known=True,
    clock_offset=-0.004,
    database=DATABASE.stamp,
    faults=["rtd: no answer"],
    devices=[
        AppliedState(
            "heater", 7, "eva", {"duty": 40.0, "on": True}, {"duty": 39.99}, "", "pca9685: late", "ramp to 40 %"
        )
    ],
)
DOCUMENT = Document(target="heater", revision=7, author="eva", values={"duty": 40.0, "on": True, "mode": "slow"})
APPLIED = Applied(target="heater", revision=7, read_back={"duty": 39.99, "on": True}, held_by="off without rtd")
REJECTED = Rejected(
    reactor="tank-1",
    target="heater",
    revision=8,
    reason="duty 140: must be a number from 0 to 100 %",
    mistakes=[Mistake("duty", "140", "%", "must be a number from 0 to 100 %")],
)
DONE = Done(act="0f8c1b2a-dose", state="done", target="acid", kind="dose", text="", result={"volume": 1.5})
SAMPLES: list[Message] = [
    Hello(software="reactorium 0.1.0", epoch=7, lost="manager-02 unanswered", instance="0123456789abcdef"),
    Welcome(
        manager="manager-01",
        endpoint="tcp://10.0.0.1:40123",
        key=KEY,
        epoch=8,
        database=DATABASE,
        status_interval=5.0,
        time_us=1_790_000_000_000_000,
    ),
    Overview(
        managers=[
            ManagerInfo(
                name="manager-01",
                endpoint="tcp://10.0.0.1:40123",
                key=KEY,
                capacity=50,
                reactors=[Placed("tank-1", 8), Placed("tank-2", 1)],
            )
        ],
        database=None,
        time_us=1_790_000_000_000_000,
    ),
    Register(number=1, endpoint="tcp://10.0.0.1:40123", capacity=50, reactors=[Placed("tank-1", 8)], error=""),
    Registered(manager="manager-01", allow=ALLOW, database=DATABASE),
    Heartbeat(reactors=[Placed("tank-1", 8)], allow_version="9f86d081"),
    Alive(known=True, allow=ALLOW, database=DATABASE, drain=True),
    ATTACH,
    Attached(session="0123456789abcdef0123456789abcdef", status_interval=5.0, desired=[DOCUMENT]),
    STATUS,
    Ack(next_interval=5.0, database=DATABASE, time_us=1_790_000_000_000_000),
    Change(document=DOCUMENT),
    APPLIED,
    REJECTED,
    Act(
        reactor="tank-1",
        act="0f8c1b2a-dose",
        target="acid",
        kind="dose",
        arguments={"volume": 1.5},
        valid_for=30.0,
        author="eva",
    ),
    DONE,
    Set(reactor="tank-1", target="heater", base=6, author="eva", values={"duty": 40.0, "on": True}),
    Accepted(reactor="tank-1", target="heater", revision=7, delivered=True, held_by="off without rtd"),
    Conflict(reactor="tank-1", document=DOCUMENT),
    Watch(reactors=[Watching("tank-1", 0), Watching("tank-2", 17, closely=True)]),
    Snapshot(
        reactor="tank-1",
        number=1,
        life="ok",
        attach=ATTACH,
        status=STATUS,
        desired=[DOCUMENT],
        applied=[APPLIED],
        rejected=[REJECTED],
    ),
    Update(
        reactor="tank-1",
        number=2,
        life="stale",
        status=STATUS,
        desired=[DOCUMENT],
        applied=[APPLIED],
        rejected=[REJECTED],
        done=[DONE],
    ),
    Error(code="epoch", text="placed elsewhere", retry=1.5),
]
GOLDEN: dict[str, list[str]] = json.loads((Path(__file__).parent / "golden_rct1.json").read_text(encoding="ascii"))


CHARACTERS = st.characters(exclude_categories=["Cs"])


def values_of(kind: inspect.Type) -> st.SearchStrategy[Any]:
    """Build whatever a type allows, up to its limits; lists are kept short."""
    match kind:
        case inspect.StructType(cls=cls, fields=fields):
            return st.builds(cls, **{field.name: values_of(field.type) for field in fields})
        case inspect.ListType(item_type=item):
            return st.lists(values_of(item), max_size=2)
        case inspect.DictType(key_type=key, value_type=value):
            return st.dictionaries(values_of(key), values_of(value), max_size=2)
        case inspect.UnionType(types=types):
            return st.one_of([values_of(one) for one in types])
        case inspect.Metadata(type=inner):
            return values_of(inner)
    return scalars_of(kind)


def scalars_of(kind: inspect.Type) -> st.SearchStrategy[Any]:
    match kind:
        case inspect.StrType(pattern=str(pattern), max_length=most):
            texts = st.from_regex(pattern, alphabet=CHARACTERS)
            return texts.filter(lambda text: most is None or len(text) <= most)
        case inspect.StrType(min_length=low, max_length=high):
            return st.text(CHARACTERS, min_size=low or 0, max_size=high)
        case inspect.IntType(ge=low, le=high):
            return st.integers(low, high)
        case inspect.FloatType(ge=low, le=high):
            return st.floats(low, high, allow_nan=False, allow_infinity=False)
        case inspect.LiteralType(values=values):
            return st.sampled_from(values)
    return {inspect.BoolType: st.booleans(), inspect.NoneType: st.none()}[type(kind)]


@pytest.mark.parametrize("kind", MESSAGES.values(), ids=MESSAGES)
def test_every_message_survives_the_wire(kind: type[Message]) -> None:
    @settings(max_examples=8 if kind.LONG or kind.WIDE else 20)  # in the large ones stands every record many times
    @given(
        values_of(inspect.type_info(kind)), st.integers(0, 2**53), st.text("abc0", max_size=64), st.integers(0, 2**53)
    )
    def round_trip(message: Message, number: int, session: str, sequence: int) -> None:
        frames = encode(message, id=number, session=session, sequence=sequence, sent_us=2**62, reply_to=number)
        header, body = decode(frames)
        assert body == message
        assert (header.type, header.id, header.session, header.sequence, header.sent_us, header.reply_to) == (
            (kind.TYPE, number, session, sequence, 2**62, number)
        )

    round_trip()


def test_there_is_a_sample_and_golden_bytes_of_every_message() -> None:
    assert [type(sample) for sample in SAMPLES] == list(MESSAGES.values())
    assert list(GOLDEN) == list(MESSAGES)


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.TYPE)
def test_golden_bytes_mean_what_they_meant(sample: Message) -> None:
    frames = [bytes.fromhex(frame) for frame in GOLDEN[sample.TYPE]]
    header, body = decode(frames)
    assert body == sample
    assert (header.id, header.session, header.sequence) == (3, "0123456789abcdef", 2)
    assert encode(sample, id=3, session="0123456789abcdef", sequence=2, sent_us=1, reply_to=1) == frames


def test_a_record_may_lack_what_was_appended_to_it() -> None:
    assert msgspec.convert(["tank-1", 17], Watching) == Watching("tank-1", 17)


def test_a_message_may_lack_what_has_a_default() -> None:
    for kind in MESSAGES.values():
        info = inspect.type_info(kind)
        assert isinstance(info, inspect.StructType)
        full = msgspec.to_builtins(next(sample for sample in SAMPLES if type(sample) is kind))
        required = {field.name: full[field.name] for field in info.fields if field.required}
        assert isinstance(msgspec.convert(required, kind), kind)


@given(st.text(max_size=300))
def test_any_text_becomes_a_line_that_the_wire_takes(text: str) -> None:
    made = line(text)
    assert msgspec.convert(made, Text) == made
    assert len(made) <= MAX_TEXT
    made.encode()


def test_a_line_keeps_the_words() -> None:
    assert line("bus\n  error\t5 \u2028µS") == "bus error 5 µS"
    assert line("lone \ud800 half") == "lone ? half"


def test_a_stamp_differs_when_anything_that_matters_differs() -> None:
    changes = typing.cast("list[dict[str, Any]]", [
        {"address": "http://10.0.0.2:9000"}, {"identity": "x"}, {"incarnation": 3}, {"schema_major": 2},
        {"schema_minor": 4},
    ])  # fmt: skip
    stamps = {DATABASE.stamp, *(msgspec.structs.replace(DATABASE, **change).stamp for change in changes)}
    assert len(stamps) == 1 + len(changes)
