//! Whom a connection trusts to vouch for the server.

use std::sync::Arc;

use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

use super::settings::CA_PEM;

/// Trusts the certificates of `LDAP_CA_PEM` alone. Its lines may be separated by `\n` written out, as where a variable
/// cannot hold several lines; neither PEM nor base64 has a backslash.
///
/// # Errors
/// What is wrong with it.
pub(super) fn trusting(pem: &str) -> Result<Arc<ClientConfig>, String> {
    let name = CA_PEM.name;
    let pem = pem.replace("\\n", "\n");
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
        let certificate = certificate.map_err(|_| format!("{name} is no PEM: a certificate in it is broken"))?;
        roots.add(certificate).map_err(|_| format!("{name} holds a certificate that cannot be an authority's"))?;
    }
    if roots.is_empty() {
        return Err(format!("{name} holds no certificate: it begins with -----BEGIN CERTIFICATE-----"));
    }
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| format!("TLS cannot be used: {error}"))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

/// The LDAP client makes its own configuration with the system's authorities, and takes the process's provider of
/// cryptography for it: without one it would panic where two are built in.
pub(super) fn provide() {
    if CryptoProvider::get_default().is_none() {
        // Another thread may have been faster; then that one does.
        let _ = aws_lc_rs::default_provider().install_default();
    }
}
