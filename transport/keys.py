"""CURVE keys and the list of those that may speak.

A key is written as Z85 text of 40 characters (ZeroMQ RFC 32). A secret stands in its file alone: never in a log, a
URL, an environment or a process list. Callable from any thread.
"""

import hashlib
import os
import secrets
import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import zmq

from hardware.values import is_name
from transport import messages
from transport.errors import KeyFileError
from transport.messages import Allowed, PublicKey, Role, line

KEY_LENGTH = 40


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A public key and its secret, which no representation shows."""

    public: str
    secret: str = field(repr=False)


def load_or_make(path: Path) -> KeyPair:
    """Read the secret key in `path`; make one, readable by its owner alone, when there is none.

    The file holds the secret; the public key is computed from it. A start that is cut short leaves no half a file.

    Raises:
        KeyFileError: the file is readable by others, no key, or cannot be made.
    """
    try:
        if not path.exists():
            _make(path)
        return _load(path)
    except OSError as error:
        raise KeyFileError(f"{path}: {error.strerror}") from None


def _make(path: Path) -> None:
    _, secret = zmq.curve_keypair()
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o400)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(secret + b"\n")
            file.flush()
            os.fsync(file.fileno())
        os.link(temporary, path)  # unlike rename it never replaces a key that another start has just made
    except FileExistsError:
        pass
    finally:
        temporary.unlink()


def _load(path: Path) -> KeyPair:
    with path.open("rb") as file:
        mode = os.fstat(file.fileno()).st_mode
        if stat.S_IMODE(mode) & 0o077:
            raise KeyFileError(f"{path}: others than its owner may read it (mode {stat.S_IMODE(mode):o}, must be 400)")
        secret = file.read(KEY_LENGTH + 2).strip()
    try:
        public = zmq.curve_public(secret)
    except (ValueError, zmq.ZMQError):
        raise KeyFileError(f"{path}: no key of {KEY_LENGTH} Z85 characters") from None
    return KeyPair(public.decode(), secret.decode())


@dataclass(frozen=True, slots=True)
class Peer:
    """Who a key is. What a peer says of itself counts for nothing."""

    name: str
    role: Role
    key: str
    certificate: str = ""  # serial number of its certificate for the gateway, hexadecimal; empty when it has none


class PeerFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One file of the allow-list's folder, `NAME.toml`."""

    role: Role
    public_key: PublicKey
    certificate: str = ""


class AllowList:
    """Every key that may speak. Immutable: a change is another list, swapped for this one in one assignment."""

    def __init__(self, peers: Iterable[Peer] = ()) -> None:
        self._peers: Mapping[str, Peer] = {peer.key: peer for peer in peers}
        self.version = _digest(self._peers.values())

    def __len__(self) -> int:
        return len(self._peers)

    def peer_of(self, key: str) -> Peer | None:
        """Tell whose key this is; none, when nobody's."""
        return self._peers.get(key)

    def to_message(self) -> messages.AllowList:
        """Make what a coordinator tells its managers."""
        allowed = [Allowed(peer.key, peer.name, peer.role) for peer in self._peers.values()]
        return messages.AllowList(version=self.version, peers=allowed)

    @classmethod
    def from_message(cls, message: messages.AllowList) -> "AllowList":
        """Take over what the coordinator said; the version is computed anew from the content."""
        return cls(Peer(allowed.name, allowed.role, allowed.key) for allowed in message.peers)


def _digest(peers: Iterable[Peer]) -> str:
    lines = sorted(f"{peer.key} {peer.name} {peer.role}\n" for peer in peers)
    return hashlib.sha256("".join(lines).encode()).hexdigest()[:32]


def read_allow_list(folder: Path) -> tuple[AllowList, list[str]]:
    """Read the folder's `NAME.toml` files: the list of the good ones, and one line for each bad one.

    A folder that cannot be read gives an empty list: nobody may speak.
    """
    peers: dict[str, Peer] = {}
    faults = []
    try:
        paths = sorted(path for path in folder.iterdir() if path.suffix == ".toml")
    except OSError as error:
        return AllowList(), [f"{folder}: {error.strerror}"]
    for path in paths:
        try:
            peer = read_peer(path)
        except KeyFileError as error:
            faults.append(f"{path}: {error}")
            continue
        first = peers.setdefault(peer.key, peer)
        if first is not peer:
            faults.append(f"{path}: the same key as {first.name}")
    return AllowList(peers.values()), faults


def read_peer(path: Path) -> Peer:
    """Read one peer's file, `NAME.toml`. Raises `KeyFileError`."""
    if not is_name(path.stem):
        raise KeyFileError("the file's name must be a-z, then up to 31 of a-z 0-9 _ -")
    try:
        found = msgspec.toml.decode(path.read_bytes(), type=PeerFile)
    except OSError as error:
        raise KeyFileError(error.strerror or "cannot be read") from None
    except ValueError as error:  # msgspec's, tomllib's and the text codec's errors
        raise KeyFileError(line(str(error))) from None
    return Peer(path.stem, found.role, found.public_key, found.certificate)


def write_peer(folder: Path, peer: Peer) -> None:
    """Let a peer in: write its file, whole or not at all, unless it is there.

    Raises:
        KeyFileError: the folder cannot be written.
    """
    path = folder / f"{peer.name}.toml"
    temporary = folder / f".{peer.name}.{secrets.token_hex(8)}"
    certificate = f"certificate = '{peer.certificate}'\n" if peer.certificate else ""
    text = f"role = '{peer.role}'\npublic_key = '{peer.key}'\n{certificate}"
    try:
        if path.exists() and path.read_text(encoding="utf-8", errors="replace") == text:
            return
        temporary.write_text(text, encoding="ascii")
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise KeyFileError(f"{path}: {error.strerror}") from None
