"""Key files and the allow-list's folder."""

import os
import stat
import threading
from pathlib import Path

import pytest
import zmq
from hypothesis import given
from hypothesis import strategies as st

from tests.transport.world import make_keys
from transport.errors import KeyFileError
from transport.keys import AllowList, KeyPair, Peer, load_or_make, read_allow_list, write_peer


def test_a_key_is_made_once_and_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "self.secret"
    made = load_or_make(path)
    assert load_or_make(path) == made
    assert stat.S_IMODE(path.stat().st_mode) == 0o400
    assert zmq.curve_public(made.secret.encode()).decode() == made.public
    assert [file.name for file in tmp_path.iterdir()] == ["self.secret"]


def test_no_representation_shows_the_secret(tmp_path: Path) -> None:
    made = load_or_make(tmp_path / "k")
    assert made.secret not in f"{made} {made!r}"
    assert made.public in repr(made)


@pytest.mark.parametrize("mode", [0o440, 0o404, 0o410, 0o644])
def test_a_key_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "k"
    load_or_make(path)
    path.chmod(mode)
    with pytest.raises(KeyFileError, match=rf"others than its owner may read it \(mode {mode:o}, must be 400\)"):
        load_or_make(path)


@pytest.mark.parametrize("content", [b"", b"short", b"x" * 41, b"\xff" * 40, b"~" * 40, b"#" * 40])
def test_a_file_without_a_key_is_refused_and_not_quoted(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "k"
    path.write_bytes(content)
    path.chmod(0o400)
    with pytest.raises(KeyFileError, match="no key of 40 Z85 characters") as caught:
        load_or_make(path)
    assert not content or content.decode("latin-1") not in str(caught.value)


def test_a_folder_that_is_none_is_named(tmp_path: Path) -> None:
    with pytest.raises(KeyFileError, match="nowhere/k: No such file or directory"):
        load_or_make(tmp_path / "nowhere" / "k")


def test_two_starts_at_once_agree_on_one_key(tmp_path: Path) -> None:
    made: list[KeyPair] = []
    barrier = threading.Barrier(8)

    def start() -> None:
        barrier.wait()
        made.append(load_or_make(tmp_path / "k"))

    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 8
    assert len(set(made)) == 1
    assert [file.name for file in tmp_path.iterdir()] == ["k"]


def test_a_start_cut_short_leaves_no_half_a_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_space(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", no_space)
    with pytest.raises(KeyFileError, match="No space left"):
        load_or_make(tmp_path / "k")
    assert list(tmp_path.iterdir()) == []


def test_a_peer_written_is_a_peer_read(tmp_path: Path) -> None:
    peers = [Peer("tank-1", "reactor", make_keys().public), Peer("host-1", "manager", make_keys().public)]
    for peer in peers:
        write_peer(tmp_path, peer)
    found, faults = read_allow_list(tmp_path)
    assert faults == []
    assert len(found) == 2
    assert [found.peer_of(peer.key) for peer in peers] == peers
    assert found.peer_of(make_keys().public) is None


def test_a_bad_file_is_named_and_the_others_count(tmp_path: Path) -> None:
    good = Peer("tank-1", "reactor", make_keys().public)
    write_peer(tmp_path, good)
    write_peer(tmp_path, Peer("tank-2", "reactor", good.key))
    files = {
        "Upper.toml": b"role = 'reactor'",
        "broken.toml": b"role = ",
        "bytes.toml": b"\xff\xfe",
        "king.toml": b"role = 'king'\npublic_key = '" + b"0" * 40 + b"'",
        "short.toml": b"role = 'reactor'\npublic_key = '123'",
        "more.toml": b"role = 'reactor'\npublic_key = '" + b"0" * 40 + b"'\nname = 'x'",
        "less.toml": b"role = 'reactor'",
        "note.txt": b"not looked at",
    }
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "folder.toml").mkdir()
    found, faults = read_allow_list(tmp_path)
    assert found.to_message().peers == AllowList([good]).to_message().peers
    assert len(faults) == 9
    text = "\n".join(faults)
    for expected in (
        "Upper.toml: the file's name must be a-z",
        "broken.toml: ",
        "bytes.toml: ",
        "folder.toml: Is a directory",
        "king.toml: Invalid enum value 'king' - at `$.role`",
        "short.toml: Expected `str` matching regex",
        "more.toml: Object contains unknown field `name`",
        "less.toml: Object missing required field `public_key`",
        "tank-2.toml: the same key as tank-1",
    ):
        assert expected in text
    assert all(fault.count("\n") == 0 for fault in faults)


def test_a_folder_that_cannot_be_read_lets_nobody_in(tmp_path: Path) -> None:
    found, faults = read_allow_list(tmp_path / "nowhere")
    assert len(found) == 0
    assert faults == [f"{tmp_path}/nowhere: No such file or directory"]


def test_an_unwritable_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(KeyFileError, match=r"nowhere/tank-1\.toml: No such file"):
        write_peer(tmp_path / "nowhere", Peer("tank-1", "reactor", "0" * 40))


PEERS = st.lists(
    st.builds(
        Peer,
        st.sampled_from(["a", "b"]),
        st.sampled_from(["reactor", "operator"]),
        st.integers(0, 5).map("{:040}".format),
    ),
    unique_by=lambda peer: peer.key,
)


@given(PEERS, PEERS)
def test_the_version_tells_lists_apart_and_no_order(one: list[Peer], other: list[Peer]) -> None:
    same = set(one) == set(other)
    assert (AllowList(one).version == AllowList(other).version) is same
    assert AllowList(reversed(one)).version == AllowList(one).version


@given(PEERS)
def test_a_list_survives_the_wire(peers: list[Peer]) -> None:
    sent = AllowList(peers)
    taken = AllowList.from_message(sent.to_message())
    assert taken.version == sent.version == sent.to_message().version
    assert [taken.peer_of(peer.key) for peer in peers] == peers
