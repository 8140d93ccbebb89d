"""The laptop mode: PostgreSQL, Redis, API and worker, started and supervised in one data directory."""
