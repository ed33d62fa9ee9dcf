//! An axum router behind an API Gateway HTTP API with payload v2.
