//! The signature over a handshake: checked the same way whichever side shows the certificate (RFC 8446 §4.4.3, RFC 5246 §7.4.8).

/// The three methods that the verifiers of both sides have word for word, by the algorithms of a [`CryptoProvider`](rustls::crypto::CryptoProvider).
/// A macro, since the two traits share no parent that could carry them.
macro_rules! checks_signatures {
    ($self:ident by $provider:expr) => {
        checks_signatures!($self by $provider, verify_tls12_signature);
        checks_signatures!($self by $provider, verify_tls13_signature);

        fn supported_verify_schemes(&$self) -> Vec<rustls::SignatureScheme> {
            $provider.signature_verification_algorithms.supported_schemes()
        }
    };
    ($self:ident by $provider:expr, $verify:ident) => {
        fn $verify(
            &$self,
            message: &[u8],
            certificate: &rustls_pki_types::CertificateDer<'_>,
            signature: &rustls::DigitallySignedStruct,
        ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
            let algorithms = &$provider.signature_verification_algorithms;
            rustls::crypto::$verify(message, certificate, signature, algorithms)
        }
    };
}

pub(crate) use checks_signatures;
