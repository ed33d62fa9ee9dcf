//! Accounts are written to a real PostgreSQL, and Invenio's own models read them (`tests/peers/run invenio`).
