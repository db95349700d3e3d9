from component.cluster_fixtures import connection, crd, operator_kubeconfig
from component.operator_fixtures import cluster, home, novita, running_operator, start_operator

__all__ = [
    "cluster",
    "connection",
    "crd",
    "home",
    "novita",
    "operator_kubeconfig",
    "running_operator",
    "start_operator",
]
