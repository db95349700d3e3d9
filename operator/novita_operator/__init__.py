"""A Kubernetes operator for GPU instances at Novita.ai."""
