"""nginx in front of the gateway: its configuration, written anew at each start, and the program that becomes it."""

import os
import pwd
import shutil
from importlib.resources import files
from pathlib import Path

from actors.files import make_sure
from deploy import certificates, gateway, process
from deploy.errors import ConfigurationError, StartError
from deploy.folders import Folder
from deploy.settings import PREFIX, Settings

WHERE = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/local/sbin"))


def run_proxy(settings: Settings) -> None:
    """Become nginx. Raises ConfigurationError, StartError."""
    process.begin(settings, "proxy")
    program = nginx()
    certificates.make_authority(certificates.folder(settings))
    folder = Folder(settings.state_dir / "proxy")
    path = folder.path / "nginx.conf"
    try:
        make_sure(path, configuration(settings, folder.path))
    except OSError as error:
        raise StartError(f"{path} cannot be written: {error.strerror}") from error
    folder.keep()  # nginx has the lock from here on
    os.execv(program, ["nginx", "-p", str(folder.path), "-e", "stderr", "-c", str(path)])  # noqa: S606 - no shell


def nginx() -> str:
    """Find nginx. Raises StartError."""
    found = shutil.which("nginx", path=WHERE)
    if found is None:
        raise StartError("nginx is missing: apt install nginx, or leave REACTORIUM_GATEWAY_PORT empty")
    return found


def configuration(settings: Settings, folder: Path) -> str:
    """Write nginx's configuration; `folder` is its own. Raises ConfigurationError when there is to be no gateway."""
    if settings.gateway_port is None:
        raise ConfigurationError(f"{PREFIX}GATEWAY_PORT is not set: there is no gateway to stand in front of")
    me = pwd.getpwuid(os.geteuid()).pw_name
    values = {
        "@USER@": f"user {me};" if os.geteuid() == 0 else "",  # its workers must reach the gateway's socket
        "@FOLDER@": str(folder),
        "@MOST@": str(gateway.LARGEST),
        "@SOCKET@": str(gateway.socket_path(settings)),
        "@ADDRESS@": f"{settings.bind}:{settings.gateway_port}",
        "@AUTHORITY@": str(certificates.folder(settings)),
    }
    text = (files("deploy") / "nginx.conf").read_text(encoding="utf-8")
    for name, value in values.items():
        text = text.replace(name, value)
    return text
