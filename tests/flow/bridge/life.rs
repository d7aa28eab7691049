//! The list of cameras and its life: they come, go, change and come back while the others run.

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use http::StatusCode;
use oriel_client::{Auth, CallError, Client};
use oriel_device::bridge::{Bridge, CameraState, Contact};
use oriel_device::store::{Account, Role, Secret};
use oriel_device::{BridgeConfig, Config, Device};
use oriel_onvif::device_mgmt::{GetDeviceInformation, GetHostname};
use oriel_onvif::uplink::GetUplinks;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

const USER: &str = "admin";
pub(super) const PASSWORD: &str = "an administrator's secret 7!";
const PATIENCE: Duration = Duration::from_secs(60);

/// A camera of its own: our device plays it.
pub(super) async fn camera(folder: &Path, name: &str, password: &str, listen: SocketAddr) -> Device {
    let mut config = Config::new(folder.join("cameras-of-the-site").join(name));
    config.listen = vec![listen];
    config.users = vec![Account { name: USER.to_owned(), password: Secret::new(password), level: Role::Administrator }];
    config.information.model = format!("Model {name}");
    Device::start(config).await.unwrap()
}

pub(super) fn any() -> SocketAddr {
    ([127, 0, 0, 1], 0).into()
}

/// The entry of a camera in the file.
pub(super) fn entry(name: &str, address: SocketAddr, password: &str) -> String {
    format!(
        "[[camera]]\nname = \"{name}\"\naddress = \"http://{address}/onvif/device_service\"\n\
         [[camera.account]]\nuser = \"{USER}\"\npassword = \"{password}\"\n"
    )
}

/// A bridge by a file in a folder.
pub(super) struct Site {
    bridge: Option<Bridge>,
    folder: TempDir,
}

impl Site {
    /// A site whose bridge is not there yet.
    pub(super) fn closed() -> Self {
        let site = Self { bridge: None, folder: tempfile::tempdir().unwrap() };
        site.write("");
        site
    }

    /// Starts it with these entries.
    pub(super) async fn open(mut self, entries: &str) -> Self {
        self.write(entries);
        let config = self.config();
        self.start(config).await;
        self
    }

    /// Writes the file.
    pub(super) fn write(&self, entries: &str) {
        let text = format!("listen = [\"127.0.0.1:0\"]\ndata = \"data\"\n[bridge]\n{entries}");
        std::fs::write(self.path().join("bridge.toml"), text).unwrap();
    }

    /// What the file says.
    pub(super) fn config(&self) -> BridgeConfig {
        BridgeConfig::load(&self.path().join("bridge.toml")).unwrap()
    }

    pub(super) async fn start(&mut self, config: BridgeConfig) {
        self.bridge = Some(Bridge::start(config).await.unwrap());
    }

    pub(super) async fn stop(&mut self) {
        self.bridge.take().unwrap().stop().await;
    }

    pub(super) fn bridge(&self) -> &Bridge {
        self.bridge.as_ref().unwrap()
    }

    /// Another list while it runs, told as SIGHUP does.
    pub(super) fn list(&self, entries: &str) {
        self.write(entries);
        self.bridge().reload();
    }

    pub(super) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(super) fn client(&self, name: &str, password: &str) -> Client {
        let address = self.bridge().addresses()[0];
        let url = format!("http://{address}/{name}/onvif/device_service").parse().unwrap();
        let auth = Auth::Password { user: USER.to_owned(), password: password.to_owned() };
        Client::new(&url, None, auth).unwrap()
    }

    /// The model that is told below a name.
    pub(super) async fn model(&self, name: &str, password: &str) -> Result<String, CallError> {
        let told = self.client(name, password).call(GetDeviceInformation::default()).await;
        told.map(|told| told.model)
    }

