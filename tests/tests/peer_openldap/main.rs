//! People are read from a real OpenLDAP (`tests/peers/run openldap`).
