"""A node comes in by a request and a fingerprint, and goes out again."""

import dataclasses
import io
import os
import ssl
import stat
import tarfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import dotenv
import pytest

from deploy import certificates, enrol, keyring, logins, main, settings
from deploy.errors import ConfigurationError, StartError
from deploy.settings import PREFIX, Settings, load
from storage.questdb import Certificates
from transport.keys import load_or_make, read_allow_list

REACTOR = 'name = "tank"\n[[sensors]]\nname = "board"\ndriver = "host"\naddress = "host"\n'


class Machine:
    """One of the two: its own state folder and working folder."""

    def __init__(self, folder: Path, enter: Callable[["Machine"], None]) -> None:
        self.folder = folder
        self.folder.mkdir()
        self._enter = enter

    @property
    def settings(self) -> Settings:
        self._enter(self)
        return load()


@pytest.fixture
def enter(monkeypatch: pytest.MonkeyPatch) -> Callable[[Machine], None]:
    def enter(machine: Machine) -> None:
        monkeypatch.chdir(machine.folder)
        monkeypatch.setenv(f"{PREFIX}STATE_DIR", str(machine.folder / "state"))
        monkeypatch.setenv(f"{PREFIX}GATEWAY_PORT", "7743")

    return enter


@pytest.fixture
def server(tmp_path: Path, enter: Callable[[Machine], None]) -> Machine:
    machine = Machine(tmp_path / "server", enter)
    (machine.folder / "state").mkdir()
    keyring.make(machine.settings, [])
    return machine


@pytest.fixture
def board(tmp_path: Path, enter: Callable[[Machine], None]) -> Machine:
    return Machine(tmp_path / "board", enter)


def asked(board: Machine, name: str = "tank", role: str = "reactor") -> tuple[Path, str]:
    """Returns the request of a board and the fingerprint that it shows."""
    enrol.enrol(board.settings, name, role)
    path = board.folder / f"{name}.request"
    return path, enrol._read_request(str(path)).fingerprint


def approve(server: Machine, board: Machine) -> Path:
    """Let tank in; returns its bundle."""
    request, fingerprint = asked(board)
    enrol.approve(server.settings, str(request), fingerprint)
    return server.folder / "tank.bundle"


def test_a_node_comes_in_with_the_keys_that_it_made(
    server: Machine, board: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    request, fingerprint = asked(board)
    assert fingerprint in capsys.readouterr().out
    assert b"PRIVATE" not in request.read_bytes()
    enrol.approve(server.settings, str(request), fingerprint)
    enrol.join(board.settings, str(server.folder / "tank.bundle"))

    settings = server.settings
    allowed, faults = read_allow_list(keyring.allow_folder(settings))
    folder = board.folder / "state" / "reactors" / "tank"
    tank = allowed.peer_of(load_or_make(folder / "key").public)
    assert faults == []
    assert tank is not None
    assert (tank.name, tank.role) == ("tank", "reactor")
    assert dotenv.dotenv_values(board.folder / ".env") == {
        f"{PREFIX}COORDINATOR": "tcp://127.0.0.1:7700",
        f"{PREFIX}COORDINATOR_KEY": keyring.coordinator_key(settings),
        f"{PREFIX}GATEWAY": "https://127.0.0.1:7743",
    }
    logins.certificates(folder).context()  # they are a pair, and of one authority


def test_nothing_that_is_carried_is_secret_and_what_is_kept_is_its_owners(server: Machine, board: Machine) -> None:
    bundle = approve(server, board)
    assert b"PRIVATE" not in bundle.read_bytes()
    enrol.join(board.settings, str(bundle))
    for folder in (server.folder, board.folder):
        for path in folder.rglob("*"):
            if path.is_file() and path.suffix not in {".toml", ".pub"}:
                assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


def test_the_fingerprint_says_whose_keys_they_are(server: Machine, board: Machine, tmp_path: Path) -> None:
    request, fingerprint = asked(board)
    _, another = asked(board, "pond")
    assert asked(board) == (request, fingerprint)
    assert fingerprint != another
    renamed = tmp_path / "renamed"
    renamed.write_bytes(request.read_bytes().replace(b"'tank'", b"'pond'"))
    for wrong, shown in ((request, another), (renamed, fingerprint)):
        with pytest.raises(ConfigurationError, match="compare with what the node shows"):
            enrol.approve(server.settings, str(wrong), shown)
    assert not (server.folder / "tank.bundle").exists()
    assert not (server.folder / "state" / "allow" / "tank.toml").exists()


def test_a_request_for_a_key_that_its_sender_has_not_is_none(server: Machine, board: Machine, tmp_path: Path) -> None:
    request, fingerprint = asked(board)
    lines = request.read_text().splitlines()
    lines[6] = lines[6][::-1]
    spoilt = tmp_path / "spoilt"
    spoilt.write_text("\n".join(lines))
    with pytest.raises(ConfigurationError, match="is no request of a node"):
        enrol.approve(server.settings, str(spoilt), fingerprint)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "name = 'tank'",
        "name = '../tank'\nrole = 'reactor'\npublic_key = ''\ncertificate_request = ''",
        "name = 'tank'\nrole = 'operator'\npublic_key = '" + "k" * 40 + "'\ncertificate_request = ''",
        "name = 'tank'\nrole = 'reactor'\npublic_key = '" + "k" * 40 + "'\ncertificate_request = 'x'",
        "\x00",
    ],
)
def test_what_is_no_request_is_one_line(server: Machine, tmp_path: Path, text: str) -> None:
    path = tmp_path / "some.request"
    path.write_text(text)
    with pytest.raises(ConfigurationError, match="is no request of a node"):
        enrol.approve(server.settings, str(path), "")


