"""A calibration as strings of at most 12 characters, for another circuit to import.

What real strings hold no source says: these are the points as JSON in hexadecimal behind their own length.
"""

import msgspec

from hardware.vessel.circuits.calibration import Point

LONGEST = 12
LENGTH_DIGITS = 4


def strings(points: dict[str, Point]) -> list[str]:
    """Spell the points."""
    body = msgspec.json.encode(points).hex()
    text = f"{len(body):0{LENGTH_DIGITS}x}{body}"
    return [text[start : start + LONGEST] for start in range(0, len(text), LONGEST)]


def points(text: str) -> dict[str, Point] | None:
    """Read the points once all strings are there; none before, and none for what is no export."""
    try:
        length = int(text[:LENGTH_DIGITS], 16)
        body = bytes.fromhex(text[LENGTH_DIGITS:]) if len(text) == LENGTH_DIGITS + length else b""
        return msgspec.json.decode(body, type=dict[str, Point]) if body else None
    except ValueError:  # msgspec's errors are ValueErrors too
        return None
