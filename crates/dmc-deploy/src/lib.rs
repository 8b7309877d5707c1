//! An image to a Kubernetes cluster, with no more rights than it needs.
