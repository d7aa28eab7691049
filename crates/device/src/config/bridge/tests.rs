//! The configuration file of a bridge: the annotated example, and a table of mistakes.

use super::*;

fn parse(text: &str) -> Result<BridgeConfig, ConfigError> {
    BridgeConfig::parse(text, Path::new("/etc/oriel"))
}

const EXAMPLE: &str = include_str!("../../../../../docs/ref/bridge.toml");

#[test]
fn the_annotated_example_is_valid_and_says_the_defaults() {
    assert!(check::is_meant(EXAMPLE));
    let config = parse(EXAMPLE).unwrap();
    let default = BridgeConfig::new("/etc/oriel/oriel-bridge");
    assert_eq!(config.listen, default.listen);
    assert_eq!(config.data, default.data);
    assert_eq!(config.max_uplinks, default.max_uplinks);
    assert_eq!(config.max_body, default.max_body);
    assert_eq!(config.max_connections, default.max_connections);
    assert_eq!(config.clock_tolerance, default.clock_tolerance);
    assert_eq!(config.insecure_uplinks, default.insecure_uplinks);
    assert_eq!(config.camera_pages, default.camera_pages);
    let (found, plain) = (config.discover.unwrap(), Discover::default());
    assert_eq!((found.ipv4, found.ipv6, found.every, found.most), (plain.ipv4, plain.ipv6, plain.every, plain.most));
    assert_eq!((found.scopes, found.believe), (plain.scopes, plain.believe));
    assert_eq!((found.interfaces.len(), found.ignore.len(), found.accounts.len()), (1, 2, 1));
    let cloud = config.cloud.unwrap();
    assert_eq!((cloud.url.as_str(), &cloud.levels), ("https://cloud.example:8443/", &vec![Role::Administrator]));
    let [gate, dock] = &config.cameras[..] else { panic!("{:?}", config.cameras) };
    assert_eq!((gate.name.as_str(), gate.address.as_str()), ("gate", "http://192.168.20.11/onvif/device_service"));
    assert_eq!(
        gate.accounts.iter().map(|account| account.level).collect::<Vec<_>>(),
        [Role::Administrator, Role::User]
    );
    assert_eq!((&dock.believe, &dock.accounts), (&Believe::Insecure, &Vec::new()));
}

#[test]
fn the_annotated_example_has_every_key() {
    let bare = EXAMPLE.lines().map(|line| line.strip_prefix("# ").filter(|rest| is_key(rest)).unwrap_or(line));
    let bare = bare.collect::<Vec<_>>().join("\n");
    let table: toml::Table = toml::from_str(&bare).unwrap();
    let inside = |path: &[&str]| {
        let mut here = toml::Value::Table(table.clone());
        for name in path {
            here = here.get(*name).unwrap_or_else(|| panic!("docs/ref/bridge.toml lacks {name}")).clone();
            if let toml::Value::Array(list) = here {
                here = list[0].clone();
            }
        }
        here
    };
    let probes: [(&str, &[&str]); 6] = [
        ("no_such_key = 1", &[]),
        ("[bridge]\nno_such_key = 1", &["bridge"]),
        ("[bridge.cloud]\nno_such_key = 1", &["bridge", "cloud"]),
        ("[discover]\nno_such_key = 1", &["discover"]),
        ("[[camera]]\nno_such_key = 1", &["camera"]),
        ("[[camera]]\nname = \"a\"\naddress = \"b\"\n[[camera.account]]\nno_such_key = 1", &["camera", "account"]),
    ];
    for (text, path) in probes {
        let unknown = parse(text).unwrap_err().problem;
        let known: Vec<_> = unknown.split('`').skip(3).step_by(2).collect();
        assert!(known.len() > 1, "{unknown}");
        for key in known {
            assert!(inside(path).get(key).is_some(), "docs/ref/bridge.toml lacks {key} in {path:?}");
        }
    }
}

