"""Which cluster this is."""

from novita_operator.cluster.connection import Connection


async def cluster_id(connection: Connection) -> str:
    """UID of the namespace `kube-system`: the one thing every cluster has for life, and none shares.

    Raises:
        ClusterError: it could not be read.
    """
    namespace = await connection.get("/api/v1/namespaces/kube-system")
    uid: str = namespace["metadata"]["uid"]
    return uid
