"""Grafana's dashboards and alert rules, made by `python -m deploy.grafana`. docs/grafana.md."""
