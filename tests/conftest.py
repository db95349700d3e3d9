from hypothesis import settings

from controlplane.fixtures import namespace, plane

settings.register_profile("whole", deadline=None)  # a busy machine is no finding
settings.register_profile("fast", max_examples=10, deadline=None)
settings.load_profile("whole")

__all__ = ["namespace", "plane"]
