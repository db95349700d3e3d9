from component.cluster_fixtures import connection, crd, operator_kubeconfig
from component.operator_fixtures import cluster, home, novita, running_operator, start_operator
from component.operator_parts import parts_kubeconfig, start_parts, still_novita

__all__ = [
    "cluster",
    "connection",
    "crd",
    "home",
    "novita",
    "operator_kubeconfig",
    "parts_kubeconfig",
    "running_operator",
    "start_operator",
    "start_parts",
    "still_novita",
]
