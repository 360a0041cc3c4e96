//! A scene: a namespace of its own on the shared API server, and operators that watch it.

pub mod history;
pub mod hold;
pub mod in_memory;
pub mod key_server;
pub mod link;
pub mod mount;
pub mod operator;
pub mod plane;
pub mod proxy;
pub mod raw_server;
pub mod scene;
pub mod tenant;
pub mod tokens;

pub use history::History;
pub use hold::Holding;
pub use key_server::KeyServer;
pub use link::{Link, Network};
pub use mount::Mount;
pub use operator::Operator;
pub use plane::Plane;
pub use proxy::Proxy;
pub use raw_server::{Authority, RawServer, Script};
pub use scene::{Scene, ready};
pub use tenant::Tenant;
