//! Logs go to standard error; standard output is for answers. Traces, when somebody collects them, go there.

use clap::{Args, ValueEnum};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _, fmt};

/// What is logged, how, and where traces go.
#[derive(Args)]
pub(crate) struct Logging {
    /// What to log to standard error, such as `info` or `oriel_uplink=debug`.
    #[arg(long, global = true, value_name = "FILTER", env = "ORIEL_LOG", default_value = "warn")]
    log: String,
    /// How to log: lines for people, or one line of JSON an event.
    #[arg(long, global = true, value_name = "FORMAT", env = "ORIEL_LOG_FORMAT", default_value = "text")]
    log_format: Format,
    /// Send OpenTelemetry traces by OTLP over HTTP to this collector, such as `http://127.0.0.1:4318`.
    #[cfg(feature = "traces")]
    #[arg(long, global = true, value_name = "URL", env = "ORIEL_TRACES", value_parser = crate::traces::endpoint)]
    pub(crate) traces: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Text,
    Json,
}

/// Logging that was started. [`Log::end`] sends what is left of the traces.
pub(crate) struct Log {
    #[cfg(feature = "traces")]
    traces: Option<crate::traces::Traces>,
}

impl Logging {
    /// Starts logging. `service` is how traces call this program.
    ///
    /// # Errors
    /// What is wrong with the filter, or why traces cannot be sent.
    pub(crate) fn start(&self, service: &'static str) -> Result<Log, String> {
        let filter = EnvFilter::try_new(&self.log).map_err(|error| format!("--log: {error}"))?;
        let lines = fmt::layer().with_writer(std::io::stderr);
        let lines = match self.log_format {
            Format::Text => lines.with_filter(filter).boxed(),
            Format::Json => lines.json().with_current_span(false).with_filter(filter).boxed(),
        };
        let subscriber = tracing_subscriber::registry().with(lines);
        #[cfg(feature = "traces")]
        {
            let traces = self.traces.as_deref().map(|endpoint| crate::traces::Traces::start(endpoint, service));
            let traces = traces.transpose().map_err(|error| format!("--traces: {error}"))?;
            subscriber.with(traces.as_ref().map(crate::traces::Traces::layer)).init();
            Ok(Log { traces })
        }
        #[cfg(not(feature = "traces"))]
        {
            let _untraced = service;
            subscriber.init();
            Ok(Log {})
        }
    }
}

impl Log {
    /// Sends what is left, within a few seconds.
    pub(crate) fn end(self) {
        #[cfg(feature = "traces")]
        if let Some(traces) = self.traces {
            traces.end();
        }
    }
}