    /// Waits for a state of a camera.
    pub(super) async fn until(&self, name: &str, what: &str, holds: impl Fn(Option<&CameraState>) -> bool) {
        let end = Instant::now() + PATIENCE;
        loop {
            let state = self.bridge().camera(name);
            if holds(state.as_ref()) {
                return;
            }
            assert!(Instant::now() < end, "never came: {name}: {what}: {state:?}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    pub(super) async fn answers(&self, name: &str) {
        self.until(name, "it answers", |state| {
            state.and_then(|state| state.device.as_ref()).is_some_and(|device| device.contact == Contact::Answers)
        })
        .await;
    }

    fn identity(&self, name: &str) -> (String, String) {
        let device = self.bridge().camera(name).unwrap().device.unwrap();
        (device.uuid.to_string(), device.fingerprint.to_string())
    }
}

pub(super) fn status(error: &CallError) -> Option<StatusCode> {
    match error {
        CallError::Status { status, .. } | CallError::Fault { status, .. } => Some(*status),
        _ => None,
    }
}

#[tokio::test]
async fn cameras_come_and_go_while_the_others_run_and_come_back_as_who_they_were() {
    let site = Site::closed();
    let gate = camera(site.path(), "gate", PASSWORD, any()).await;
    let dock = camera(site.path(), "dock", PASSWORD, any()).await;
    let (gate_entry, dock_entry) =
        (entry("gate", gate.addresses()[0], PASSWORD), entry("dock", dock.addresses()[0], PASSWORD));
    let mut site = site.open(&gate_entry).await;
    site.answers("gate").await;
    assert_eq!(site.model("gate", PASSWORD).await.unwrap(), "Model gate");
    assert_eq!(status(&site.model("dock", PASSWORD).await.unwrap_err()), Some(StatusCode::NOT_FOUND));

    site.list(&format!("{gate_entry}{dock_entry}"));
    site.answers("dock").await;
    assert_eq!(site.model("dock", PASSWORD).await.unwrap(), "Model dock");
    let (of_gate, of_dock) = (site.identity("gate"), site.identity("dock"));
    assert_ne!(of_gate, of_dock);
    assert!(site.client("dock", PASSWORD).call(GetUplinks::default()).await.unwrap().configuration.is_empty());

    site.list(&dock_entry);
    site.until("gate", "it is gone", |state| state.is_none()).await;
    assert_eq!(status(&site.model("gate", PASSWORD).await.unwrap_err()), Some(StatusCode::NOT_FOUND));
    assert_eq!(site.model("dock", PASSWORD).await.unwrap(), "Model dock");
    assert!(site.path().join("data/cameras/gate/state.json").exists(), "its folder is kept");

    // Back at once, while the former one may still drain.
    site.list(&format!("{dock_entry}{gate_entry}"));
    site.answers("gate").await;
    assert_eq!(site.identity("gate"), of_gate);
    site.stop().await;
    site.start(site.config()).await;
    site.answers("gate").await;
    site.answers("dock").await;
    assert_eq!((site.identity("gate"), site.identity("dock")), (of_gate, of_dock));
}

#[tokio::test]
async fn an_address_and_a_password_change_without_a_new_identity() {
    let site = Site::closed();
    let old = camera(site.path(), "old", PASSWORD, any()).await;
    let new = camera(site.path(), "new", "another secret 8!", any()).await;
    let site = site.open(&entry("gate", old.addresses()[0], PASSWORD)).await;
    site.answers("gate").await;
    let identity = site.identity("gate");
    assert_eq!(site.model("gate", PASSWORD).await.unwrap(), "Model old");

    site.list(&entry("gate", new.addresses()[0], "another secret 8!"));
    let address = format!("http://{}/onvif/device_service", new.addresses()[0]);
    site.until("gate", "its new address", |state| state.is_some_and(|state| state.address.as_str() == address)).await;
    assert_eq!(site.model("gate", "another secret 8!").await.unwrap(), "Model new");
    let refused = site.model("gate", PASSWORD).await.unwrap_err();
    assert!(refused.is_refusal(), "the old password is worth nothing any more: {refused}");
    assert_eq!(site.identity("gate"), identity);

    // The wrong password is told, and asked with once, since cameras lock accounts.
    site.list(&entry("gate", new.addresses()[0], "not the password 9!"));
    site.until("gate", "that it is not let in", |state| {
        state.and_then(|state| state.problem.as_deref()).is_some_and(|problem| problem.contains("account"))
    })
    .await;
    site.list(&entry("gate", new.addresses()[0], "another secret 8!"));
    site.until("gate", "that all is well", |state| state.is_some_and(|state| state.problem.is_none())).await;
}

#[tokio::test]
async fn a_bad_file_changes_nothing_and_says_why() {
    let site = Site::closed();
    let gate = camera(site.path(), "gate", PASSWORD, any()).await;
    let good = entry("gate", gate.addresses()[0], PASSWORD);
    let site = site.open(&good).await;
    site.answers("gate").await;
    let bad = [
        (format!("{good}colour = 1\n"), "unknown key"),
        (format!("{good}{}", good.replace("\"gate\"", "\"dock\"")), "same address"),
        (good.replace("http://", ""), "camera.address"),
        ("[[camera".to_owned(), "line 4"),
    ];
    for (entries, words) in bad {
        site.list(&entries);
        let end = Instant::now() + PATIENCE;
        while !site.bridge().problem().is_some_and(|problem| problem.contains(words)) {
            assert!(Instant::now() < end, "never told: {words}: {:?}", site.bridge().problem());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let problem = site.bridge().problem().unwrap();
        assert!(problem.contains("bridge.toml") && !problem.contains("secret"), "{problem}");
        assert_eq!(site.model("gate", PASSWORD).await.unwrap(), "Model gate");
    }
    site.list(&good);
    let end = Instant::now() + PATIENCE;
    while site.bridge().problem().is_some() {
        assert!(Instant::now() < end, "{:?}", site.bridge().problem());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_file_that_changes_is_read_without_being_told() {
    let site = Site::closed();
    let gate = camera(site.path(), "gate", PASSWORD, any()).await;
    let site = site.open("").await;
    site.write(&entry("gate", gate.addresses()[0], PASSWORD));
    site.answers("gate").await;
}

#[tokio::test]
async fn a_camera_whose_folder_is_broken_keeps_no_other_from_running_and_starts_when_it_is_mended() {
    let site = Site::closed();
    let gate = camera(site.path(), "gate", PASSWORD, any()).await;
    let dock = camera(site.path(), "dock", PASSWORD, any()).await;
    let broken = site.path().join("data/cameras/gate");
    std::fs::create_dir_all(&broken).unwrap();
    std::fs::write(broken.join("state.json"), "{").unwrap();
    let gate_entry = entry("gate", gate.addresses()[0], PASSWORD);
    let site = site.open(&format!("{gate_entry}{}", entry("dock", dock.addresses()[0], PASSWORD))).await;
    site.answers("dock").await;
    site.until("gate", "what is wrong with it", |state| {
        state.and_then(|state| state.problem.as_deref()).is_some_and(|problem| problem.contains("damaged"))
    })
    .await;
    assert_eq!(status(&site.model("gate", PASSWORD).await.unwrap_err()), Some(StatusCode::SERVICE_UNAVAILABLE));
    assert_eq!(site.model("dock", PASSWORD).await.unwrap(), "Model dock");
    std::fs::remove_file(broken.join("state.json")).unwrap();
    site.answers("gate").await;
    assert_eq!(site.model("gate", PASSWORD).await.unwrap(), "Model gate");
    assert!(site.bridge().camera("gate").unwrap().problem.is_none());
}

#[tokio::test]
async fn strangers_are_not_told_which_cameras_there_are() {
    let site = Site::closed();
    let gate = camera(site.path(), "gate-of-the-villa", PASSWORD, any()).await;
    let site = site.open(&entry("gate-of-the-villa", gate.addresses()[0], PASSWORD)).await;
    site.answers("gate-of-the-villa").await;
    for path in ["/", "/gate-of-the-villa", "/x/onvif/device_service", "/onvif/device_service", "/../gate", "/%67ate/x"]
    {
        let mut tcp = TcpStream::connect(site.bridge().addresses()[0]).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: bridge\r\nConnection: close\r\n\r\n");
        tcp.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        tcp.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 404"), "{path}: {answer}");
        assert!(!answer.contains("villa"), "{path}: {answer}");
    }
}

#[tokio::test]
async fn two_bridges_do_not_share_a_folder() {
    let site = Site::closed().open("").await;
    let error = Bridge::start(site.config()).await.unwrap_err();
    assert!(error.to_string().contains("data"), "{error}");
}

/// A camera that tells the time and its host's name, by hand: it starts and ends a thousand times.
pub(super) async fn clock(listener: TcpListener) {
    const NAME: &str = "<s:Envelope xmlns:s=\"http://www.w3.org/2003/05/soap-envelope\" xmlns:d=\"http://www.onvif.org/ver10/device/wsdl\" \
        xmlns:t=\"http://www.onvif.org/ver10/schema\"><s:Body><d:GetHostnameResponse><d:HostnameInformation>\
        <t:FromDHCP>false</t:FromDHCP><t:Name>clock</t:Name></d:HostnameInformation></d:GetHostnameResponse></s:Body></s:Envelope>";
    const TIME: &str = "<s:Envelope xmlns:s=\"http://www.w3.org/2003/05/soap-envelope\" xmlns:d=\"http://www.onvif.org/ver10/device/wsdl\" \
        xmlns:t=\"http://www.onvif.org/ver10/schema\"><s:Body><d:GetSystemDateAndTimeResponse><d:SystemDateAndTime>\
        <t:DateTimeType>NTP</t:DateTimeType><t:DaylightSavings>false</t:DaylightSavings></d:SystemDateAndTime>\
        </d:GetSystemDateAndTimeResponse></s:Body></s:Envelope>";
    let mut connections = tokio::task::JoinSet::new();
    loop {
        let (mut tcp, _) = listener.accept().await.unwrap();
        connections.spawn(async move {
            let mut read = vec![0; 16 * 1024];
            // Each request comes in one piece or two; what it asks for is in its last line.
            let mut message = String::new();
            while let Ok(length @ 1..) = tcp.read(&mut read).await {
                message += &String::from_utf8_lossy(&read[..length]);
                if message.ends_with("Envelope>") {
                    let told = if message.contains("GetHostname") { NAME } else { TIME };
                    message.clear();
                    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/soap+xml\r\nContent-Length:";
                    let answer = format!("{head} {}\r\n\r\n{told}", told.len());
                    if tcp.write_all(answer.as_bytes()).await.is_err() {
                        return;
                    }
                }
            }
        });
    }
}

#[tokio::test]
async fn a_thousand_restarts_of_a_camera_do_no_harm() {
    let site = Site::closed();
    let listener = TcpListener::bind(any()).await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut running = tokio::spawn(clock(listener));
    let site = site.open(&entry("gate", address, PASSWORD)).await;
    site.answers("gate").await;
    let (identity, client) = (site.identity("gate"), site.client("gate", PASSWORD));
    client.call(GetHostname::default()).await.unwrap();
    for restart in 0..1000 {
        // Its connections, some of which the bridge keeps, end with it.
        running.abort();
        let _aborted = running.await;
        if restart % 250 == 249 {
            // Asked while it is down.
            let refused = client.call(GetHostname::default()).await.unwrap_err();
            assert!(status(&refused).is_some_and(|status| status.is_server_error()), "{refused}");
        }
        let listener = TcpListener::bind(address).await.unwrap();
        running = tokio::spawn(clock(listener));
        if restart % 250 == 249 {
            site.answers("gate").await;
        }
        let told = client.call(GetHostname::default()).await;
        told.unwrap_or_else(|error| panic!("after restart {restart}: {error}"));
    }
    assert_eq!(site.identity("gate"), identity);
    running.abort();
}
