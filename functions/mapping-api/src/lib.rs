//! The HTTP API: who is NEMO user 12345?
