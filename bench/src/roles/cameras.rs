//! Cameras that know nothing of the cloud: each tells who it is at its device service, and answers below `/onvif/bench/` as the one handler does.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue, WWW_AUTHENTICATE};
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use jiff::Timestamp;
use oriel_soap::Level;
use oriel_soap::auth::{Account, Accounts, Attempt, AuthOptions, Authenticator, Secret};
use oriel_uplink::{Body, body};
use serde_json::json;
use tokio::net::TcpListener;

use super::{Talk, listener, say};
use crate::payload::{CAMERA_PASSWORD, CAMERA_USER, Handler, SOAP};

const DEVICE_SERVICE: &str = "/onvif/device_service";
const REALM: &str = "camera";

/// What all of them share.
#[derive(Default)]
struct Cameras {
    handler: Handler,
    /// The number of the one that hangs, counted from one; nought is none.
    hanging: AtomicUsize,
    /// Asks who it is, if anything does.
    authenticator: Option<Authenticator>,
    challenges: AtomicU64,
    connections: AtomicU64,
}

pub(super) async fn run(count: usize, digest: bool) -> anyhow::Result<()> {
    let authenticator = digest.then(|| Authenticator::new(&AuthOptions::new(REALM)));
    let cameras = Arc::new(Cameras { authenticator, ..Cameras::default() });
    let mut addresses = Vec::new();
    for number in 1..=count {
        let listener = listener().await?;
        addresses.push(listener.local_addr()?.to_string());
        tokio::spawn(serve(listener, number, Arc::clone(&cameras)));
    }
    say(&json!({ "addresses": addresses.join(",") }))?;
    let mut talk = Talk::new();
    while let Some(question) = talk.next().await? {
        if let Some(number) = question["hang"].as_u64() {
            cameras.hanging.store(number as usize, Relaxed);
        }
        let connections = cameras.connections.load(Relaxed);
        say(&json!({ "challenges": cameras.challenges.load(Relaxed), "connections": connections }))?;
    }
    Ok(())
}

async fn serve(listener: TcpListener, number: usize, cameras: Arc<Cameras>) {
    while let Ok((tcp, _)) = listener.accept().await {
        let _nagle = tcp.set_nodelay(true);
        cameras.connections.fetch_add(1, Relaxed);
        let cameras = Arc::clone(&cameras);
        let answer = service_fn(move |request| {
            let cameras = Arc::clone(&cameras);
            async move { Ok::<_, Infallible>(cameras.answer(number, request).await) }
        });
        tokio::spawn(async move {
            let mut builder = http1::Builder::new();
            builder.timer(TokioTimer::new());
            let _ended = builder.serve_connection(TokioIo::new(tcp), answer).await;
        });
    }
}

impl Cameras {
    async fn answer(&self, number: usize, request: Request<Incoming>) -> Response<Body> {
        if self.hanging.load(Relaxed) == number {
            return std::future::pending().await;
        }
        if let Some(challenges) = self.challenges(&request) {
            self.challenges.fetch_add(1, Relaxed);
            // Read, so that the connection stays.
            let _read = request.into_body().collect().await;
            let mut refused = Response::new(body::empty());
            *refused.status_mut() = StatusCode::UNAUTHORIZED;
            for challenge in challenges.iter().filter_map(|challenge| HeaderValue::from_str(challenge).ok()) {
                refused.headers_mut().append(WWW_AUTHENTICATE, challenge);
            }
            return refused;
        }
        if request.uri().path() != DEVICE_SERVICE {
            return self.handler.clone().answer(request.map(body::boxed)).await;
        }
        let host = request.headers().get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default().to_owned();
        let asked = request.into_body().collect().await.map(|read| read.to_bytes()).unwrap_or_default();
        let mut told = Response::new(body::full(tell(number, &host, &String::from_utf8_lossy(&asked))));
        told.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(SOAP));
        told
    }

    /// What a request is refused with that does not show who asks.
    fn challenges<B>(&self, request: &Request<B>) -> Option<Vec<String>> {
        let authenticator = self.authenticator.as_ref()?;
        let now = Timestamp::now();
        let authorization = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let (method, uri) = (request.method().as_str(), request.uri().path());
        let attempt = Attempt { authorization, method, uri, token: None };
        match authenticator.authenticate(&attempt, &Users, now) {
            Ok(Some(_)) => None,
            _ => Some(authenticator.challenges(now, authorization.is_some())),
        }
    }
}

struct Users;

impl Accounts for Users {
    fn lookup(&self, user: &str) -> Option<Account> {
        let account = || Account { secret: Secret::Password(CAMERA_PASSWORD.to_owned()), levels: Level::User.into() };
        (user == CAMERA_USER).then(account)
    }
}

/// What the device service says of the camera.
fn tell(number: usize, host: &str, asked: &str) -> String {
    let told = if asked.contains("GetServices") {
        let row = format!(
            "<d:Namespace>http://www.onvif.org/ver10/device/wsdl</d:Namespace><d:XAddr>http://{host}{DEVICE_SERVICE}</d:XAddr>\
             <d:Version><t:Major>2</t:Major><t:Minor>42</t:Minor></d:Version>"
        );
        ("GetServices", format!("<d:Service>{row}</d:Service>"))
    } else if asked.contains("GetSystemDateAndTime") {
        let now = Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC);
        let time = now.strftime(
            "<t:Time><t:Hour>%-H</t:Hour><t:Minute>%-M</t:Minute><t:Second>%-S</t:Second></t:Time>\
             <t:Date><t:Year>%Y</t:Year><t:Month>%-m</t:Month><t:Day>%-d</t:Day></t:Date>",
        );
        let all = format!(
            "<t:DateTimeType>NTP</t:DateTimeType><t:DaylightSavings>false</t:DaylightSavings><t:UTCDateTime>{time}</t:UTCDateTime>"
        );
        ("GetSystemDateAndTime", format!("<d:SystemDateAndTime>{all}</d:SystemDateAndTime>"))
    } else if asked.contains("GetEndpointReference") {
        ("GetEndpointReference", format!("<d:GUID>urn:uuid:5f5a69c2-e0ae-504f-829b-{number:012}</d:GUID>"))
    } else {
        let all = format!(
            "<d:Manufacturer>Oriel</d:Manufacturer><d:Model>Bench</d:Model><d:FirmwareVersion>1.0</d:FirmwareVersion>\
             <d:SerialNumber>{number}</d:SerialNumber><d:HardwareId>bench</d:HardwareId>"
        );
        ("GetDeviceInformation", all)
    };
    let (name, all) = told;
    format!(
        "<s:Envelope xmlns:s=\"http://www.w3.org/2003/05/soap-envelope\" xmlns:d=\"http://www.onvif.org/ver10/device/wsdl\" \
         xmlns:t=\"http://www.onvif.org/ver10/schema\"><s:Body><d:{name}Response>{all}</d:{name}Response></s:Body></s:Envelope>"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_camera_tells_can_be_read() {
        use oriel_soap::{envelope::inspect, xml::Limits};
        for asked in ["GetServices", "GetSystemDateAndTime", "GetEndpointReference", "GetDeviceInformation"] {
            let told = tell(7, "camera", &format!("<{asked}/>"));
            let envelope = inspect(told.as_bytes(), None, &Limits::REQUEST).unwrap();
            assert_eq!(envelope.operation().1, format!("{asked}Response"));
        }
    }
}
