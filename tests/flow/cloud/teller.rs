//! A device of the test's own that tells events: one pull point after the other, with or without a store of its messages.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::Request;
use http::Response;
use http_body_util::BodyExt as _;
use jiff::Timestamp;
use oriel_cloud::records::DeviceId;
use oriel_onvif::events::{PullMessages, Seek};
use oriel_onvif::ns;
use oriel_soap::xml::Limits;
use oriel_soap::{Envelope, Fault};
use oriel_trust::Identity;
use oriel_uplink::device::Uplink;
use oriel_uplink::{Body, body};
use tokio::sync::Notify;

use super::House;
use super::camera::ServiceFuture;
use super::client::enveloped;

/// What it tells, and who it is.
#[derive(Clone)]
pub(super) struct Teller {
    inner: Arc<Inner>,
    pub(super) identity: Arc<Identity>,
    pub(super) id: DeviceId,
}

struct Inner {
    keeps: bool,
    state: Mutex<Told>,
    news: Notify,
}

#[derive(Default)]
struct Told {
    /// Time and XML of each message.
    messages: Vec<(Timestamp, String)>,
    /// States of properties, as XML.
    properties: HashMap<String, String>,
    /// By its name: messages for it alone, and the next of all.
    points: HashMap<String, (Vec<String>, usize)>,
    made: u32,
    asked: Vec<String>,
    /// What it answers to pulls instead.
    instead: Option<String>,
}

impl Teller {
    /// A registered device that is not connected yet.
    pub(super) async fn at(house: &House, keeps: bool) -> Self {
        let identity = Arc::new(Identity::self_signed("teller", &[]).unwrap());
        let id = house.register(identity.fingerprint()).await;
        Self { inner: Arc::new(Inner { keeps, state: Mutex::default(), news: Notify::new() }), identity, id }
    }

    /// Connects. Dropping the uplink is a tunnel that breaks.
    pub(super) fn dial(&self, house: &House) -> Uplink {
        let teller = self.clone();
        house.dial_as(&self.identity, "https", move |request| {
            let teller = teller.clone();
            Box::pin(async move { teller.answer(request).await }) as ServiceFuture
        })
    }

    /// Something happens.
    pub(super) fn tell(&self, topic: &str, value: &str) {
        let time = Timestamp::now();
        let mut state = self.inner.state.lock().unwrap();
        state.messages.push((time, notification(topic, "", time, value)));
        drop(state);
        self.inner.news.notify_waiters();
    }

    /// A property changes.
    pub(super) fn change(&self, topic: &str, value: &str) {
        let time = Timestamp::now();
        let mut state = self.inner.state.lock().unwrap();
        let operation = |word: &str| format!(" PropertyOperation='{word}'");
        state.messages.push((time, notification(topic, &operation("Changed"), time, value)));
        let told = notification(topic, &operation("Initialized"), time, value);
        state.properties.insert(topic.to_owned(), told);
        drop(state);
        self.inner.news.notify_waiters();
    }

    /// It restarts: its pull points are gone, and what it keeps stays.
    pub(super) fn reboot(&self) {
        self.inner.state.lock().unwrap().points.clear();
        self.inner.news.notify_waiters();
    }

    /// What it loses of its store: all up to now.
    pub(super) fn forget(&self) {
        self.inner.state.lock().unwrap().messages.iter_mut().for_each(|message| message.1.clear());
    }

    /// Answers pulls with this body from now on.
    pub(super) fn instead(&self, body: Option<String>) {
        self.inner.state.lock().unwrap().instead = body;
        self.inner.news.notify_waiters();
    }

    /// What it was asked up to now.
    pub(super) fn asked(&self) -> Vec<String> {
        self.inner.state.lock().unwrap().asked.clone()
    }

    /// Pull points that stand.
    pub(super) fn points(&self) -> usize {
        self.inner.state.lock().unwrap().points.len()
    }

    /// Messages that its pull points have not given out yet.
    pub(super) fn pending(&self) -> usize {
        let state = self.inner.state.lock().unwrap();
        state.points.values().map(|(_, next)| state.messages.len() - next).sum()
    }