def test_a_name_that_is_taken_is_not_given_to_another_key(server: Machine, board: Machine, tmp_path: Path) -> None:
    approve(server, board)
    stranger = Machine(tmp_path / "stranger", board._enter)
    request, fingerprint = asked(stranger)
    with pytest.raises(ConfigurationError, match="tank is let in with another key: reactorium revoke tank first"):
        enrol.approve(server.settings, str(request), fingerprint)
    enrol.revoke(server.settings, "tank")
    enrol.approve(server.settings, str(request), fingerprint)


def test_who_is_let_in_twice_has_one_certificate_that_counts(server: Machine, board: Machine) -> None:
    path = server.folder / "state" / "allow" / "tank.toml"
    approve(server, board)
    before = path.read_text()
    approve(server, board)
    assert path.read_text() != before


def test_who_is_revoked_is_not_there_any_more(
    server: Machine, board: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    approve(server, board)
    enrol.nodes(server.settings)
    shown = capsys.readouterr().out
    assert "tank" in shown
    assert "gateway" in shown
    enrol.revoke(server.settings, "tank")
    capsys.readouterr()
    assert enrol.nodes(server.settings) == 0
    assert "tank" not in capsys.readouterr().out
    for name in ("tank", "../allow/host"):
        with pytest.raises(ConfigurationError, match="reactorium nodes shows who is"):
            enrol.revoke(server.settings, name)


def test_a_host_of_managers_has_one_key_for_all(server: Machine, board: Machine) -> None:
    request, fingerprint = asked(board, "lab2", "manager")
    enrol.approve(server.settings, str(request), fingerprint)
    settings = board.settings
    enrol.join(settings, str(server.folder / "lab2.bundle"))
    logins.certificates(keyring.host_key_file(settings).parent).context()
    assert "role = 'manager'" in (server.folder / "state" / "allow" / "lab2.toml").read_text()


@pytest.mark.parametrize(("name", "role"), [("Tank", "reactor"), ("../x", "reactor"), ("tank", "operator")])
def test_what_is_no_name_or_role_is_one_line(board: Machine, name: str, role: str) -> None:
    with pytest.raises(ConfigurationError, match=r"is no name|is no role"):
        enrol.enrol(board.settings, name, role)
    assert not list(board.folder.glob("*.request"))


def test_the_server_makes_everything_of_a_node_at_once(server: Machine, board: Machine) -> None:
    file = server.folder / "mine.toml"
    file.write_text(REACTOR)
    enrol.bundle(server.settings, str(file))
    bundle = server.folder / "tank.bundle"
    assert stat.S_IMODE(bundle.stat().st_mode) == 0o600
    enrol.join(board.settings, str(bundle))
    folder = board.folder / "state" / "reactors" / "tank"
    allowed, _ = read_allow_list(server.folder / "state" / "allow")
    assert allowed.peer_of(load_or_make(folder / "key").public) is not None
    logins.certificates(folder).context()
    assert (board.folder / "tank.toml").read_text() == REACTOR
    variable = f"{PREFIX}REACTOR_FILE"
    assert dotenv.dotenv_values(board.folder / ".env")[variable] == str(board.folder / "tank.toml")
    file.write_text(REACTOR.replace("tank", "pond"))
    enrol.bundle(server.settings, str(file))
    tank, pond = (board.folder / name for name in ("tank.toml", "pond.toml"))
    for known in ((tank,), (tank, pond)):
        enrol.join(dataclasses.replace(board.settings, reactor_file=known), str(server.folder / "pond.bundle"))
        assert dotenv.dotenv_values(board.folder / ".env")[variable] == f"{tank}:{pond}"


def test_joining_keeps_what_a_person_wrote(server: Machine, board: Machine) -> None:
    (board.folder / ".env").write_text(f"# mine\n{PREFIX}LOG_LEVEL=debug\n{PREFIX}COORDINATOR=tcp://old:1\n")
    approve(server, board)
    for _ in range(2):
        enrol.join(board.settings, str(server.folder / "tank.bundle"))
    text = (board.folder / ".env").read_text()
    assert text.startswith(f"# mine\n{PREFIX}LOG_LEVEL=debug\n{PREFIX}COORDINATOR='tcp://127.0.0.1:7700'\n")
    assert text.count("COORDINATOR=") == 1


def test_a_key_may_hold_anything_that_keys_hold(
    server: Machine, board: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = "#${HOME}$a={}&<>()[]@!*?/^%:+.-0123456789"[:40]
    request, fingerprint = asked(board)
    monkeypatch.setattr(keyring, "coordinator_key", lambda _: key)
    enrol.approve(server.settings, str(request), fingerprint)
    enrol.join(board.settings, str(server.folder / "tank.bundle"))
    monkeypatch.setattr(settings, "load", lambda: pytest.fail(os.environ[f"{PREFIX}COORDINATOR_KEY"]))
    monkeypatch.setenv(f"{PREFIX}COORDINATOR_KEY", "")
    monkeypatch.delenv(f"{PREFIX}COORDINATOR_KEY")
    with pytest.raises(pytest.fail.Exception) as read:
        main.main(["nodes"])
    assert str(read.value) == key


def test_a_bundle_for_another_node_is_refused(server: Machine, board: Machine, tmp_path: Path) -> None:
    approve(server, board)
    other = Machine(tmp_path / "other", board._enter)
    with pytest.raises(ConfigurationError, match="is for tank, whose keys are not in"):
        enrol.join(other.settings, str(server.folder / "tank.bundle"))


@pytest.mark.parametrize("name", ["../../key", "/etc/passwd", "other"])
def test_a_bundle_brings_nothing_but_its_own_files(board: Machine, tmp_path: Path, name: str) -> None:
    path = tmp_path / "evil.bundle"
    with tarfile.open(path, "w") as tar:
        info = tarfile.TarInfo(name)
        info.size = 3
        tar.addfile(info, io.BytesIO(b"abc"))
    with pytest.raises(ConfigurationError, match="which is nothing of a bundle's"):
        enrol.join(board.settings, str(path))


def test_a_link_in_a_bundle_is_refused(board: Machine, tmp_path: Path) -> None:
    path = tmp_path / "evil.bundle"
    with tarfile.open(path, "w") as tar:
        info = tarfile.TarInfo("key")
        info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(info)
    with pytest.raises(ConfigurationError, match="which is nothing of a bundle's"):
        enrol.join(board.settings, str(path))


def test_noise_is_no_bundle(board: Machine, tmp_path: Path) -> None:
    path = tmp_path / "noise"
    path.write_bytes(b"noise" * 1000)
    with pytest.raises(ConfigurationError, match="is no bundle"):
        enrol.join(board.settings, str(path))
    with pytest.raises(StartError, match="cannot be read: No such file"):
        enrol.join(board.settings, str(tmp_path / "nothing"))


def test_a_server_without_a_gateway_gives_no_certificates(
    server: Machine, board: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    request, fingerprint = asked(board)
    settings = server.settings
    monkeypatch.setenv(f"{PREFIX}GATEWAY_PORT", "")
    enrol.approve(load(), str(request), fingerprint)
    enrol.join(board.settings, str(server.folder / "tank.bundle"))
    assert f"{PREFIX}GATEWAY" not in dotenv.dotenv_values(board.folder / ".env")
    assert not (certificates.folder(settings) / "ca.crt").exists()


def test_many_make_one_authority(tmp_path: Path) -> None:
    """The proxy starts for the first time while people approve the first nodes."""
    folder = tmp_path / "authority"
    with ThreadPoolExecutor(8) as pool:
        for made in [pool.submit(certificates.make_authority, folder) for _ in range(8)]:
            made.result()
    ssl.create_default_context().load_cert_chain(folder / "gateway.crt", folder / "gateway.key")  # they are a pair


def test_without_its_certificates_a_node_does_not_start(
    board: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"{PREFIX}GATEWAY", "https://server:7743")
    with pytest.raises(ConfigurationError, match="reactorium join unpacks them"):
        logins.access(board.settings, tmp_path)
    (tmp_path / "gateway.crt").write_text("noise")
    with pytest.raises(ConfigurationError, match="reactorium join unpacks them"):
        logins.access(board.settings, tmp_path)
    assert isinstance(logins.certificates(tmp_path), Certificates)
