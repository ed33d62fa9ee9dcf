//! From events to runs.
