"""The Grafana boards, one module each; `docs/generate.py` prints them as JSON for the chart."""
