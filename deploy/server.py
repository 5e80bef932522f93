"""The server's processes: coordinator, managers, the local QuestDB."""

from deploy import logins, process, questdb
from deploy.errors import ConfigurationError, StartError
from deploy.folders import Folder
from deploy.questdb import QuestDBConfig, QuestDBUnavailable
from deploy.settings import PREFIX, Settings


def run_questdb(settings: Settings) -> None:
    """Become the local QuestDB server, which is fetched first when it was never here."""
    if settings.questdb_url is not None:
        raise ConfigurationError(f"{PREFIX}QUESTDB_URL names another server: there is no local one to run")
    process.begin(settings, "questdb")
    folder = Folder(settings.state_dir / "questdb")
    try:
        config = QuestDBConfig(
            root=folder.path,
            cache=settings.cache_dir,
            http_port=settings.questdb_http_port,
            pg_port=settings.questdb_pg_port,
            health_port=settings.questdb_health_port,
            logins=logins.make(settings),
        )
        jar = questdb.install(settings.cache_dir)
        folder.keep()  # the server has the lock from here on
        questdb.exec_server(config, jar)
    except QuestDBUnavailable as error:
        raise StartError(str(error)) from error
