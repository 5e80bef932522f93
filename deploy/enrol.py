"""How a node comes in, and goes out again.

    node    reactorium enrol NAME ROLE       makes its keys; NAME.request holds the public ones; shows their fingerprint
    server  reactorium approve REQUEST FINGERPRINT   lets it in, if the fingerprint is the one that the node showed
    node    reactorium join BUNDLE           takes over NAME.bundle: settings, the server's key, certificates
    server  reactorium bundle FILE           all three at once, for the reactor's file of a node that has no keys yet
    server  reactorium nodes                 shows who may speak
    server  reactorium revoke NAME           lets it in no more: within seconds where it is connected

Secrets are made where they are used and stay there; only `bundle` puts them into its file, for its owner alone.
"""

import hashlib
import io
import os
import sys
import tarfile
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

import dotenv
import msgspec
from cryptography.hazmat.primitives import serialization
from msgspec import Meta

from deploy import certificates, keyring, reactor_file
from deploy.errors import ConfigurationError, StartError
from deploy.settings import PREFIX, Settings
from hardware.registry import driver_class
from hardware.values import is_name
from transport.errors import KeyFileError
from transport.keys import Peer, load_or_make, read_allow_list, write_peer
from transport.messages import Name, PublicKey

LARGEST = 1 << 20  # bytes of a request, a bundle, or a file in one
HERE = "-"  # instead of a file's name: standard input
ENV, REACTOR = "env", "reactor.toml"
IN_FOLDER = ("key", "gateway.key", "gateway.crt", "gateway-ca.crt")  # what a bundle may bring beside the node's own key


