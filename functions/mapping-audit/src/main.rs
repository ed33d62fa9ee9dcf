//! Wires the function.

fn main() -> anyhow::Result<()> {
    anyhow::bail!("this function is not built yet")
}
