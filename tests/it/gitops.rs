//! What tools that apply manifests make of our objects: kstatus (Helm, Flux), Argo CD, `kubectl diff` and `--prune`.

mod apply;
mod argocd;
mod helm;
mod kstatus;
mod states;