class Request(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a node asks for: a name and a role for its two keys, of which it has the secrets."""

    name: Name
    role: Literal["reactor", "manager"]
    public_key: PublicKey
    certificate_request: Annotated[str, Meta(max_length=4096)]

    @property
    def fingerprint(self) -> str:
        """What both sides show: 128 bits of everything that is asked for."""
        key = certificates.requested(self.certificate_request.encode()).public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        digest = hashlib.sha256(b"\0".join([self.name.encode(), self.role.encode(), self.public_key.encode(), key]))
        text = digest.hexdigest()[:32]
        return "-".join(text[index : index + 4] for index in range(0, len(text), 4))


def enrol(settings: Settings, name: str, role: str) -> None:
    """Make this node's keys, unless they are there, and NAME.request here. Raises StartError, ConfigurationError."""
    request = _request(_own_folder(settings, name, role), name, role)
    path = Path(f"{name}.request")
    _write(path, _written(request))
    _say(f"{path.absolute()} is for the server: reactorium approve {path} FINGERPRINT")
    _say(f"fingerprint {request.fingerprint}")


def approve(settings: Settings, source: str, fingerprint: str) -> None:
    """Let a node in, and write NAME.bundle here. Raises StartError, ConfigurationError."""
    request = _read_request(source)
    if fingerprint.lower() != request.fingerprint:
        raise ConfigurationError(
            f"{source} is {request.name}, {request.role}, with the fingerprint {request.fingerprint}, "
            f"not {fingerprint}: compare with what the node shows, and let in nobody else"
        )
    path = _pack(request.name, _let_in(settings, request))
    _say(f"{request.name} is let in as {request.role}; {path.absolute()} is for the node: reactorium join {path.name}")


def bundle(settings: Settings, source: str) -> None:
    """Make keys and bundle of a node for its reactor's file. Raises StartError, ConfigurationError."""
    file = Path(source)
    name = reactor_file.load(file, settings, driver_class).name
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        request = _request(folder, name, "reactor")
        content = _let_in(settings, request)
        content |= {secret: (folder / secret).read_bytes() for secret in ("key", "gateway.key")}
        path = _pack(name, content | {REACTOR: file.read_bytes()})
    _say(f"{name} is let in; {path.absolute()} is for the node: reactorium join {path.name}")
    _say("It holds the node's secret keys: delete it here, and there when it has joined.")


def join(settings: Settings, source: str) -> None:
    """Take over a bundle: certificates into the state folder, settings into .env here, the reactor's file beside it.

    Raises StartError, ConfigurationError.
    """
    content = _unpack(source)
    text = io.StringIO(content.pop(ENV, b"").decode("utf-8", "replace"))
    env = dotenv.dotenv_values(stream=text, interpolate=False)
    name, role = env.pop("NAME", None) or "", env.pop("ROLE", None) or ""
    folder = _own_folder(settings, name, role)
    own = _key_of(role)
    if not ((folder / own).exists() or own in content):
        raise ConfigurationError(f"{source} is for {name}, whose keys are not in {folder}: reactorium enrol makes them")
    if REACTOR in content:
        path = Path(f"{name}.toml").absolute()
        _write(path, content.pop(REACTOR))
        files = dict.fromkeys([*settings.reactor_file, path])  # a board may have several reactors
        env[f"{PREFIX}REACTOR_FILE"] = os.pathsep.join(map(str, files))
    for member, data in content.items():
        _write(folder / member, data)
    for variable, value in env.items():
        dotenv.set_key(".env", variable, value or "", quote_mode="always")
    _say(f"this is {name}, {role}: {Path('.env').absolute()} and {folder} are ready; reactorium check tries them")


def nodes(settings: Settings) -> int:
    """Show who may speak; returns 1 when a file of the allow-list is none."""
    allowed, faults = read_allow_list(keyring.allow_folder(settings))
    for peer in sorted(allowed.to_message().peers, key=lambda peer: peer.name):
        known = allowed.peer_of(peer.key)
        through = "gateway" if known is not None and known.certificate else "-"
        _say(f"{peer.name:<32} {peer.role:<12} {through:<8} {peer.key}")
    for fault in faults:
        _say(f"WRONG {fault}")
    return min(len(faults), 1)


def revoke(settings: Settings, name: str) -> None:
    """Let a peer in no more. Raises ConfigurationError when there is none of that name."""
    path = keyring.allow_folder(settings) / f"{name}.toml"
    if not is_name(name) or not path.exists():
        raise ConfigurationError(f"there is no {name} in {path.parent}: reactorium nodes shows who is")
    try:
        path.unlink()
    except OSError as error:
        raise StartError(f"{path} cannot be removed: {error.strerror}") from error
    _say(f"{name} is let in no more")


def _own_folder(settings: Settings, name: str, role: str) -> Path:
    """Where a node keeps its keys. Raises ConfigurationError for what is no name or role."""
    if not is_name(name):
        raise ConfigurationError(f"{name!r} is no name: a-z, then up to 31 of a-z 0-9 _ -")
    match role:
        case "reactor":
            folder = keyring.reactor_folder(settings, name)
        case "manager":
            folder = keyring.host_key_file(settings).parent
        case _:
            raise ConfigurationError(f"{role!r} is no role of a node: reactor, manager")
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise StartError(f"the folder {folder} cannot be made: {error.strerror}") from error
    return folder


def _key_of(role: str) -> str:
    """Name the file of a node's key in its folder."""
    return keyring.HOST if role == "manager" else "key"


def _request(folder: Path, name: str, role: str) -> Request:
    try:
        keys = load_or_make(folder / _key_of(role))
    except KeyFileError as error:
        raise StartError(str(error)) from error
    asked = certificates.request(name, certificates.load_or_make_key(folder / "gateway.key"))
    return msgspec.convert(
        {"name": name, "role": role, "public_key": keys.public, "certificate_request": asked.decode()}, Request
    )


def _written(request: Request) -> bytes:
    lines = [f"{key} = {value!r}" for key, value in msgspec.to_builtins(request).items() if "\n" not in value]
    return "\n".join([*lines, f"certificate_request = '''\n{request.certificate_request}'''\n"]).encode()


def _read_request(source: str) -> Request:
    try:
        request = msgspec.toml.decode(_read(source), type=Request)
        request.fingerprint  # noqa: B018 - whether its second key is one
    except ValueError as error:  # msgspec's, tomllib's, the text codec's and ours
        raise ConfigurationError(f"{source} is no request of a node: {error}") from error
    return request


def _let_in(settings: Settings, request: Request) -> dict[str, bytes]:
    """Write the peer's file; returns what its bundle holds."""
    allow = keyring.allow_folder(settings)
    env = {
        "NAME": request.name,
        "ROLE": request.role,
        f"{PREFIX}COORDINATOR": keyring.coordinator_endpoint(settings),
        f"{PREFIX}COORDINATOR_KEY": keyring.coordinator_key(settings),
    }
    content: dict[str, bytes] = {}
    serial = ""
    if settings.gateway_port is not None:
        public = certificates.requested(request.certificate_request.encode())
        issued = certificates.issue(certificates.folder(settings), request.name, public)
        serial = issued.serial
        env[f"{PREFIX}GATEWAY"] = f"https://{settings.bind}:{settings.gateway_port}"
        content = {"gateway.crt": issued.certificate, "gateway-ca.crt": issued.authority}
    _see_that_it_is_new(allow, request)
    try:
        write_peer(allow, Peer(request.name, request.role, request.public_key, serial))
    except KeyFileError as error:
        raise StartError(str(error)) from error
    return content | {ENV: "".join(f"{name}={value}\n" for name, value in env.items()).encode()}


def _see_that_it_is_new(allow: Path, request: Request) -> None:
    """Give nobody another one's name: a peer comes back with the key that it had, or is revoked first."""
    peers, _ = read_allow_list(allow)
    for peer in peers.to_message().peers:
        if peer.name == request.name and peer.key != request.public_key:
            raise ConfigurationError(f"{peer.name} is let in with another key: reactorium revoke {peer.name} first")


def _pack(name: str, content: Mapping[str, bytes]) -> Path:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for member, data in content.items():
            info = tarfile.TarInfo(member)
            info.size, info.mode = len(data), 0o600
            tar.addfile(info, io.BytesIO(data))
    path = Path(f"{name}.bundle")
    _write(path, packed.getvalue())
    return path


def _unpack(source: str) -> dict[str, bytes]:
    """Read a bundle, whose members are files of ours and nothing else. Raises ConfigurationError, StartError."""
    content = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(_read(source)), mode="r:") as tar:
            for member in tar:
                file = tar.extractfile(member) if member.isreg() else None
                if file is None or member.name not in {ENV, REACTOR, *IN_FOLDER}:
                    raise ConfigurationError(f"{source} holds {member.name!r}, which is nothing of a bundle's")
                content[member.name] = file.read()
    except tarfile.TarError as error:
        raise ConfigurationError(f"{source} is no bundle: {error}") from error
    return content


def _read(source: str) -> bytes:
    try:
        if source == HERE:
            content = sys.stdin.buffer.read(LARGEST + 1)
        else:
            with Path(source).open("rb") as file:
                content = file.read(LARGEST + 1)
    except OSError as error:
        raise StartError(f"{source} cannot be read: {error.strerror}") from error
    if len(content) > LARGEST:
        raise ConfigurationError(f"{source} is larger than {LARGEST >> 20} MiB")
    return content


def _write(path: Path, content: bytes) -> None:
    try:
        certificates.write(path, content)
    except OSError as error:
        raise StartError(f"{path} cannot be written: {error.strerror}") from error


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
