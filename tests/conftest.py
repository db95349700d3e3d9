from controlplane.fixtures import namespace, plane

__all__ = ["namespace", "plane"]
