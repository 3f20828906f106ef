"""PostgreSQL, Valkey and Caddy from wheels, and `up`: everything on one machine. Plain Python, no Django."""
