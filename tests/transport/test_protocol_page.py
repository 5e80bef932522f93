"""docs/protocol.md says what the code does: every table is compared with the structs, every constant with its value."""

import re
from operator import attrgetter
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec import inspect

from transport import complaints, envelope, liveness, messages, sockets
from transport.messages import MESSAGES, Header, Message

PAGE = (Path(__file__).parents[2] / "docs" / "protocol.md").read_text(encoding="utf-8")
WORDS = {  # what the page calls the texts that have a pattern
    inspect.type_info(alias).pattern: word  # type: ignore[attr-defined]
    for word, alias in {
        "name": messages.Name,
        "line": messages.Text,
        "endpoint": messages.Endpoint,
        "key": messages.PublicKey,
    }.items()
}
VALUE = inspect.type_info(messages.Value)
RECORDS: list[type[msgspec.Struct]] = [
    messages.Database,
    messages.QuantityInfo,
    messages.SensorInfo,
    messages.DeviceInfo,
    messages.LimitsInfo,
    messages.SettingInfo,
    messages.ActInfo,
    messages.ArgumentInfo,
    messages.Document,
    messages.AppliedState,
    messages.Mistake,
    messages.Reading,
    messages.Backlog,
    messages.Watching,
    messages.Placed,
    messages.Allowed,
    messages.AllowList,
    messages.ManagerInfo,
]


def bounds(low: float | None, high: float | None) -> str:
    """Write a range as the page does, large powers of two as powers."""
    if low is None or high is None:
        return ""
    if high > 1e300:
        return "finite"
    power = int(high).bit_length() - 1
    return f"{low:g} to 2^{power}" if power > 31 and high == 2**power else f"{low:g} to {high:.10g}"


def described(kind: inspect.Type) -> tuple[str, str, str]:
    """Say the type, the unit and the range of a field."""
    match kind:
        case inspect.Metadata(type=inner, extra=extra):
            word, _, limits = described(inner)
            return word, (extra or {}).get("unit", ""), limits
        case inspect.UnionType() if kind == VALUE:
            return "value", "", ""
        case inspect.UnionType(types=types):
            (value,) = [one for one in types if not isinstance(one, inspect.NoneType)]
            word, unit, limits = described(value)
            return f"{word} or nil", unit, limits
        case inspect.StructType(cls=cls):
            return linked(cls), "", ""
    return described_many(kind)


def linked(struct: type[msgspec.Struct]) -> str:
    name = struct.TYPE if issubclass(struct, Message) else struct.__name__
    return f"[{name}](#{name.lower()})"


def described_many(kind: inspect.Type) -> tuple[str, str, str]:
    match kind:
        case inspect.ListType(item_type=item, max_length=most):
            return f"array of {described(item)[0]}", "", f"at most {most}"
        case inspect.DictType(key_type=inspect.StrType(max_length=32), value_type=item, max_length=most):
            return f"map of {described(item)[0]}", "", f"at most {most}"
    return described_scalar(kind)


def described_scalar(kind: inspect.Type) -> tuple[str, str, str]:
    match kind:
        case inspect.StrType():
            return described_text(kind)
        case inspect.IntType(ge=low, le=high):
            return "integer", "", bounds(low, high)
        case inspect.FloatType(ge=low, le=high):
            return "number", "", bounds(low, high)
        case inspect.LiteralType(values=values):
            return "one of", "", ", ".join(f"`{value}`" for value in sorted(map(str, values)))
    assert isinstance(kind, inspect.BoolType)
    return "boolean", "", ""


def described_text(kind: inspect.StrType) -> tuple[str, str, str]:
    low, high, pattern = kind.min_length, kind.max_length, kind.pattern
    limits = f"{low} to {high} characters" if low else f"at most {high} characters"
    if pattern is None:
        return "text", "", limits
    if pattern not in WORDS:
        return "text", "", f"`{pattern}`"
    return WORDS[pattern], "", limits if high not in {None, messages.MAX_TEXT} else ""


def default_of(field: inspect.Field) -> str:
    if field.required:
        return "required"
    value = field.default_factory() if field.default is msgspec.NODEFAULT else field.default
    return {"": "empty", "None": "nil", "False": "false", "[]": "empty", "{}": "empty"}.get(
        str(value), f"{value:g}" if value == 0 else "?"
    )


def rows_of(struct: type[msgspec.Struct]) -> list[list[str]]:
    info = inspect.type_info(struct)
    assert isinstance(info, inspect.StructType)
    return [[f"`{field.name}`", *described(field.type), default_of(field)] for field in info.fields]


