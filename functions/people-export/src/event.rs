//! What starts a run.
