//! Which vulnerabilities that Debian's security tracker knows concern an image, and which do not.
//!
//! Touches neither disk nor network.