/// A line of the example that stands for one of the file.
fn is_key(line: &str) -> bool {
    line.split_once(" = ").is_some_and(|(key, _)| key.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'))
}

#[test]
fn a_file_is_a_bridges_by_a_table_of_its_own() {
    for text in ["[bridge]", "[discover]", "[[camera]]", "listen = []\n[bridge.cloud]"] {
        assert!(check::is_meant(text), "{text}");
    }
    for text in ["", "listen = [\"0.0.0.0:80\"]", "[[user]]\nname = \"camera\"", "[bridge"] {
        assert!(!check::is_meant(text), "{text}");
    }
}

const CAMERA: &str = "[[camera]]\nname = \"gate\"\naddress = \"http://10.0.0.5/\"\nquirks = \"token\"\n";
const ACCOUNT: &str = "[[camera.account]]\nuser = \"admin\"\npassword = \"horse 4711\"\nlevel = \"User\"\n";

/// What is changed in a camera with an account, then the line, the key and the words that the error must have.
#[rustfmt::skip]
const MISTAKES: &[(&str, &str, usize, &str, &str)] = &[
    ("name = \"gate\"", "name = \"Gate\"", 2, "camera.name", "small letters"),
    ("name = \"gate\"", "name = \"../x\"", 2, "camera.name", "small letters"),
    ("name = \"gate\"\n", "", 1, "name", "add it"),
    ("http://10.0.0.5/", "10.0.0.5", 3, "camera.address", "http://192.168.1.20"),
    ("http://10.0.0.5/", "http://u:horse@10.0.0.5/", 3, "camera.address", "not in the address"),
    ("http://10.0.0.5/", "http://0.0.0.0/", 3, "camera.address", "no single"),
    ("quirks = \"token\"", "quirks = \"odd\"", 4, "camera.quirks", "give one of"),
    ("quirks", "endpoint = \"a b\"\nquirks", 4, "camera.endpoint", "blanks"),
    ("quirks = \"token\"", "qirks = \"token\"", 4, "qirks", "unknown key"),
    ("quirks = \"token\"", "ca = \"no.pem\"", 4, "camera.ca", "/etc/oriel/no.pem"),
    ("quirks = \"token\"", "ca = \"no.pem\"\ninsecure = true", 4, "camera.ca", "twice"),
    ("\"admin\"", "\"a:b\"", 6, "camera.account.user", "colon"),
    ("\"horse 4711\"", "4711", 7, "password", "quotes"),
    ("horse 4711", "", 7, "camera.account.password", "empty"),
    ("horse 4711", "horse\\n4711", 7, "camera.account.password", "control"),
    ("password = \"horse 4711\"\n", "", 6, "camera.account.password", "password_file"),
    ("password", "password_file = \"f\"\npassword", 8, "camera.account.password", "twice"),
    ("password = \"horse 4711\"", "password_file = \"no\"", 7, "camera.account.password_file", "/etc/oriel/no"),
    ("\"User\"", "\"Anonymous\"", 8, "camera.account.level", "Operator"),
    ("level", "role", 8, "role", "unknown key"),
];

/// Whole texts.
#[rustfmt::skip]
const OTHER_MISTAKES: &[(&str, usize, &str, &str)] = &[
    ("model = \"x\"\n[bridge]", 1, "model", "unknown key"),
    ("listen = []\n[bridge]", 1, "listen", "empty"),
    ("max_connections = 1", 1, "max_connections", "from 4"),
    ("[bridge]\ncamera_pages = 1", 2, "camera_pages", "expected a boolean"),
    ("[bridge.cloud]\nurl = \"https://c\"", 2, "bridge.cloud.code", "code_file"),
    ("[bridge.cloud]\nurl = \"http://c\"\ncode = \"horse\"", 2, "bridge.cloud.url", "https"),
    ("[bridge.cloud]\nurl = \"https://u:horse@c\"\ncode = \"x\"", 2, "bridge.cloud.url", "without an account"),
    ("[bridge.cloud]\nurl = \"https://c\"\ncode = \"x\"\nlevels = []", 4, "bridge.cloud.levels", "empty"),
    ("[bridge.cloud]\nurl = \"https://c\"\ncode = 4711", 3, "code", "quotes"),
    ("[discover]\nevery_seconds = 1", 2, "discover.every_seconds", "from 10"),
    ("[discover]\nmost = 5000", 2, "discover.most", "from 1 to 1000"),
    ("[discover]\nipv4 = false\nipv6 = false", 2, "discover.ipv4", "neither"),
    ("[discover]\nscopes = [\"\"]", 2, "discover.scopes", "empty"),
    ("[[discover.account]]\nuser = \"a\"\npassword = \"b\"\n[[discover.account]]\nuser = \"c\"\npassword = \"d\"", 5, "discover.account.level", "already"),
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
fn every_mistake_is_named_with_its_line_and_key_and_no_secret_is_told() {
    let whole = format!("{CAMERA}{ACCOUNT}");
    parse(&whole).unwrap();
    for (from, to, line, key, words) in MISTAKES {
        assert!(whole.contains(from), "{from}");
        assert_refused(&whole.replacen(from, to, 1), *line, key, words);
    }
    for (text, line, key, words) in OTHER_MISTAKES {
        assert_refused(text, *line, key, words);
    }
}

#[test]
fn a_camera_is_in_the_list_once() {
    let other = CAMERA.replace("gate", "dock").replace("10.0.0.5", "10.0.0.6");
    assert_eq!(parse(&format!("{CAMERA}{other}")).unwrap().cameras.len(), 2);
    assert_refused(&CAMERA.repeat(2), 6, "camera.name", "line 2 has the same name");
    assert_refused(&format!("{CAMERA}{}", CAMERA.replace("gate", "dock")), 7, "camera.address", "same address");
    let of = |camera: &str, endpoint: &str| format!("{camera}endpoint = \"{endpoint}\"\n");
    let twice = format!("{}{}", of(CAMERA, "urn:uuid:a"), of(&other, "urn:uuid:A"));
    assert_refused(&twice, 10, "camera.endpoint", "same endpoint");
}

#[test]
fn secrets_may_lie_in_files_of_their_own() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("password"), "correct horse\n").unwrap();
    std::fs::write(folder.path().join("code"), "once").unwrap();
    let text = format!(
        "[bridge.cloud]\nurl = \"https://c\"\ncode_file = \"code\"\n{CAMERA}{}",
        ACCOUNT.replace("password = \"horse 4711\"", "password_file = \"password\"")
    );
    let file = folder.path().join("bridge.toml");
    std::fs::write(&file, text).unwrap();
    assert!(BridgeConfig::is_meant(&file).unwrap());
    let config = BridgeConfig::load(&file).unwrap();
    assert_eq!(config.cameras[0].accounts[0].password.reveal(), "correct horse");
    assert_eq!(config.cloud.as_ref().unwrap().code.reveal(), "once");
    assert_eq!(config.file.as_deref(), Some(file.as_path()));
    assert!(!format!("{config:?}").contains("horse"));
}

#[test]
fn the_file_of_the_guide_can_be_used() {
    let guide = include_str!("../../../../../docs/guide/bridge.md");
    let (_, rest) = guide.split_once("```toml\n").unwrap();
    let (text, _) = rest.split_once("```").unwrap();
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("code"), "a code").unwrap();
    let config = BridgeConfig::parse(text, folder.path()).unwrap();
    assert_eq!((config.cameras.len(), config.discover.unwrap().accounts.len()), (1, 1));
}
