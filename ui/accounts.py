"""Who may come in: people with passwords and sessions, programs with tokens. One file, its owner's alone.

Passwords are kept as scrypt hashes, sessions and tokens as digests of random secrets: the file lets nobody in. Two
processes may write it (the server, and `reactorium password`): each change is read, made and written under a lock.
All of it is callable from any thread; `User` and `Token` are what others see of it.
"""

import fcntl
import hashlib
import hmac
import os
import re
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import msgspec
from msgspec.structs import replace

Access = Literal["viewer", "operator"]  # a viewer looks; an operator changes settings, people and tokens
FIRST = "operator"  # who there is after the first start
SESSION_SECONDS = 14 * 86_400
MOST_SESSIONS = 1000
SHORTEST_PASSWORD, LONGEST_PASSWORD = 10, 200
NAME = re.compile(r"[a-z][a-z0-9._-]{0,31}")
ALPHABET = "23456789abcdefghjkmnpqrstuvwxyz"  # no two that look alike
_COST = {"n": 2**14, "r": 8, "p": 1}  # 16 MiB and some 50 ms, OWASP's advice for scrypt


class AccountError(Exception):
    """Something about people or tokens that cannot be done; the text says why."""


class Person(msgspec.Struct, frozen=True):
    """Somebody who logs in, as the file has it."""

    name: str
    access: Access
    salt: bytes
    hash: bytes


class Program(msgspec.Struct, frozen=True):
    """A token, as the file has it."""

    id: str
    name: str
    access: Access
    digest: str
    made: float


class Session(msgspec.Struct, frozen=True):
    """Somebody who is logged in, until then."""

    digest: str
    name: str
    until: float


