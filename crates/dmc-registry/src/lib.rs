//! Images and what is attached to them, to and from a registry.
//!
//! Speaks the OCI distribution protocol 1.1. Bytes go out as they were hashed, and what comes in
//! is checked against the digest by which it was asked for. Credentials are given to the host
//! that they are for, and to the https token service that it names, and to nobody else.
