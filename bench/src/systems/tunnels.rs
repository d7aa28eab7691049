//! Other tunnels that the device's side dials and that encrypt: rathole with its TLS, and `ssh -R`.
//!
//! Each in two ways. As one serves many devices by it: the client's TLS ends at a proxy (haproxy) at the public side as it does at our cloud, and plain
//! HTTP/1.1 goes through the tunnel, which encrypts once. And as lean as it gets ("TLS through"): the client's TLS goes through the tunnel to the
//! handler; nobody in between can check a token, choose among devices or read an operation.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::rc::Rc;

use anyhow::{Context as _, bail, ensure};

use super::proxies::{Begun, start_haproxy};
use super::{Ends, Shared};
use crate::child::{Child, Core, free_address, installed, listening};
use crate::fixture::Fixture;

pub(super) fn start(name: &str, fixture: &Fixture, tools: &Path, ends: &Ends) -> Begun {
    let through = name.ends_with("TLS through");
    let end = if through { &ends.tls } else { &ends.plain };
    let (entrance, mut children) = match name.split(',').next() {
        Some("rathole") => rathole(fixture, tools, end, if through { "through" } else { "behind" })?,
        Some("ssh") => ssh(fixture, end, if through { "through" } else { "behind" })?,
        _ => bail!("no such system"),
    };
    children.push(ends.handler.clone());
    if through {
        return Ok((entrance.to_string(), children));
    }
    let (address, front) = start_haproxy(fixture, &format!("front-{name}"), &format!("server tunnel {entrance}"))?;
    children.insert(0, Rc::new(front));
    Ok((address.to_string(), children))
}

fn rathole(fixture: &Fixture, tools: &Path, end: &str, way: &str) -> anyhow::Result<(SocketAddr, Vec<Shared>)> {
    let program = installed("rathole").or_else(|| Some(tools.join("bin/rathole")).filter(|file| file.is_file()));
    let program = program.context("not installed (cargo install --root target/bench-tools rathole)")?;
    let (control, entrance) = (free_address()?, free_address()?);
    let (ca, pkcs12) = (fixture.text("ca.pem"), fixture.text("server.p12"));
    let made = Command::new("openssl")
        .args(["pkcs12", "-export", "-passout", "pass:bench", "-out", &pkcs12])
        .args(["-in", &fixture.text("server.pem"), "-inkey", &fixture.text("server.key")])
        .output()
        .context("openssl is not installed")?;
    ensure!(made.status.success(), "openssl: {}", String::from_utf8_lossy(&made.stderr));
    let server = format!(
        "[server]\nbind_addr = \"{control}\"\ndefault_token = \"bench\"\n[server.transport]\ntype = \"tls\"\n\
         [server.transport.tls]\npkcs12 = {pkcs12:?}\npkcs12_password = \"bench\"\n\
         [server.services.s]\nbind_addr = \"{entrance}\"\n"
    );
    let client = format!(
        "[client]\nremote_addr = \"{control}\"\ndefault_token = \"bench\"\n[client.transport]\ntype = \"tls\"\n\
         [client.transport.tls]\ntrusted_root = {ca:?}\nhostname = \"localhost\"\n\
         [client.services.s]\nlocal_addr = \"{end}\"\n"
    );
    let mut children: Vec<Shared> = Vec::new();
    for (side, text, address) in [("server", server, control), ("client", client, entrance)] {
        let config = fixture.write(&format!("rathole-{way}-{side}.toml"), &text)?.display().to_string();
        let log = fixture.path(&format!("rathole-{way}-{side}.log"));
        let mut child = Child::program(Core::Servers, &program, &[&format!("--{side}"), &config], &log)?;
        listening(address, &mut child, &log)?;
        children.push(Rc::new(child));
    }
    Ok((entrance, children))
}

fn ssh(fixture: &Fixture, end: &str, way: &str) -> anyhow::Result<(SocketAddr, Vec<Shared>)> {
    let server = installed("sshd").context("not installed (apt install openssh-server)")?;
    let client = installed("ssh").context("not installed (apt install openssh-client)")?;
    let (port, entrance) = (free_address()?, free_address()?);
    let name = |file: &str| format!("ssh-{way}-{file}");
    for key in ["host", "user"] {
        let file = fixture.text(&name(key));
        let made = Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f", &file]).output()?;
        ensure!(made.status.success(), "ssh-keygen: {}", String::from_utf8_lossy(&made.stderr));
    }
    // Its privilege separation wants this folder, which a service manager would make.
    std::fs::create_dir_all("/run/sshd").context("sshd needs /run/sshd")?;
    let config = format!(
        "ListenAddress {port}\nHostKey {}\nAuthorizedKeysFile {}\nStrictModes no\nUsePAM no\nPidFile none\n\
         PermitRootLogin prohibit-password\nAllowTcpForwarding remote\nLogLevel ERROR\n",
        fixture.text(&name("host")),
        fixture.text(&name("user.pub")),
    );
    let config = fixture.write(&name("config"), &config)?.display().to_string();
    let log = fixture.path(&name("server.log"));
    let mut sshd = Child::program(Core::Servers, &server, &["-D", "-e", "-f", &config], &log)?;
    listening(port, &mut sshd, &log)?;
    let user = String::from_utf8(Command::new("id").arg("-un").output()?.stdout)?;
    let (remote, to) = (format!("{entrance}:{end}"), format!("{}@127.0.0.1", user.trim()));
    let port = port.port().to_string();
    let (key, log) = (fixture.text(&name("user")), fixture.path(&name("client.log")));
    let options = ["StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "ExitOnForwardFailure=yes"];
    let mut arguments =
        vec!["-N", "-F", "none", "-c", "aes128-gcm@openssh.com", "-i", &key, "-p", &port, "-R", &remote];
    arguments.extend(options.iter().flat_map(|option| ["-o", option]));
    arguments.push(&to);
    let mut ssh = Child::program(Core::Servers, &client, &arguments, &log)?;
    listening(entrance, &mut ssh, &log)?;
    Ok((entrance, vec![Rc::new(sshd), Rc::new(ssh)]))
}
