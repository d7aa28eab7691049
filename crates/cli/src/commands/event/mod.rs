//! `oriel device event`: tells a running device of this machine what happened.

mod words;

use std::path::{Path, PathBuf};

use clap::Args;
use clap::builder::{PossibleValue, StringValueParser, TypedValueParser};
use jiff::Timestamp;
use oriel_device::control::{AskError, Refusal, RefusalKind, Reply, Request, Topic, ask};
use oriel_onvif::events::topics::{self, Description};
use serde_json::json;

use crate::exit::{BadConfig, BadUsage, NotLetIn, NotReached, Refused};
use crate::output::Output;

/// Tell a device that runs on this machine what happened, as its hardware would.
///
/// `oriel device event motion on`, `oriel device event temperature 41.5`, `oriel device event digital-input on InputToken=DI_2`; any topic by its name:
/// `oriel device event tns1:Monitoring/ProcessorUsage Token=cpu Value=37`. `--list` shows the words, the topics and their items.
#[derive(Args)]
pub(crate) struct Event {
    /// What happened: a word of --list, or a topic such as tns1:VideoSource/MotionAlarm.
    #[arg(value_name = "WHAT", required_unless_present = "list", value_parser = What, hide_possible_values = true)]
    what: Option<String>,
    /// The state or the values, on and off for what is so or not, and items by name. What the device has just one of need not be named.
    #[arg(value_name = "VALUE|NAME=VALUE", allow_negative_numbers = true)]
    items: Vec<String>,
    /// When it happened; without it, now.
    #[arg(long, value_name = "TIME")]
    time: Option<Timestamp>,
    /// The component is no more: its property is deleted.
    #[arg(long)]
    gone: bool,
    /// Show what can be told; of a device that runs, which of it that device offers.
    #[arg(long, conflicts_with_all = ["what", "items", "time", "gone"])]
    list: bool,
    /// The data folder of the device.
    #[arg(long, value_name = "FOLDER", conflicts_with = "config")]
    data: Option<PathBuf>,
    /// The configuration file of the device, which names its data folder.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// Takes any text, and knows the words for completions.
#[derive(Clone)]
struct What;

impl TypedValueParser for What {
    type Value = String;

    fn parse_ref(
        &self,
        command: &clap::Command,
        argument: Option<&clap::Arg>,
        value: &std::ffi::OsStr,
    ) -> Result<String, clap::Error> {
        StringValueParser::new().parse_ref(command, argument, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(words::WORDS.iter().map(|word| PossibleValue::new(word.word).help(word.help))))
    }
}

impl Event {
    pub(crate) async fn run(self, output: Output) -> anyhow::Result<()> {
        let folder = self.folder()?;
        if self.list {
            return list(&folder, output).await;
        }
        let what = self.what.as_deref().unwrap_or_default();
        let mut tell = words::tell(words::find(what)?, &self.items, Timestamp::now())?;
        (tell.time, tell.gone) = (self.time, self.gone);
        match ask(&folder, &Request::Tell(tell)).await.map_err(unasked)? {
            Reply::Told(told) => {
                output.print(&json!({ "told": told.topic }), &format!("told {}", told.topic));
                Ok(())
            }
            Reply::Refused(refusal) => Err(refused(&refusal)),
            Reply::Topics(_) => Err(anyhow::anyhow!("the device answered another question")),
        }
    }

    fn folder(&self) -> anyhow::Result<PathBuf> {
        if let Some(folder) = &self.data {
            return Ok(folder.clone());
        }
        let config = match &self.config {
            Some(file) => oriel_device::Config::load(file),
            None => oriel_device::Config::parse("", Path::new("")),
        };
        Ok(config.map_err(|error| BadConfig(error.to_string()))?.data)
    }
}

fn unasked(error: AskError) -> anyhow::Error {
    match error {
        AskError::NoDevice(_) => NotReached(error.to_string()).into(),
        AskError::NotLetIn(_) => NotLetIn(error.to_string()).into(),
        AskError::TooLong => BadUsage::error(error.to_string()),
        error => error.into(),
    }
}

fn refused(refusal: &Refusal) -> anyhow::Error {
    // The list of topics is a page; --list shows it.
    let known = match refusal.kind {
        RefusalKind::Item | RefusalKind::Value if !refusal.known.is_empty() => {
            format!(": it has {}", refusal.known.join(", "))
        }
        _ => String::new(),
    };
    let text = format!("{}{known}", refusal.text);
    match refusal.kind {
        RefusalKind::NotOffered | RefusalKind::Device => Refused(text).into(),
        _ => BadUsage::error(text),
    }
}

async fn list(folder: &Path, output: Output) -> anyhow::Result<()> {
    let offered = match ask(folder, &Request::List {}).await {
        Ok(Reply::Topics(offered)) => Some(offered),
        Ok(_) => anyhow::bail!("the device answered another question"),
        Err(AskError::NoDevice(_)) => None,
        Err(error) => return Err(unasked(error)),
    };
    let is_offered = |description: &Description| {
        let topic = oriel_device::control::prefixed(description);
        offered.as_ref().map(|offered| offered.iter().any(|one| one.topic == topic))
    };
    // Those with a word first, in the words' order.
    let with_word = words::WORDS.iter().map(words::Word::description);
    let without = topics::catalogue().iter().filter(|topic| words::word_of(topic).is_none());
    let (mut lines, mut rows) = (Vec::new(), Vec::new());
    for description in with_word.chain(without) {
        let (word, offered) = (words::word_of(description), is_offered(description));
        lines.push(line(description, word, offered));
        let mut row = serde_json::to_value(Topic::from(description))?;
        row["word"] = json!(word.map(|word| word.word));
        row["offered"] = json!(offered);
        rows.push(row);
    }
    output.print(&json!(rows), &lines.join("\n"));
    Ok(())
}

/// One topic for people: its word, its name, its items, and whether the device that runs does not offer it.
fn line(description: &Description, word: Option<&words::Word>, offered: Option<bool>) -> String {
    let item = |item: &topics::Item| format!("{}{}", item.name, if item.optional { "?" } else { "" });
    let items: Vec<String> = description.items().map(item).collect();
    let mut line =
        format!("{:<26}  {}", word.map_or("-", |word| word.word), oriel_device::control::prefixed(description));
    if !items.is_empty() {
        line += &format!("  {}", items.join(" "));
    }
    if let Some(word) = word {
        line += &format!("\n{:<26}    {}", "", word.help);
    }
    if offered == Some(false) {
        line += &format!("\n{:<26}    (not offered by the device that runs)", "");
    }
    line
}
