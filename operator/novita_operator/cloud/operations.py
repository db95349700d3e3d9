"""What can be asked of Novita: the operation as metrics name it, and the lane in which it waits and breaks."""

from enum import Enum, IntEnum


class Lane(IntEnum):
    """Operation classes; a place in the budget goes to the lowest first, and each has a breaker of its own."""

    DELETE = 0
    STOP = 1
    LIST = 2
    CREATE = 3
    START = 4
    PRICES = 5


class Operation(Enum):
    """One of Novita's calls."""

    DELETE = "delete", Lane.DELETE
    STOP = "stop", Lane.STOP
    LIST = "list", Lane.LIST
    GET = "get", Lane.LIST
    CREATE = "create", Lane.CREATE
    START = "start", Lane.START
    RESTART = "restart", Lane.START
    CLUSTERS = "clusters", Lane.PRICES
    PRODUCTS = "products", Lane.PRICES
    TEMPLATE = "template", Lane.PRICES
    CREDENTIALS = "credentials", Lane.PRICES

    @property
    def label(self) -> str:
        return self.value[0]

    @property
    def lane(self) -> Lane:
        return self.value[1]
