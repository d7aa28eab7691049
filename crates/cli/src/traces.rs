//! OpenTelemetry traces, sent by OTLP over HTTP: spans of ours that are called `oriel…`, joined across the tunnel by W3C Trace Context.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry::propagation::{Extractor, Injector, TextMapPropagator as _};
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::{SpanExporter, WithExportConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{SdkTracerProvider, SpanData};
use tokio::runtime::Runtime;
use tracing::level_filters::LevelFilter;
use tracing::{Span, Subscriber};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::registry::LookupSpan;

/// How long a collector may take to answer, and how long the end waits for it.
const COLLECTOR: Duration = Duration::from_secs(5);

/// Traces are being sent: whoever makes requests names its spans in them.
static SENT: AtomicBool = AtomicBool::new(false);

/// Checks a collector's address.
pub(crate) fn endpoint(text: &str) -> Result<String, String> {
    let uri = text.parse::<http::Uri>().ok().filter(|uri| uri.scheme_str() == Some("http") && uri.host().is_some());
    uri.map(|_| text.to_owned()).ok_or_else(|| "this is not an address such as http://127.0.0.1:4318".to_owned())
}

/// What sends traces. It has a thread of its own: the program's own runtime ends before the last spans are sent.
pub(crate) struct Traces {
    provider: SdkTracerProvider,
    _runtime: Runtime,
}

impl Traces {
    /// Gets ready to send to `endpoint`. A collector that is not there costs nothing but a line in the log now and then.
    pub(crate) fn start(endpoint: &str, service: &'static str) -> Result<Self, String> {
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        let runtime = runtime.worker_threads(1).thread_name("traces").enable_all().build();
        let runtime = runtime.map_err(|error| error.to_string())?;
        let inside = runtime.enter();
        let exporter = SpanExporter::builder()
            .with_http()
            .with_endpoint(format!("{}/v1/traces", endpoint.trim_end_matches('/')))
            .with_timeout(COLLECTOR)
            .build()
            .map_err(|error| error.to_string())?;
        drop(inside);
        let exporter = OnRuntime { exporter: Arc::new(exporter), runtime: runtime.handle().clone() };
        let resource = Resource::builder().with_service_name(service).build();
        let provider = SdkTracerProvider::builder().with_resource(resource).with_batch_exporter(exporter).build();
        SENT.store(true, Relaxed);
        Ok(Self { provider, _runtime: runtime })
    }

    /// Turns our spans into OpenTelemetry's.
    pub(crate) fn layer<S>(&self) -> impl Layer<S> + use<S>
    where
        S: Subscriber + for<'span> LookupSpan<'span>,
    {
        let ours = Targets::new().with_target("oriel", LevelFilter::INFO);
        tracing_opentelemetry::layer().with_tracer(self.provider.tracer("oriel")).with_filter(ours)
    }

    /// Sends what is left.
    pub(crate) fn end(self) {
        if let Err(error) = self.provider.shutdown_with_timeout(COLLECTOR) {
            tracing::warn!(%error, "the last traces were not sent");
        }
    }
}

/// The exporter's connections need a runtime, and the thread that batches spans has none.
#[derive(Debug)]
struct OnRuntime {
    exporter: Arc<SpanExporter>,
    runtime: tokio::runtime::Handle,
}

impl opentelemetry_sdk::trace::SpanExporter for OnRuntime {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let exporter = Arc::clone(&self.exporter);
        let sent = self.runtime.spawn(async move { exporter.export(batch).await }).await;
        sent.unwrap_or_else(|error| Err(OTelSdkError::InternalFailure(error.to_string())))
    }

    fn set_resource(&mut self, resource: &Resource) {
        if let Some(exporter) = Arc::get_mut(&mut self.exporter) {
            exporter.set_resource(resource);
        }
    }
}

/// Makes a span part of the trace that headers name, if traces are sent.
#[cfg(feature = "device")]
pub(crate) fn joining() -> Option<fn(&Span, &HeaderMap)> {
    SENT.load(Relaxed).then_some(join)
}

/// How the cloud's spans take their place in traces, if traces are sent.
#[cfg(feature = "cloud")]
pub(crate) fn propagation() -> Option<oriel_cloud::Propagation> {
    SENT.load(Relaxed).then_some(oriel_cloud::Propagation { join, name })
}

fn join(span: &Span, headers: &HeaderMap) {
    let parent = TraceContextPropagator::new().extract(&Headers(headers));
    if let Err(error) = span.set_parent(parent) {
        tracing::debug!(%error, "a span cannot join its trace");
    }
}

#[cfg(feature = "cloud")]
fn name(span: &Span, headers: &mut HeaderMap) {
    TraceContextPropagator::new().inject_context(&span.context(), &mut HeadersMut(headers));
}

struct Headers<'a>(&'a HeaderMap);

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(HeaderName::as_str).collect()
    }
}

#[cfg(feature = "cloud")]
struct HeadersMut<'a>(&'a mut HeaderMap);

#[cfg(feature = "cloud")]
impl Injector for HeadersMut<'_> {
    fn set(&mut self, key: &str, value: String) {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(key), HeaderValue::try_from(value)) {
            self.0.insert(name, value);
        }
    }
}
