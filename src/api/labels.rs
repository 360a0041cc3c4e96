//! Labels, annotations and names that the operator writes on its output objects, or reads.

/// Field manager of every write, reporter of every Event.
pub const OPERATOR: &str = "idp-operator";

/// Label `"true"` on each output: the operator made it.
pub const MANAGED: &str = "idp-operator.dev/managed";

/// Annotation on an output Secret: the tenant whose secret it holds.
pub const TENANT_ID: &str = "idp-operator.dev/tenant-id";

/// Annotation on an output Secret: the version of its layout.
pub const FORMAT: &str = "idp-operator.dev/format";

/// The layout that this operator reads and writes.
pub const FORMAT_V1: &str = "1";

/// Annotation on an output ConfigMap: the `IdentityProvider` whose keys it holds.
pub const IDENTITY_PROVIDER: &str = "idp-operator.dev/identity-provider";

/// Annotation `"true"` on an output Secret that was there before: it gets no ownerReference.
pub const ADOPTED: &str = "idp-operator.dev/adopted";

/// Annotation on an output Secret: UID and generation of the object as which it was last written, `<uid>/<generation>`.
pub const WRITTEN_FOR: &str = "idp-operator.dev/written-for";

/// Annotation on an output Secret: which labels and annotations it has from `spec.template`, as JSON.
pub const TEMPLATE: &str = "idp-operator.dev/template";

/// Annotation on a `TenantJwtSecret`: a token that asks for one rotation.
pub const ROTATE: &str = "idp-operator.dev/rotate";

/// Annotation on an `IdentityProvider`: a token that asks for one fetch of its keys.
pub const REFRESH: &str = "idp-operator.dev/refresh";

/// Annotation on a namespace: the tenants that its objects may hold, where claims are required. Only read.
pub const TENANTS: &str = "idp-operator.dev/tenants";
