//! Logs go to standard error; standard output is for answers.

use tracing_subscriber::EnvFilter;

/// Starts logging by `filter`.
pub(crate) fn start(filter: &str) -> Result<(), String> {
    let filter = EnvFilter::try_new(filter).map_err(|error| error.to_string())?;
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    Ok(())
}
