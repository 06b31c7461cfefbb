//! What goes over real connections: framing, protocols, names, who may do what.

mod access;
mod bodies;
mod connections;
mod encryption;
mod forms;
mod names;

use crate::gateway::Gateway;

/// A gateway with a bucket.
async fn with_bucket(environment: &[(&str, &str)]) -> Gateway {
    let gateway = Gateway::start_with(environment).await;
    gateway.client().send("PUT", "/bucket", &[], "").await.unwrap().expect(200);
    gateway
}
