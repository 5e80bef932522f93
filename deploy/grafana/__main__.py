"""`python -m deploy.grafana`: make the files again."""

from deploy.grafana.files import made

for path, content in made().items():
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="utf-8")
