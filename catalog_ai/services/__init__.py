"""One file per use case: the only place that knows both the core and the database."""