    async fn answer(&self, request: Request<Body>) -> Response<Body> {
        let path = request.uri().path().to_owned();
        let message = request.into_body().collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
        // What `Envelope` borrows must not be held while a pull waits.
        let (name, pull, seek) = {
            let envelope = Envelope::parse(&message, &Limits::REQUEST).unwrap();
            let name = envelope.operation().1.to_owned();
            (name, envelope.request::<PullMessages>().ok(), envelope.request::<Seek>().ok())
        };
        self.inner.state.lock().unwrap().asked.push(name.clone());
        let body = match name.as_str() {
            "GetServices" => format!(
                "<d:GetServicesResponse xmlns:d='{}'><d:Service><d:Namespace>{}</d:Namespace><d:XAddr>http://192.0.2.9/onvif/told</d:XAddr></d:Service></d:GetServicesResponse>",
                ns::TDS.uri,
                ns::TEV.uri
            ),
            "GetServiceCapabilities" => format!(
                "<e:GetServiceCapabilitiesResponse xmlns:e='{}'><e:Capabilities PersistentNotificationStorage='{}' MaxPullPoints='2'/></e:GetServiceCapabilitiesResponse>",
                ns::TEV.uri,
                self.inner.keeps
            ),
            "CreatePullPointSubscription" => self.create(),
            "PullMessages" => match self.pull(&path, &pull.unwrap()).await {
                Some(body) => body,
                None => return unknown(),
            },
            "Seek" if self.inner.keeps => {
                let since = seek.unwrap().utc_time;
                let mut state = self.inner.state.lock().unwrap();
                let next = state.messages.iter().position(|(time, _)| *time >= since).unwrap_or(state.messages.len());
                let begins = state.messages.get(next).is_some_and(|(_, xml)| xml.is_empty());
                let told = notification("tns1:EventBuffer/Begin", "", Timestamp::now(), "");
                match state.points.get_mut(&path) {
                    Some(point) => *point = (begins.then_some(told).into_iter().collect(), next),
                    None => return unknown(),
                }
                format!("<e:SeekResponse xmlns:e='{}'/>", ns::TEV.uri)
            }
            "Unsubscribe" => {
                self.inner.state.lock().unwrap().points.remove(&path);
                format!("<n:UnsubscribeResponse xmlns:n='{}'/>", ns::WSNT.uri)
            }
            _ => return reply(String::from_utf8(Fault::action_not_supported("").to_envelope(None)).unwrap()),
        };
        reply(enveloped(&body))
    }

    fn create(&self) -> String {
        let mut state = self.inner.state.lock().unwrap();
        state.made += 1;
        let path = format!("/onvif/told/{}", state.made);
        let (states, next) = (state.properties.values().cloned().collect(), state.messages.len());
        state.points.insert(path.clone(), (states, next));
        let now = Timestamp::now();
        let end = now + jiff::SignedDuration::from_secs(180);
        format!(
            "<e:CreatePullPointSubscriptionResponse xmlns:e='{}' xmlns:n='{}' xmlns:a='http://www.w3.org/2005/08/addressing'><e:SubscriptionReference>\
             <a:Address>http://192.0.2.9{path}</a:Address></e:SubscriptionReference><n:CurrentTime>{now}</n:CurrentTime><n:TerminationTime>{end}</n:TerminationTime></e:CreatePullPointSubscriptionResponse>",
            ns::TEV.uri,
            ns::WSNT.uri
        )
    }

    async fn pull(&self, path: &str, asked: &PullMessages) -> Option<String> {
        let end = tokio::time::Instant::now() + Duration::from_secs(asked.timeout.0.as_secs().unsigned_abs());
        loop {
            let news = self.inner.news.notified();
            let mut news = std::pin::pin!(news);
            news.as_mut().enable();
            let found = {
                let mut state = self.inner.state.lock().unwrap();
                if let Some(instead) = &state.instead {
                    return Some(instead.clone());
                }
                let Told { messages, points, .. } = &mut *state;
                let point = points.get_mut(path)?;
                let limit = usize::try_from(asked.message_limit).unwrap();
                let own = std::mem::take(&mut point.0);
                let more = messages[point.1..].iter().take(limit);
                let found = own.concat() + &more.clone().map(|(_, xml)| xml.as_str()).collect::<String>();
                point.1 += more.len();
                found
            };
            let late = !found.is_empty() || tokio::time::timeout_at(end, news).await.is_err();
            if late {
                let now = Timestamp::now();
                let ends = now + jiff::SignedDuration::from_secs(180);
                return Some(format!(
                    "<e:PullMessagesResponse xmlns:e='{}' xmlns:n='{}'><e:CurrentTime>{now}</e:CurrentTime><e:TerminationTime>{ends}</e:TerminationTime>{found}</e:PullMessagesResponse>",
                    ns::TEV.uri,
                    ns::WSNT.uri
                ));
            }
        }
    }
}

/// A message of a topic below `tns1`.
pub(super) fn notification(topic: &str, operation: &str, time: Timestamp, value: &str) -> String {
    format!(
        "<n:NotificationMessage xmlns:n='{}' xmlns:t='{}' xmlns:tns1='http://www.onvif.org/ver10/topics'><n:Topic>{topic}</n:Topic><n:Message>\
         <t:Message UtcTime='{time}'{operation}><t:Source><t:SimpleItem Name='Token' Value='1'/></t:Source><t:Data><t:SimpleItem Name='Value' Value='{value}'/></t:Data></t:Message>\
         </n:Message></n:NotificationMessage>",
        ns::WSNT.uri,
        ns::TT.uri
    )
}

fn unknown() -> Response<Body> {
    let fault = Fault::invalid_arg_val("gone").with_detail(
        oriel_soap::xml::Any::from_xml("<r:ResourceUnknownFault xmlns:r='urn:r'/>", &Limits::REQUEST).unwrap(),
    );
    let mut response = reply(String::from_utf8(fault.to_envelope(None)).unwrap());
    *response.status_mut() = http::StatusCode::BAD_REQUEST;
    response
}

fn reply(text: String) -> Response<Body> {
    Response::builder()
        .header("content-type", "application/soap+xml; charset=utf-8")
        .header("content-length", text.len())
        .body(body::full(text))
        .unwrap()
}
