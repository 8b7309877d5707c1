//! What an image is made of, as documents: SPDX, CycloneDX, SLSA provenance, and licences.
//!
//! Touches neither disk nor network; the same image gives the same bytes.
