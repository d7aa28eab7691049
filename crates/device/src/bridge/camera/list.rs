//! GetServices of a bridged camera (Core §8.1.2): it is answered whatever the camera says, since a cloud that renews the virtual device's certificate asks
//! there first, and needs no account of the camera for that.

use super::door::{Asked, Door, path};
use super::exchange::{ANSWER, Passing, SHORT_ANSWER, SHORT_BODY, refusal, written};
use super::refusal::{Language, unfit};
use super::way::{Failure, Kind, Question};
use super::{legacy, merge};
use crate::door::Refused;
use crate::services::bridged;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::response::Parts;
use http::{HeaderValue, Response, StatusCode};
use oriel_client::relay::addresses::addresses;
use oriel_client::relay::beginning;
use oriel_onvif::device_mgmt::{GetCapabilities, GetServices, GetServicesResponse, Service};
use oriel_onvif::ns;
use oriel_soap::envelope::{self, Headers};
use oriel_soap::xml::Any;
use oriel_soap::{Operation as _, With as _};
use oriel_uplink::Body;

/// Why the camera told no list.
enum Untold {
    /// It was not asked, or did not answer.
    Failed(Failure),
    /// It does not let us in.
    ShutOut,
    /// It said something else.
    Other,
}

impl Door {
    /// The camera's services with ours: those that it tells; else those that it told last; else its device service.
    pub(super) async fn list(
        &self,
        asked: &Asked,
        passing: &Passing,
        include: bool,
    ) -> Result<Response<Body>, Refused> {
        let list = match self.told(passing).await {
            Ok(list) => {
                self.remembered.keep(include, &list).await;
                list
            }
            Err(why) => match (self.remembered.last(include).await, why) {
                (Some(last), _) => last,
                (None, Untold::ShutOut) if passing.is_nobody(asked) => return Err(self.challenge()),
                // It may not even be a camera.
                (None, Untold::Failed(failure)) if !matches!(failure, Failure::ShutOut(_)) => {
                    return Err(Language::Soap.failed(&failure));
                }
                (None, _) => {
                    let address = self.way.current().camera.address();
                    reply(passing, vec![legacy::service(ns::TDS, address.as_str())])
                }
            },
        };
        Ok(self.lead(asked, passing, soap_head(), self.with_ours(asked, include, list)))
    }

    /// What the camera named before the bridge was started again still counts.
    pub(super) async fn recall(&self) {
        if let Some(last) = self.remembered.last(false).await {
            let address = self.way.current().camera.address();
            self.way.known().remember(addresses(&last, ""), false, &address);
        }
    }

    /// The list as the camera tells it.
    async fn told(&self, passing: &Passing) -> Result<Bytes, Untold> {
        let write = |headers: &Headers| written(&passing.envelope, headers);
        let (status, reply) = self.short(&passing.question(&write)).await?;
        if merge::is_list(&reply) {
            return Ok(reply);
        }
        if refusal(status, &reply).is_some() {
            self.way.refused(passing.account.as_ref());
            return Err(Untold::ShutOut);
        }
        self.old_list(passing).await.ok_or(Untold::Other)
    }

    /// The list of a camera that has no GetServices yet, as that would answer; none if it does not tell it in this way either.
    async fn old_list(&self, passing: &Passing) -> Option<Bytes> {
        let asked = GetCapabilities::default();
        let write = |headers: &Headers| envelope::request(&asked, headers);
        let question = Question {
            target: &passing.target,
            action: None,
            write: &write,
            account: passing.account.as_ref(),
            is_for_all: true,
            kind: Kind::Soon,
            answer: ANSWER,
        };
        let (_, told) = self.short(&question).await.ok()?;
        let services = legacy::services(&told).filter(|services| !services.is_empty())?;
        Some(reply(passing, services))
    }

    /// A short answer, whole.
    async fn short(&self, question: &Question<'_>) -> Result<(StatusCode, Bytes), Untold> {
        let (response, _permit) = Box::pin(self.way.ask(question)).await.map_err(Untold::Failed)?;
        if response.status() == StatusCode::UNAUTHORIZED {
            return Err(Untold::ShutOut);
        }
        if unfit(&response).is_some() {
            return Err(Untold::Other);
        }
        let (status, mut body) = (response.status(), response.into_body());
        let read = tokio::time::timeout(SHORT_BODY, beginning(&mut body, SHORT_ANSWER)).await;
        let (bytes, _) = read.ok().flatten().filter(|(_, is_whole)| *is_whole).ok_or(Untold::Other)?;
        Ok((status, bytes))
    }

    /// The camera's services with ours.
    fn with_ours(&self, asked: &Asked, include: bool, reply: Bytes) -> Bytes {
        let namespaces: Vec<&str> = bridged::SERVICES.iter().map(|service| service.namespace.uri).collect();
        let rows = bridged::SERVICES.iter().map(|service| {
            let row = service.shown(asked.base.join(&path(service)), include, &self.shared);
            Any::of(ns::TDS, "Service", &row)
        });
        let rows: Vec<Any> = rows.collect();
        merge::services(&reply, &namespaces, &rows).map_or(reply, Bytes::from)
    }
}

/// These services as the answer.
fn reply(passing: &Passing, services: Vec<Service>) -> Bytes {
    let list = GetServicesResponse::with(|list| list.service = services);
    envelope::reply(ns::TDS, GetServices::RESPONSE, &list, passing.answering.clone()).into()
}

/// The head of a SOAP answer of ours.
fn soap_head() -> Parts {
    let mut response = Response::new(());
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(envelope::CONTENT_TYPE));
    response.into_parts().0
}
