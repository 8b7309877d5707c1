//! Keys, signatures and signed statements; touches neither disk nor network.
//!
//! ECDSA over P-256 with SHA-256 in the forms that cosign and containers' policies know.
