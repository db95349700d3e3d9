"""Which schema of the resource the API server serves; read as kubectl reads it, which needs no right of its own."""

from novita_operator.cluster.connection import Connection, Json
from novita_operator.model.resource import GROUP, KIND, VERSION

_DOCUMENT = f"/openapi/v3/apis/{GROUP}/{VERSION}"


async def served_schema(connection: Connection) -> Json:
    """The object's schema in the API server's OpenAPI.

    Raises:
        Gone: the resource is not served.
    """
    document = await connection.get(_DOCUMENT)
    kinds: dict[str, Json] = document["components"]["schemas"]
    return next(schema for name, schema in kinds.items() if name.endswith(f".{VERSION}.{KIND}"))
