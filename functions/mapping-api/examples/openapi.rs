//! Prints the API's description: `cargo run -p crosswalk-mapping-api --example openapi > functions/mapping-api/openapi.json`.

fn main() -> serde_json::Result<()> {
    println!("{}", serde_json::to_string_pretty(&crosswalk_mapping_api::openapi())?);
    Ok(())
}
