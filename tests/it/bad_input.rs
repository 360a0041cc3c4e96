//! Wrong manifests: refused by the API server, or answered in status.
