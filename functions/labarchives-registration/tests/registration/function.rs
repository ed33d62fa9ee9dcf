//! The program itself, as Lambda starts it.

use std::process::Stdio;

use tokio::process::Command;

#[tokio::test]
async fn it_does_not_start_without_its_settings() {
    let mut program = Command::new(env!("CARGO_BIN_EXE_labarchives-registration"));
    program
        .env_clear()
        .kill_on_drop(true)
        .stdin(Stdio::null())
        .env("LABARCHIVES_URL", "http://labarchives.example.org");
    let output = program.output().await.unwrap();
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stderr);
    for name in
        ["LABARCHIVES_URL must begin with https://", "LABARCHIVES_AKID is not set", "REGISTRATION_URL is not set"]
    {
        assert!(said.contains(name), "{said}");
    }
}
