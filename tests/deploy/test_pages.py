"""What the pages for people show is true: their files load, their driver reads, their links lead somewhere."""

import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from deploy import reactor_file
from deploy.main import COMMANDS
from deploy.settings import VARIABLES
from hardware.buses import Buses
from hardware.driver import Wiring
from hardware.errors import BadConfiguration
from hardware.registry import device_class, driver_class
from tests.deploy.conftest import MakeSettings

DOCS = Path("docs").absolute()
MINE = [DOCS / f"{name}.md" for name in ("quickstart", "wiring", "reactor", "drivers", "operating", "architecture")]


def block(page: str, language: str) -> str:
    """The first block of a page in this language."""
    found = re.search(rf"```{language}\n(.*?)```", (DOCS / page).read_text(), re.DOTALL)
    assert found
    return found[1]


def test_the_file_that_is_shown_loads(make_settings: MakeSettings, tmp_path: Path) -> None:
    path = tmp_path / "tank.toml"
    path.write_text(block("reactor.md", "toml"))
    file = reactor_file.load(path, make_settings(), driver_class, device_class)
    assert [one.name for one in file.sensors] == ["water", "ph"]
    assert [one.name for one in file.devices] == ["heater", "acid"]


class Bus:
    """One BH1750 on it."""

    def __init__(self) -> None:
        self.written: list[tuple[int, bytes]] = []

    def write(self, address: int, data: bytes) -> None:
        self.written.append((address, data))

    def read(self, _address: int, count: int) -> bytes:
        return b"\x12\x34"[:count]


class FakeBuses(Buses):
    def __init__(self) -> None:
        super().__init__()
        self.bus = Bus()

    def i2c(self, _path: str) -> Any:  # noqa: ANN401 - its two methods are all that a driver asks
        return self.bus


def test_the_driver_that_is_shown_reads() -> None:
    names: dict[str, Any] = {"__name__": "bh1750"}
    exec(block("drivers.md", "python"), names)
    buses = FakeBuses()
    driver = names["Bh1750"](Wiring("/dev/i2c-1:35", buses, None))  # type: ignore[arg-type] # it asks no clock
    driver.open()
    assert buses.bus.written == [(35, b"\x10")]
    assert driver.read() == {"illuminance": 0x1234 / 1.2}
    with pytest.raises(BadConfiguration, match="bh1750 has no options"):
        names["Bh1750"](Wiring("/dev/i2c-1:35", buses, None, {"gain": 2}))  # type: ignore[arg-type]


@pytest.mark.parametrize("page", [path.name for path in MINE])
def test_links_commands_and_variables_exist(page: str) -> None:
    text = (DOCS / page).read_text()
    for target in re.findall(r"\]\(([^)#]+)", text):
        assert (DOCS / target).exists(), target
    for variable in re.findall(r"REACTORIUM_[A-Z_]+", text):
        assert variable in VARIABLES, variable
    for word in re.findall(r"reactorium ([a-z-]+)", text):
        assert word in COMMANDS or word in PROSE, word


PROSE = {"authority", "does", "itself", "knows", "directory"}


@pytest.mark.parametrize("picture", sorted(path.name for path in (DOCS / "pictures").glob("*.svg")))
def test_a_picture_is_whole_and_says_what_it_shows(picture: str) -> None:
    root = ET.fromstring((DOCS / "pictures" / picture).read_text())
    assert root.attrib["viewBox"].startswith("0 0 ")
    assert root.findtext("{http://www.w3.org/2000/svg}title")
    assert any(f"pictures/{picture}" in path.read_text() for path in MINE)
