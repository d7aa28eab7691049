//! From the body's element to the handler: known, allowed, readable, bound, in this order (Core §5.8.2.2, §5.9.4).

use crate::access::{self, Caller, Levels};
use crate::envelope::{self, Addressing, Envelope};
use crate::fault::Fault;
use crate::operation::{Operation, Row, Table, lookup};
use crate::xml::XmlWrite;
use bytes::Bytes;
use http::StatusCode;
use std::collections::HashMap;
use std::pin::Pin;

/// What a handler is given beside the request tells who calls.
pub trait HasCaller {
    /// Who calls.
    fn caller(&self) -> &Caller;
}

impl HasCaller for Caller {
    fn caller(&self) -> &Caller {
        self
    }
}

/// What goes back over HTTP.
#[derive(Debug, Clone)]
pub struct Reply {
    /// 200, or the status of the fault.
    pub status: StatusCode,
    /// The message, of type [`envelope::CONTENT_TYPE`].
    pub body: Bytes,
    /// The fault that is in the message.
    pub fault: Option<Fault>,
}

impl Reply {
    /// The reply that a fault makes, before there is a router to ask.
    #[must_use]
    pub fn of_fault(fault: Fault) -> Self {
        Self::with_addressing(fault, None)
    }

    /// The same for a request whose envelope was read: the fault relates to it, if it has a name.
    #[must_use]
    pub fn refusing(fault: Fault, envelope: &Envelope<'_>) -> Self {
        let addressing = envelope.addressing();
        Self::with_addressing(fault, addressing.answer(addressing.fault_action()).as_ref())
    }

    fn with_addressing(fault: Fault, addressing: Option<&Addressing>) -> Self {
        Self { status: fault.status(), body: fault.to_envelope(addressing).into(), fault: Some(fault) }
    }
}

type Answer = Pin<Box<dyn Future<Output = Result<Box<dyn Written>, Fault>> + Send>>;
type Bound<C> = Box<dyn Fn(&Envelope<'_>, C) -> Result<Answer, Fault> + Send + Sync>;

/// A response that knows how it is written.
trait Written: Send {
    fn write(&self, row: &Row, addressing: Option<Addressing>) -> Vec<u8>;
}

/// The content of a response, and the name of its element.
struct Content<W>(&'static str, W);

impl<W: XmlWrite + Send> Written for Content<W> {
    fn write(&self, row: &Row, addressing: Option<Addressing>) -> Vec<u8> {
        envelope::reply(row.service, self.0, &self.1, addressing)
    }
}

/// The operations that a server knows, and the handlers of those that it offers. `C` is what a handler is given beside the request.
pub struct Router<C> {
    tables: Vec<&'static Table>,
    handlers: HashMap<(&'static str, &'static str), Bound<C>>,
}

impl<C> std::fmt::Debug for Router<C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Router").field("bound", &self.handlers.keys()).finish_non_exhaustive()
    }
}

impl<C: HasCaller + Send + 'static> Router<C> {
    /// A router that knows the operations of these tables and offers none.
    #[must_use]
    pub fn new(tables: &[&'static Table]) -> Self {
        Self { tables: tables.to_vec(), handlers: HashMap::new() }
    }

    /// Offers an operation.
    ///
    /// # Panics
    /// The operation is in none of the tables, or is offered already: an error of the program, found at start-up.
    #[must_use]
    pub fn on<O, F, R>(self, handler: F) -> Self
    where
        O: Operation,
        F: Fn(C, O) -> R + Send + Sync + 'static,
        R: Future<Output = Result<O::Response, Fault>> + Send + 'static,
    {
        self.on_as::<O, O::Response, F, R>(handler)
    }

    /// Offers an operation whose response is written by a type of the handler's own: what it writes has to be what `O::Response` would.
    ///
    /// # Panics
    /// As [`Self::on`].
    #[must_use]
    pub fn on_as<O, W, F, R>(mut self, handler: F) -> Self
    where
        O: Operation,
        W: XmlWrite + Send + 'static,
        F: Fn(C, O) -> R + Send + Sync + 'static,
        R: Future<Output = Result<W, Fault>> + Send + 'static,
    {
        let known = lookup(&self.tables, O::SERVICE.uri, O::NAME);
        assert!(known.is_some(), "{} is in none of the router's tables", O::NAME);
        let bound: Bound<C> = Box::new(move |envelope, call| {
            let answer = handler(call, envelope.request::<O>()?);
            Ok(Box::pin(async move { Ok(Box::new(Content(O::RESPONSE, answer.await?)) as Box<dyn Written>) }))
        });
        let twice = self.handlers.insert((O::SERVICE.uri, O::NAME), bound);
        assert!(twice.is_none(), "{} is offered twice", O::NAME);
        self
    }

    /// The operations that are offered: namespace and name.
    pub fn bound(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        self.handlers.keys().copied()
    }

    /// What the tables say about the request, none if they don't have it.
    #[must_use]
    pub fn row(&self, envelope: &Envelope<'_>) -> Option<&'static Row> {
        let (namespace, name) = envelope.operation();
        lookup(&self.tables, namespace, name)
    }

    /// Decides the request up to the handler, and then runs it. All reading is done before the first await; the future borrows
    /// nothing. `http_action` is [`envelope::ContentType::action`].
    pub fn dispatch(
        &self,
        envelope: &Envelope<'_>,
        http_action: Option<&str>,
        call: C,
    ) -> impl Future<Output = Reply> + Send + use<C> {
        let addressing = envelope.addressing();
        let started = self.start(envelope, http_action, call);
        async move {
            let faulty = |fault: Fault| {
                let headers = addressing.answer(addressing.fault_action());
                Reply::with_addressing(fault, headers.as_ref())
            };
            let (row, answer) = match started {
                Ok(started) => started,
                Err(fault) => return faulty(fault),
            };
            match answer.await {
                Ok(response) => {
                    let headers = addressing.answer(addressing.response_action(row.service, row.name));
                    Reply { status: StatusCode::OK, body: response.write(row, headers).into(), fault: None }
                }
                Err(fault) => faulty(fault),
            }
        }
    }

    fn start(
        &self,
        envelope: &Envelope<'_>,
        http_action: Option<&str>,
        call: C,
    ) -> Result<(&'static Row, Answer), Fault> {
        envelope.understood()?;
        envelope.answered_here()?;
        let (namespace, name) = envelope.operation();
        let row = self.row(envelope).ok_or_else(|| unknown(namespace, name))?;
        envelope.agrees(http_action)?;
        authorised(row, call.caller().levels)?;
        let handler = self.handlers.get(&(row.service.uri, row.name));
        let handler =
            handler.ok_or_else(|| Fault::action_not_supported(format!("{name} is not offered by this device")))?;
        Ok((row, handler(envelope, call)?))
    }
}

fn unknown(namespace: &str, name: &str) -> Fault {
    Fault::unknown_action(format!("no service here has {name} of {namespace:?}"))
}

/// Whether these levels may ask for the operation.
///
/// # Errors
/// `ter:NotAuthorized`.
pub fn authorised(row: &Row, levels: Levels) -> Result<(), Fault> {
    if access::allowed(levels, row.access) {
        return Ok(());
    }
    Err(Fault::not_authorized(format!("{} needs more than {levels}: its access class is {}", row.name, row.access)))
}
