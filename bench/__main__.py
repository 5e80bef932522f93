"""`python -m bench [NAME ...]`: run all benchmarks, or those that are named, and print one table."""

import os
import sys

from loguru import logger

from bench import changing, moving, pacing, page, shipping, status, tank
from bench.figures import machine, table

BENCHMARKS = {
    "shipping": shipping.run,
    "status": status.run,
    "fleet": pacing.run,
    "reactor": tank.run,
    "manager": moving.run,
    "changes": changing.run,
    "page": page.run,
}


def main(names: list[str]) -> int:
    """Run them; returns 1 when a promise was not kept, 64 for a name that is none."""
    if unknown := set(names) - BENCHMARKS.keys():
        sys.stderr.write(f"no benchmark {', '.join(unknown)}: there are {', '.join(BENCHMARKS)}\n")
        return 64
    logger.disable("actors")  # whose parts we run here; what the real processes say is in their logs
    figures = []
    print(machine())
    for name in names or BENCHMARKS:
        print(f"{name}: load {os.getloadavg()[0]:.1f} before, others' included", flush=True)
        figures += BENCHMARKS[name]()
    print(table(figures))
    return int(any(figure.verdict == "NOT MET" for figure in figures))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
