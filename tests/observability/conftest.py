from component.cluster_fixtures import crd
from component.operator_fixtures import cluster, home, novita, start_operator

__all__ = ["cluster", "crd", "home", "novita", "start_operator"]
