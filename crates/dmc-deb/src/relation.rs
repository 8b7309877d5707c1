//! Relations