class Book(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The file."""

    people: dict[str, Person] = {}
    programs: dict[str, Program] = {}
    sessions: dict[str, Session] = {}


class Who(msgspec.Struct, frozen=True):
    """Somebody whose word counts. `session` is empty for a program."""

    name: str
    access: Access
    session: str = ""


class Accounts:
    """The people and programs of one file."""

    def __init__(self, path: Path, now: Callable[[], float] = time.time) -> None:
        """`now` is wall time in seconds."""
        self._path = path
        self._now = now
        self._book = Book()
        self._stamp: tuple[int, int] | None = None
        self._nobody = _person("nobody", "viewer", secrets.token_hex())

    def make_first(self) -> str | None:
        """Let a first person in when there is none: returns the password, which nobody can read again."""
        with self._change() as book:
            if book.people:
                return None
            password = new_password()
            self._save(replace(book, people={FIRST: _person(FIRST, "operator", password)}))
            return password

    # coming in

    def log_in(self, name: str, password: str) -> str | None:
        """Open a session: returns its secret, or none. Takes as long for a name that is nobody's."""
        person = self._read().people.get(name)
        if not _matches(person or self._nobody, password) or person is None:
            return None
        secret = secrets.token_urlsafe(32)
        session = Session(_digest(secret), name, self._now() + SESSION_SECONDS)
        with self._change() as book:
            current = {key: one for key, one in book.sessions.items() if one.until > self._now()}
            kept = dict(list(current.items())[-(MOST_SESSIONS - 1) :])
            self._save(replace(book, sessions={**kept, session.digest: session}))
        return secret

    def who(self, session: str) -> Who | None:
        """Tell whose session this is."""
        book = self._read()
        found = book.sessions.get(_digest(session))
        if found is None or found.until <= self._now() or found.name not in book.people:
            return None
        return Who(found.name, book.people[found.name].access, found.digest)

    def program(self, token: str) -> Who | None:
        """Tell whose token this is."""
        digest = _digest(token)
        found = next((one for one in self._read().programs.values() if hmac.compare_digest(one.digest, digest)), None)
        return None if found is None else Who(found.name, found.access)

    def log_out(self, who: Who) -> None:
        """End a session."""
        with self._change() as book:
            self._save(replace(book, sessions={key: one for key, one in book.sessions.items() if key != who.session}))

    # people and programs

    def people(self) -> list[Person]:
        """Everybody, by name."""
        return sorted(self._read().people.values(), key=lambda person: person.name)

    def programs(self) -> list[Program]:
        """Every token, the oldest first."""
        return sorted(self._read().programs.values(), key=lambda program: program.made)

    def put_person(self, name: str, access: Access, password: str | None) -> None:
        """Let somebody in, or change them; without a password they keep theirs. A new one ends their sessions.

        Raises AccountError: a name or password that is none, or nobody would be left who may change anything.
        """
        if NAME.fullmatch(name) is None:
            raise AccountError("a name is a-z, then up to 31 of a-z 0-9 . _ -")
        if password is not None and not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
            raise AccountError(f"a password has {SHORTEST_PASSWORD} to {LONGEST_PASSWORD} characters")
        made = None if password is None else _person(name, access, password)
        with self._change() as book:
            known = book.people.get(name)
            if made is not None:
                person = made
            elif known is not None:
                person = replace(known, access=access)
            else:
                raise AccountError(f"{name} is new and needs a password")
            sessions = {key: one for key, one in book.sessions.items() if made is None or one.name != name}
            self._save(replace(book, people=_governed({**book.people, name: person}), sessions=sessions))

    def remove_person(self, name: str) -> None:
        """Let somebody in no more. Raises AccountError: unknown, or the last who may change anything."""
        with self._change() as book:
            if name not in book.people:
                raise AccountError(f"there is nobody named {name}")
            people = {key: one for key, one in book.people.items() if key != name}
            sessions = {key: one for key, one in book.sessions.items() if one.name != name}
            self._save(replace(book, people=_governed(people), sessions=sessions))

    def add_program(self, name: str, access: Access) -> tuple[Program, str]:
        """Make a token: returns what is kept of it, and the token, which nobody can read again."""
        if NAME.fullmatch(name) is None:
            raise AccountError("a name is a-z, then up to 31 of a-z 0-9 . _ -")
        token = "rct_" + secrets.token_urlsafe(32)
        program = Program(secrets.token_hex(4), name, access, _digest(token), self._now())
        with self._change() as book:
            self._save(replace(book, programs={**book.programs, program.id: program}))
        return program, token

    def remove_program(self, id_: str) -> None:
        """Make a token worthless. Raises AccountError: unknown."""
        with self._change() as book:
            if id_ not in book.programs:
                raise AccountError("there is no such token")
            self._save(replace(book, programs={key: one for key, one in book.programs.items() if key != id_}))

    # the file

    def _read(self) -> Book:
        """Give what the file says; another process may have changed it."""
        try:
            found = self._path.stat()
        except FileNotFoundError:
            return Book()
        stamp = (found.st_mtime_ns, found.st_ino)
        if stamp != self._stamp:
            try:
                self._book = msgspec.json.decode(self._path.read_bytes(), type=Book)
            except (msgspec.MsgspecError, OSError) as error:
                raise AccountError(f"{self._path} cannot be read: {error}") from error
            self._stamp = stamp
        return self._book

    @contextmanager
    def _change(self) -> Iterator[Book]:
        """Hold the lock, and give what is to be changed."""
        lock = os.open(self._path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield self._read()
        finally:
            os.close(lock)

    def _save(self, book: Book) -> None:
        """Replace the file, whole or not at all."""
        temporary = self._path.with_suffix(".new")
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(msgspec.json.encode(book))
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(self._path)


def new_password() -> str:
    """Make a password that can be read aloud and typed: 16 characters, 79 bits."""
    letters = "".join(secrets.choice(ALPHABET) for _ in range(16))
    return "-".join(letters[at : at + 4] for at in range(0, 16, 4))


def _person(name: str, access: Access, password: str) -> Person:
    salt = secrets.token_bytes(16)
    return Person(name, access, salt, _hash(password, salt))


def _hash(password: str, salt: bytes) -> bytes:
    return hashlib.scrypt(password.encode("utf-8", "surrogatepass"), salt=salt, maxmem=64 << 20, **_COST)


def _matches(person: Person, password: str) -> bool:
    return hmac.compare_digest(_hash(password, person.salt), person.hash)


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def _governed(people: dict[str, Person]) -> dict[str, Person]:
    if not any(person.access == "operator" for person in people.values()):
        raise AccountError("somebody must be left who may change things: an operator")
    return people
