//! `oriel doctor`: what is right and wrong with a camera, a cloud, or a device behind one, layer by layer, and what to do next.

use clap::Args;

use crate::exit::Unwell;
use crate::output::Output;
use crate::target::{Subject, SubjectKind, Target};

mod camera;
mod cloud;
mod device;
mod finding;
mod layers;

/// Look at a camera, a cloud, or a device behind a cloud, layer by layer, and say what to do next.
///
/// http://camera/onvif/device_service is a camera on the LAN, https://cloud a cloud, and an id with --cloud, or https://cloud/d/ID, a device behind one. Nothing
/// is changed. A cloud's --token here is one that a device would show.
#[derive(Args)]
pub(crate) struct Doctor {
    #[command(flatten)]
    target: Target,
    /// What DEVICE is, where its address does not tell.
    #[arg(long = "as", value_name = "KIND")]
    kind: Option<SubjectKind>,
}

impl Doctor {
    pub(crate) async fn run(self, output: Output) -> anyhow::Result<()> {
        let validation = self.target.validation()?;
        let report = match self.target.subject(self.kind)? {
            Subject::Camera { url, account } => camera::examine(&url, account, &validation).await?,
            Subject::Cloud { url, token } => cloud::examine(&url, token.as_deref(), &validation).await?,
            Subject::Device { url, id, token } => device::examine(&url, &id, token, &validation).await?,
        };
        output.print(&report.as_json(), &report.as_text());
        match report.exit() {
            0 => Ok(()),
            exit => Err(Unwell { exit, checks: report.wrongs() }.into()),
        }
    }
}
