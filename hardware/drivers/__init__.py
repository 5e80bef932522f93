"""The drivers that come with Reactorium, one a file, registered in pyproject.toml as others register theirs."""
