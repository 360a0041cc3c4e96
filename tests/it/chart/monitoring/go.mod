// For its CRDs (example/prometheus-operator-crd) only: nothing of it is built.
module idp-operator.dev/monitoring

go 1.26.0

require github.com/prometheus-operator/prometheus-operator v0.85.0
