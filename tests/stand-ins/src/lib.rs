//! Stand-ins for outside systems, for tests and the demo. They are not the systems: each says what it checks.
