//! `weir openapi`.

use std::io::Write;

/// Prints the contract as `docs/openapi.json` holds it.
pub(crate) fn print() -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(weir_origin::http::openapi::document_json().as_bytes())?;
    Ok(())
}
