//! The configuration file: the annotated example, and a table of mistakes.

use super::*;
use crate::store::Role;

fn parse(text: &str) -> Result<Config, ConfigError> {
    Config::parse(text, Path::new("/etc/oriel"))
}

const EXAMPLE: &str = include_str!("../../../../docs/ref/device.toml");

#[test]
fn the_annotated_example_is_valid_and_says_the_defaults() {
    let config = parse(EXAMPLE).unwrap();
    let default = Config::new("/etc/oriel/oriel-device");
    assert_eq!(config.listen, default.listen);
    assert_eq!(config.data, default.data);
    assert_eq!(config.max_uplinks, default.max_uplinks);
    assert_eq!(config.max_event_brokers, default.max_event_brokers);
    assert_eq!(config.insecure_event_brokers, default.insecure_event_brokers);
    assert_eq!(config.max_body, default.max_body);
    assert_eq!(config.max_connections, default.max_connections);
    assert_eq!(config.clock_tolerance, default.clock_tolerance);
    assert_eq!(config.insecure_uplinks, default.insecure_uplinks);
    assert_eq!(config.information.manufacturer, default.information.manufacturer);
    assert_eq!(config.information.model, default.information.model);
    assert_eq!(config.information.name, default.information.name);
    assert_eq!(config.information.serial_number.as_deref(), Some("OD-000417"));
    assert_eq!(config.information.location.as_deref(), Some("loading dock"));
    assert_eq!(config.call_out.allowed.len(), 2);
    assert_eq!(config.call_out.allowed_by_uplink, []);
    assert_eq!(config.users[0].level, Role::Administrator);
    let (sources, default) = (config.sources, default.sources);
    assert_eq!(sources.topics.len(), 3);
    let tokens =
        |sources: &Sources| [&sources.video_sources, &sources.digital_inputs, &sources.relay_outputs].map(Clone::clone);
    assert_eq!(tokens(&sources), tokens(&default));
    assert_eq!(sources.machine, default.machine);
}

#[test]
fn the_annotated_example_has_every_key() {
    let mut without_keys = EXAMPLE
        .replace("# [[", "[[")
        .replace("# id", "id")
        .replace("# chain", "chain")
        .replace("# consumer_policy", "consumer_policy");
    without_keys = without_keys.replace("# key", "key").replace("# anchors", "anchors");
    let table: toml::Table = toml::from_str(&without_keys).unwrap();
    let unknown = parse("no_such_key = 1").unwrap_err().problem;
    let known: Vec<_> = unknown.split('`').skip(3).step_by(2).collect();
    assert!(known.len() > 15, "{unknown}");
    for key in known {
        assert!(table.contains_key(key), "docs/ref/device.toml lacks {key}");
    }
}

#[test]
fn an_empty_file_is_the_default() {
    let config = parse("").unwrap();
    assert_eq!(config.listen, Config::new("x").listen);
    assert_eq!(config.data, Path::new("/etc/oriel/oriel-device"));
    assert!(config.users.is_empty());
}