def rows_on_page(heading: str) -> list[list[str]]:
    """Read the table below a heading, less its two head lines."""
    section = re.split(rf"^#+ {re.escape(heading)}$", PAGE, flags=re.MULTILINE)
    assert len(section) == 2, f"no heading, or two: {heading}"
    table = re.split(r"^#", section[1], flags=re.MULTILINE)[0]
    lines = [line for line in table.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines[2:]]


def sections() -> list[Any]:
    named = [pytest.param(kind, f"`{name}`", id=name) for name, kind in MESSAGES.items()]
    return [
        *named,
        pytest.param(Header, "Header", id="header"),
        *(pytest.param(r, r.__name__, id=r.__name__) for r in RECORDS),
    ]


@pytest.mark.parametrize(("struct", "heading"), sections())
def test_a_table_says_what_the_struct_says(struct: type[msgspec.Struct], heading: str) -> None:
    on_page = rows_on_page(heading)
    assert [row[:5] for row in on_page] == [[cell.replace("|", "\\|") for cell in row] for row in rows_of(struct)]
    assert all(row[5] for row in on_page), "a field without a meaning"


def test_every_record_of_a_message_has_its_table() -> None:
    found: set[type] = set()

    def collect(kind: inspect.Type) -> None:
        match kind:
            case inspect.StructType(cls=cls, fields=fields):
                found.add(cls)
                for field in fields:
                    collect(field.type)
            case inspect.UnionType(types=types):
                for one in types:
                    collect(one)
            case inspect.ListType(item_type=inner) | inspect.DictType(value_type=inner) | inspect.Metadata(type=inner):
                collect(inner)

    for message in MESSAGES.values():
        collect(inspect.type_info(message))
    assert {one for one in found if not issubclass(one, Message)} == set(RECORDS)


def test_the_page_names_every_message_and_no_other() -> None:
    assert re.findall(r"^### `(\w+)`$", PAGE, flags=re.MULTILINE) == list(MESSAGES)


def test_records_that_are_arrays_are_said_to_be() -> None:
    arrays = {struct.__name__ for struct in RECORDS if struct.__struct_config__.array_like}
    assert set(re.findall(r"^#### (\w+)\n\nAn array", PAGE, flags=re.MULTILINE)) == arrays


def test_words_and_their_patterns() -> None:
    assert {row[0].strip("`"): row[1].strip("`") for row in rows_on_page("Words for texts")} == {
        word: pattern for pattern, word in WORDS.items()
    }
    assert f"at most {messages.MAX_TEXT} characters" in PAGE


def test_every_error_code_is_explained() -> None:
    codes = [row[0].strip("`") for row in rows_on_page("Error codes")]
    assert sorted(codes) == sorted(messages.ErrorCode.__args__)  # type: ignore[attr-defined]


def test_limits_and_timers_are_those_of_the_code() -> None:
    found = {row[0]: row[1] for heading in ("Limits", "Timers") for row in rows_on_page(heading)}
    assert found == {
        "frames": str(envelope.FRAMES),
        "header": f"{envelope.HEADER_LIMITS.size} bytes",
        "body": f"{envelope.LIMITS.size} bytes",
        "body of a wide message": f"{envelope.LARGE.size} bytes",
        "elements of an array": str(envelope.LIMITS.elements),
        "body of a long message": f"{envelope.LONG.size} bytes",
        "elements of an array in a wide message": str(envelope.LARGE.elements),
        "entries of a map": str(envelope.MAX_MAP),
        "text or binary": f"{envelope.MAX_STRING} bytes",
        "errors answered to one peer": f"{complaints.PER_WINDOW} in {complaints.WINDOW_NS // 10**9} s",
        "status and heartbeat": f"{liveness.STATUS_INTERVAL:g} s ± {liveness.JITTER * 100:g} %",
        "stale": f"{liveness.MISSED_STALE * liveness.STATUS_INTERVAL + liveness.GRACE:g} s",
        "lost": f"{liveness.lost_after(liveness.STATUS_INTERVAL):g} s",
        "back-off": f"{liveness.BACK_OFF_FIRST:g} s doubling to {liveness.BACK_OFF_MOST:g} s",
        "ZMTP heartbeat": f"{sockets.HEARTBEAT_MS / 1000:g} s",
        "ZMTP heartbeat timeout": f"{sockets.HEARTBEAT_TIMEOUT_MS / 1000:g} s",
        "handshake": f"{sockets.HANDSHAKE_MS / 1000:g} s",
    }


def test_the_tag_and_larger_messages() -> None:
    assert f"`{envelope.TAG.decode()}`" in PAGE
    long, wide = (
        ", ".join(f"`{name}`" for name, kind in MESSAGES.items() if larger(kind))
        for larger in (attrgetter("LONG"), attrgetter("WIDE"))
    )
    assert f"The long messages are {long}. The wide messages are {wide}." in PAGE
