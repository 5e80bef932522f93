"""Which files are made, and what is in each."""

from collections.abc import Callable
from pathlib import Path

from grafana_foundation_sdk.builders import dashboard as dashboards
from grafana_foundation_sdk.cog.encoder import JSONEncoder

from deploy.grafana import alerts
from deploy.grafana.completeness import completeness
from deploy.grafana.fleet import fleet
from deploy.grafana.reactor import reactor
from deploy.grafana.system import system

HERE = Path(__file__).parent

# A new dashboard: a module beside these, and a line here.
DASHBOARDS: dict[str, Callable[[], dashboards.Dashboard]] = {
    "fleet": fleet,
    "reactor": reactor,
    "completeness": completeness,
    "system": system,
}


def made() -> dict[Path, str]:
    """Make all files: path and content of each. The same each time."""
    encode = JSONEncoder(indent=2, ensure_ascii=False).encode
    files = {HERE / "dashboards" / f"{name}.json": encode(_numbered(build())) for name, build in DASHBOARDS.items()}
    files[HERE / "provisioning" / "alerting" / "reactorium.json"] = encode(alerts.provisioned())
    return {path: content + "\n" for path, content in files.items()}


def _numbered(dashboard: dashboards.Dashboard) -> object:
    """Number the panels: Grafana wants them told apart."""
    built = dashboard.build()
    for number, panel in enumerate(built.panels or [], start=1):
        panel.id_val = number
    return built
