"""The durable spool and the database: schema, ingest, one function a query."""
