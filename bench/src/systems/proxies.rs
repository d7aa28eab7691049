//! Ordinary reverse proxies: TLS from the client, TLS to the handler, connections kept; two hops as in a tunnel, but the proxy dials.

use std::net::SocketAddr;
use std::rc::Rc;

use anyhow::Context as _;

use super::{Ends, Shared};
use crate::child::{Child, Core, free_address, installed, listening};
use crate::fixture::Fixture;

/// The address that the load generator connects to, and the processes on the way.
pub(super) type Begun = anyhow::Result<(String, Vec<Shared>)>;

/// HTTP/2 on both sides, one thread as everything under test has one core, connections always reused.
pub(super) fn haproxy(fixture: &Fixture, ends: &Ends) -> Begun {
    let (ca, upstream) = (fixture.text("ca.pem"), &ends.tls);
    let server = format!("server handler {upstream} ssl verify required ca-file {ca} alpn h2,http/1.1");
    let (address, child) = start_haproxy(fixture, "haproxy", &server)?;
    Ok((address.to_string(), vec![Rc::new(child), ends.handler.clone()]))
}

/// haproxy with TLS towards clients and one `server` line.
pub(super) fn start_haproxy(fixture: &Fixture, name: &str, server: &str) -> anyhow::Result<(SocketAddr, Child)> {
    let program = installed("haproxy").context("not installed (apt install haproxy)")?;
    let address = free_address()?;
    let certificate = fixture.text("both.pem");
    let text = format!(
        "global\n nbthread 1\n tune.ssl.default-dh-param 2048\n tune.h2.initial-window-size 1048576\n\
         defaults\n mode http\n timeout connect 10s\n timeout client 1h\n timeout server 1h\n http-reuse always\n\
         frontend f\n bind {address} ssl crt {certificate} alpn h2,http/1.1\n default_backend b\n\
         backend b\n {server}\n"
    );
    let config = fixture.write(&format!("{name}.cfg"), &text)?.display().to_string();
    let log = fixture.path(&format!("{name}.log"));
    let mut child = Child::program(Core::Servers, &program, &["-db", "-f", &config], &log)?;
    listening(address, &mut child, &log)?;
    Ok((address, child))
}

/// HTTP/2 from the client, HTTP/1.1 to the handler, which is all that nginx speaks there; no file is touched.
pub(super) fn nginx(fixture: &Fixture, ends: &Ends) -> Begun {
    let ca = fixture.text("ca.pem");
    let pass = format!(
        "proxy_pass https://u; proxy_ssl_verify on; proxy_ssl_trusted_certificate {ca}; proxy_ssl_name localhost; proxy_ssl_protocols TLSv1.3;"
    );
    let (address, child) = start_nginx(fixture, "nginx", &ends.tls, &pass)?;
    Ok((address.to_string(), vec![Rc::new(child), ends.handler.clone()]))
}

/// nginx with TLS towards clients, one worker and no master; `pass` says how the server at `upstream`, called `u`, is spoken to.
pub(crate) fn start_nginx(
    fixture: &Fixture,
    name: &str,
    upstream: &str,
    pass: &str,
) -> anyhow::Result<(SocketAddr, Child)> {
    let program = installed("nginx").context("not installed (apt install nginx-light)")?;
    let address = free_address()?;
    let folder = fixture.text(name);
    std::fs::create_dir_all(&folder)?;
    let (certificate, key) = (fixture.text("server.pem"), fixture.text("server.key"));
    let text = format!(
        "daemon off; master_process off; worker_processes 1; pid {folder}/pid; error_log stderr error;\n\
         events {{ worker_connections 1024; }}\n\
         http {{ access_log off; keepalive_requests 100000000; keepalive_timeout 1h; client_max_body_size 0;\n\
         client_body_buffer_size 2m; client_body_temp_path {folder}/a; proxy_temp_path {folder}/b; fastcgi_temp_path {folder}/c;\n\
         uwsgi_temp_path {folder}/d; scgi_temp_path {folder}/e; http2_chunk_size 16k; ssl_buffer_size 16k;\n\
         upstream u {{ server {upstream}; keepalive 64; keepalive_requests 100000000; keepalive_timeout 1h; }}\n\
         server {{ listen {address} ssl http2; ssl_certificate {certificate}; ssl_certificate_key {key};\n\
         ssl_protocols TLSv1.3; location / {{ {pass} proxy_http_version 1.1; proxy_set_header Connection \"\";\n\
         proxy_buffers 32 64k; proxy_buffer_size 64k; proxy_busy_buffers_size 256k; proxy_max_temp_file_size 0; }} }} }}\n"
    );
    let config = fixture.write(&format!("{name}.conf"), &text)?.display().to_string();
    let log = fixture.path(&format!("{name}.log"));
    let mut child = Child::program(Core::Servers, &program, &["-p", &folder, "-c", &config], &log)?;
    listening(address, &mut child, &log)?;
    Ok((address, child))
}
