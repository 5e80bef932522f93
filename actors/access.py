"""How a process reaches the database: with a password where it listens, or through a gateway with a certificate."""

from actors.config import DatabaseLogin, GatewayLogin, Login
from storage.questdb import QuestDB


def reach(address: str, login: Login, timeout: float = 5.0) -> QuestDB:
    """Make a client of the database at `address`, which a gateway has in its stead; opens nothing yet.

    Raises `OSError` when a certificate's file cannot be read.
    """
    match login:
        case DatabaseLogin(user, password):
            return QuestDB(address, user, password, timeout)
        case GatewayLogin(gateway, certificates):
            return QuestDB(gateway, timeout=timeout, certificates=certificates)
