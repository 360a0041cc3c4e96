//! Builds, caches and runs a real Kubernetes control plane.
