//! A scene: a namespace of its own on the shared API server, and operators that watch it.

pub mod history;
pub mod key_server;
pub mod operator;
pub mod plane;
pub mod proxy;
pub mod scene;

pub use history::History;
pub use key_server::KeyServer;
pub use operator::Operator;
pub use plane::Plane;
pub use proxy::Proxy;
pub use scene::{Scene, ready};
