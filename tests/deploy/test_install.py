"""The installer of boards and servers, in a scratch root; what it would do to the machine itself it only says there."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path("deploy/install.sh").absolute()
UNIT = Path("deploy/systemd/reactorium@.service")
CONFIG = "# For more options see the documentation\ndtparam=audio=on\n\n[cm5]\ndtoverlay=dwc2\n"
CMDLINE = "console=serial0,115200 console=tty1 root=PARTUUID=1-02 rootwait\n"


def install(root: Path, role: str) -> str:
    """Returns what it says."""
    answer = subprocess.run(
        ["sh", str(SCRIPT), role],
        env={"PATH": "/usr/bin:/bin", "DESTDIR": str(root)},
        check=True,
        capture_output=True,
        text=True,
    )
    assert answer.stderr == ""
    return answer.stdout


def contents(root: Path) -> dict[str, tuple[bytes, int]]:
    return {
        str(path.relative_to(root)): (path.read_bytes(), path.stat().st_mode)
        for path in root.rglob("*")
        if path.is_file()
    }


@pytest.fixture
def board(tmp_path: Path) -> Path:
    """The root of a Raspberry Pi as its image leaves it."""
    boot = tmp_path / "boot" / "firmware"
    boot.mkdir(parents=True)
    (boot / "config.txt").write_text(CONFIG)
    (boot / "cmdline.txt").write_text(CMDLINE)
    return tmp_path


def test_a_board_gets_its_buses_names_clock_and_service(board: Path) -> None:
    said = install(board, "node")
    config = (board / "boot/firmware/config.txt").read_text()
    assert config.startswith(CONFIG)
    for line in ("dtparam=i2c_arm=on", "enable_uart=1", "dtoverlay=pwm-2chan,pin=12,func=4,pin2=13,func2=4"):
        assert f"\n{line}\n" in config
    assert (board / "boot/firmware/cmdline.txt").read_text() == CMDLINE.replace("console=serial0,115200 ", "")
    assert (board / "etc/modules-load.d/reactorium.conf").read_text() == "i2c-dev\n"
    assert 'SYMLINK+="reactorium/header"' in (board / "etc/udev/rules.d/90-reactorium.rules").read_text()
    assert "RuntimeWatchdogSec=14" in (board / "etc/systemd/system.conf.d/reactorium.conf").read_text()
    assert (board / "etc/systemd/system/reactorium@.service").read_bytes() == UNIT.read_bytes()
    assert not (board / "etc/systemd/system/reactorium@node.service.d").exists()
    assert (board / "etc/reactorium/.env").stat().st_mode & 0o777 == 0o600
    assert (board / "usr/local/bin/reactorium").stat().st_mode & 0o777 == 0o755
    for deed in ("useradd", "groupadd --system i2c", "systemctl enable reactorium@node", "systemd-timesyncd"):
        assert deed in said


def test_once_more_changes_nothing(board: Path) -> None:
    install(board, "node")
    (board / "etc/reactorium/.env").write_text("REACTORIUM_LOG_LEVEL=debug\n")
    before = contents(board)
    said = install(board, "node")
    assert contents(board) == before
    assert "is written" not in said


def test_taken_out_again_nothing_is_left_but_what_it_kept(board: Path) -> None:
    before = contents(board)
    install(board, "node")
    (board / "opt/reactorium/bin").mkdir(parents=True)
    said = install(board, "remove")
    left = contents(board)
    del left["etc/reactorium/.env"]
    assert left == before
    assert not (board / "opt/reactorium").exists()
    assert "What it kept is still there" in said
    install(board, "remove")


def test_another_board_is_told_to_see_to_its_buses(tmp_path: Path) -> None:
    assert "this is no Raspberry Pi" in install(tmp_path, "node")


@pytest.mark.parametrize("role", ["server", "host"])
def test_a_server_touches_no_hardware(board: Path, role: str) -> None:
    install(board, role)
    assert (board / "boot/firmware/config.txt").read_text() == CONFIG
    dropped = board / f"etc/systemd/system/reactorium@{role}.service.d/no-hardware.conf"
    assert "PrivateDevices=yes" in dropped.read_text()


def test_without_a_role_it_says_which_there_are(tmp_path: Path) -> None:
    answer = subprocess.run(["sh", str(SCRIPT)], env={"DESTDIR": str(tmp_path)}, check=False, capture_output=True)
    assert answer.returncode == 1
    assert b"node, server, host; or remove" in answer.stderr


def test_the_script_is_clean() -> None:
    found = shutil.which("shellcheck", path=str(Path(sys.executable).parent)) or "shellcheck"
    subprocess.run(
        [found, "--shell=sh", "--enable=quote-safe-variables,require-variable-braces", "--exclude=SC2250", str(SCRIPT)],
        check=True,
    )


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not on this machine")
def test_systemd_understands_the_units_and_finds_them_guarded(tmp_path: Path) -> None:
    folder = tmp_path / "systemd"
    folder.mkdir()
    text = (
        UNIT.read_text()
        .replace("/opt/reactorium/bin/reactorium", "/bin/true")
        .replace("User=reactorium", "User=daemon")
    )
    for role in ("node", "server"):
        (folder / f"reactorium@{role}.service").write_text(text.replace("/etc/reactorium", "/etc"))
    (folder / "reactorium@server.service.d").mkdir()
    shutil.copy("deploy/systemd/no-hardware.conf", folder / "reactorium@server.service.d")
    verified = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *map(str, folder.glob("*.service"))],
        check=False,
        capture_output=True,
        text=True,
    )
    assert verified.returncode == 0, verified.stderr
    ours = [line for line in verified.stderr.splitlines() if "reactorium" in line]
    assert ours == []
    for role, most in (("node", 35), ("server", 25)):
        scored = subprocess.run(
            [
                "systemd-analyze",
                "security",
                "--offline=true",
                f"--threshold={most}",
                str(folder / f"reactorium@{role}.service"),
            ],
            check=False,
            capture_output=True,
            text=True,
        )
        assert scored.returncode == 0, scored.stdout
