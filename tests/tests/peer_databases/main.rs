//! People are read from a real PostgreSQL and a real MariaDB (`tests/peers/run databases`).
