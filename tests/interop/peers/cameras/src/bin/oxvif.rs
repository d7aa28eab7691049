//! The camera of the crate `oxvif` (HTTP, WS-UsernameToken, Media, Media2, PTZ, Imaging, Events) until standard input ends.

use oxvif::mock::MockServer;
use tokio::io::AsyncReadExt as _;

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let server = MockServer::builder().enforce_auth(true).start().await?;
    println!(r#"{{"event":"listening","url":"{}","user":"admin","password":"admin"}}"#, server.device_url());
    tokio::io::stdin().read_to_end(&mut Vec::new()).await?;
    server.shutdown().await
}