type Mistake = (&'static str, usize, &'static str, &'static str);

/// The text, then the line, the key and the words that the error must have.
#[rustfmt::skip]
const MISTAKES: &[Mistake] = &[
    ("\nlisten_on = \"x\"", 2, "listen_on", "unknown key"),
    ("listen = \"0.0.0.0:80\"", 1, "listen", "expected a sequence"),
    ("listen = [\n \"0.0.0.0:80\",\n \"camera:80\"]", 3, "listen", "0.0.0.0:8080"),
    ("[discovery]\ninterfaces = [\"\"]", 2, "discovery.interfaces", "eth0"),
    ("[discovery]\nport = 1", 2, "port", "unknown key"),
    ("[discovery]\nenabled = 1", 2, "enabled", "expected a boolean"),
    ("listen = []", 1, "listen", "empty"),
    ("model = \"\"", 1, "model", "empty"),
    ("serial = \" \"", 1, "serial", "empty"),
    ("max_event_brokers = 17", 1, "max_event_brokers", "from 0 to 16"),
    ("name = \"x\"\nconsumer_policy = \"none\"", 2, "consumer_policy", "no policy"),
    ("max_uplinks = 0", 1, "max_uplinks", "from 1 to 64"),
    ("max_uplinks = -1", 1, "max_uplinks", "from 1 to 64"),
    ("max_uplinks = \"8\"", 1, "max_uplinks", "expected"),
    ("max_body_bytes = 100", 1, "max_body_bytes", "from 4096"),
    ("max_connections = 1", 1, "max_connections", "from 4"),
    ("clock_tolerance_seconds = 1", 1, "clock_tolerance_seconds", "from 5"),
    ("insecure_uplinks = 1", 1, "insecure_uplinks", "expected a boolean"),
    ("allow_private_addresses = [\"lan\"]", 1, "allow_private_addresses", "192.168.0.0/16"),
    ("allow_private_addresses_by_uplink = [\"::/200\"]", 1, "allow_private_addresses_by_uplink", "range"),
    ("model = \"a\"\nmodel = \"b\"", 2, "model", "duplicate key"),
    ("[[user]]\nname = \"u\"\nlevel = \"User\"", 1, "password", "add it"),
    ("[[certificate]]\nid = \"device\"\nchain = \"c\"\nkey = \"k\"", 2, "certificate.id", "another id"),
    ("[[certificate]]\nid = \"x\"\nchain = \"c\"\nkey = \"k\"", 3, "certificate.chain", "/etc/oriel/c"),
    ("[[policy]]\nid = \"x\"\nanchors = \"a\"", 3, "policy.anchors", "/etc/oriel/a"),
    ("[[policy]]\nid = \"\"\nanchors = \"a\"", 2, "policy.id", "empty"),
    ("[[policy]]\nid = \"our cloud\"\nanchors = \"a\"", 2, "policy.id", "no name"),
    ("[[certificate]]\nid = \"1st\"\nchain = \"c\"\nkey = \"k\"", 2, "certificate.id", "beginning with a letter"),
    ("[events]\nfoo = 1", 2, "foo", "unknown key"),
    ("[events]\ntopics = [\n \"tns1:VideoSource/MotionAlarm\",\n \"tns1:VideoSource/Moon\"]", 4, "events.topics", "means no topic"),
    ("[events]\ntopics = [\"tns2:VideoSource/MotionAlarm\"]", 2, "events.topics", "no expression"),
    ("[events]\ntopics = [\"tns1:EventBuffer/Begin\"]", 2, "events.topics", "means no topic"),
    ("[events]\nvideo_sources = [\"a\", \"a\"]", 2, "events.video_sources", "twice"),
    ("[events]\ndigital_inputs = [\"\"]", 2, "events.digital_inputs", "1 to 64"),
    ("[events]\nhost = 1", 2, "host", "expected a boolean"),
    ("[listen", 1, "", ""),
];

fn assert_refused(text: &str, line: usize, key: &str, words: &str) {
    let error = parse(text).unwrap_err();
    assert_eq!(error.line, Some(line), "{text}: {error}");
    assert_eq!(error.key.as_deref().unwrap_or_default(), key, "{text}: {error}");
    assert!(error.problem.contains(words), "{text}: {error}");
    let told = error.to_string();
    assert!(!told.contains("horse") && !told.contains("4711"), "{text}: {told}");
}

#[test]
fn every_mistake_is_named_with_its_line_and_key() {
    for (text, line, key, words) in MISTAKES {
        assert_refused(text, *line, key, words);
    }
}

#[test]
fn mistakes_in_users_are_named_and_passwords_are_not_told() {
    let user = "[[user]]\nname = \"u\"\npassword = \"correct horse\"\nlevel = \"Administrator\"\n";
    parse(user).unwrap();
    let with = |from: &str, to: &str| user.replace(from, to);
    assert_refused(&with("\"u\"", "\"\""), 2, "user.name", "empty");
    assert_refused(&with("\"u\"", "\"a:b\""), 2, "user.name", "colon");
    assert_refused(&with("correct horse", "horse"), 3, "user.password", "too weak");
    assert_refused(&with("\"correct horse\"", "4711"), 3, "password", "quotes");
    assert_refused(&with("Administrator", "Anonymous"), 4, "user.level", "Operator");
    assert_refused(&with("Administrator", "User"), 4, "user.level", "nobody is Administrator");
    assert_refused(&with("level", "role"), 4, "role", "unknown key");
    assert_refused(&user.repeat(2), 6, "user.name", "twice");
}

#[test]
fn topics_are_chosen_by_name_or_by_branch_and_none_is_a_choice_too() {
    let topics = |text: &str| -> Vec<&str> {
        let config = parse(&format!("[events]\ntopics = {text}")).unwrap();
        config.sources.topics.iter().map(|topic| topic.topic).collect()
    };
    let chosen = topics("[\"tns1:VideoSource/MotionAlarm|tns1:Device/Trigger//.\", \"tns1:VideoSource/MotionAlarm\"]");
    assert_eq!(chosen, ["Device/Trigger/DigitalInput", "Device/Trigger/Relay", "VideoSource/MotionAlarm"]);
    assert_eq!(topics("[]"), [""; 0]);
    assert!(parse("").unwrap().sources.topics.len() > 50);
    assert_eq!(parse("[events]\nhost = false").unwrap().sources.machine, None);
}

#[test]
fn certificates_and_policies_are_read_from_files() {
    let folder = tempfile::tempdir().unwrap();
    let identity = Identity::self_signed("camera", &[]).unwrap();
    let (chain, key) = identity.to_pem();
    std::fs::write(folder.path().join("chain.pem"), chain).unwrap();
    std::fs::write(folder.path().join("key.pem"), key).unwrap();
    std::fs::write(
        folder.path().join("device.toml"),
        "[[certificate]]\nid = \"factory\"\nchain = \"chain.pem\"\nkey = \"key.pem\"\n[[policy]]\nid = \"cloud\"\nanchors = \"chain.pem\"\n",
    )
    .unwrap();
    let config = Config::load(&folder.path().join("device.toml")).unwrap();
    assert_eq!(config.certificates["factory"].fingerprint(), identity.fingerprint());
    assert_eq!(config.policies["cloud"].anchors, identity.chain());
    assert!(!format!("{config:?}").contains("PRIVATE"));

    let missing = Config::load(&folder.path().join("no.toml")).unwrap_err().to_string();
    assert!(missing.contains("no.toml") && missing.contains("cannot be read"), "{missing}");
}
