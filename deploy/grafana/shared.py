"""The SQL that several dashboards and alert rules share. Tables and columns: docs/database.md.

"Now" is the end of the shown span, so that a dashboard that is set back shows what was so then.
"""

# A live reading is renewed every 5 s: what is older than two minutes comes from something that is away.
RECENT = "ts BETWEEN dateadd('m', -2, $__timeTo()) AND $__timeTo()"
NEWEST = f"""
    SELECT * FROM readings
    WHERE {RECENT}
    LATEST ON ts PARTITION BY reactor, sensor, quantity
"""

# Managers report as sensor `self` too: this only reactors have there.
IS_REACTOR = "sensor = 'self' AND quantity = 'waiting'"

# Which reactors there are: those that kept something within the span.
KNOWN = f"""
    SELECT DISTINCT reactor FROM samples
    WHERE $__timeFilter(ts) AND {IS_REACTOR}
"""

# What every sensor's sample interval is, in seconds.
WIRED = """
    SELECT reactor, name, json_extract(descriptor, '$.sample_interval')::double AS every
    FROM inventory
    WHERE ts <= $__timeTo()
    LATEST ON ts PARTITION BY reactor, name
"""

# The tables that count their rows, and what a series of numbers is in each, beside reactor and spool.
NUMBERED = {
    "samples": ("sensor", "quantity"),
    "events": ("source", "kind"),
    "settings": ("device", "setting", "state"),
}


def numbers(from_table: str, where: str = "true") -> str:
    """Count what each series has of its numbers: they go up by one, so a hole is a lost row. docs/database.md."""
    keys = ", ".join(("reactor", *NUMBERED[from_table], "spool"))
    return f"""
        SELECT {keys}, count() AS rows,
               max(seq) - min(seq) + 1 - count_distinct(seq) AS missing,
               count() - count_distinct(seq) AS twice,
               min(ts) AS first, max(ts) AS last
        FROM {from_table}
        WHERE $__timeFilter(ts) AND {where}
        GROUP BY {keys}
    """


def of_all(column: str, where: str = "true") -> str:
    """One column of `numbers`, with the reactor, from every table that counts."""
    return "\nUNION ALL\n".join(f"SELECT reactor, {column} FROM ({numbers(table, where)})" for table in NUMBERED)


def own(quantity: str) -> str:
    """Where the reactors' own numbers of this quantity are."""
    return f"sensor = 'self' AND quantity = '{quantity}'"


def newest(*quantities: str) -> str:
    """Pick some of a process's own numbers from its newest readings, as aggregates."""
    return ",\n".join(f"max(CASE WHEN {own(quantity)} THEN value END) AS {quantity}" for quantity in quantities)
