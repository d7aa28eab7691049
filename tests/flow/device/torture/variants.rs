//! One message in many hands: the same names by other prefixes, declared elsewhere (Namespaces in XML 1.0; Core §5.3).

use oriel_soap::xml::Element;
use std::collections::BTreeMap;

/// How a client writes its namespaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hand {
    /// As we write it ourselves.
    Ours,
    /// A default namespace, declared by each element for itself.
    DefaultOfEach,
    /// A default namespace, declared by the parent where it can be.
    DefaultOfParent,
    /// Prefixes that nobody expects, declared on the envelope.
    Odd,
    /// Several prefixes for one namespace, declared on the envelope and used by turns.
    ManyForOne,
    /// One prefix for every namespace, declared anew wherever it changes.
    OneForMany,
    /// The usual prefixes, and a default, which the envelope declares for something else.
    Shadowed,
}

impl Hand {
    /// All that are not ours: the five that clients are tested with, and one more.
    pub(super) const OTHERS: [Self; 6] =
        [Self::DefaultOfEach, Self::DefaultOfParent, Self::Odd, Self::ManyForOne, Self::OneForMany, Self::Shadowed];
}

/// Prefixes with which somebody may begin to guess.
const ODD: [&str; 10] = ["SOAP-ENC", "_", "tds.2", "soap", "é", "xs", "wsdl11-", "Z9", "x_m_l", "ns-0"];

/// Prefix to namespace, the default one under the empty prefix.
type Scope = BTreeMap<String, String>;

/// Writes a document in another hand.
pub(super) struct Writer {
    hand: Hand,
    out: String,
    /// Every namespace of the document, in the order in which they appear.
    namespaces: Vec<String>,
    turn: usize,
}

impl Writer {
    pub(super) fn write(root: Element<'_, '_>, hand: Hand) -> String {
        let mut namespaces = Vec::new();
        for element in root.descendants().filter(Element::is_element) {
            let of_attributes = element.attributes().filter_map(|attribute| attribute.namespace());
            let of_contents = prefixes_in(element).into_iter().map(|(_, namespace)| namespace);
            for namespace in element.tag_name().namespace().into_iter().chain(of_attributes).chain(of_contents) {
                if !namespaces.iter().any(|known| known == namespace) {
                    namespaces.push(namespace.to_owned());
                }
            }
        }
        let mut writer = Self { hand, out: String::new(), namespaces, turn: 0 };
        writer.element(root, &Scope::new());
        writer.out
    }

    /// What the envelope declares for all.
    fn of_envelope(&self) -> Scope {
        let numbered = self.namespaces.iter().enumerate();
        match self.hand {
            Hand::Odd => numbered.map(|(n, namespace)| (odd(n), namespace.clone())).collect(),
            Hand::ManyForOne => numbered
                .flat_map(|(n, namespace)| (0..3).map(move |turn| (format!("p{n}-{turn}"), namespace.clone())))
                .collect(),
            Hand::Shadowed => {
                let usual = (0..self.namespaces.len()).map(|n| (usual(n), format!("urn:shadow:{n}")));
                usual.chain([(String::new(), "urn:shadow".to_owned())]).collect()
            }
            _ => Scope::new(),
        }
    }

    fn number(&self, namespace: &str) -> usize {
        self.namespaces.iter().position(|known| known == namespace).unwrap()
    }

    /// The prefix for an element in this namespace.
    fn prefix(&mut self, namespace: &str) -> String {
        let number = self.number(namespace);
        self.turn += 1;
        match self.hand {
            Hand::DefaultOfEach | Hand::DefaultOfParent => String::new(),
            Hand::Odd => odd(number),
            Hand::ManyForOne => format!("p{number}-{}", self.turn % 3),
            Hand::OneForMany => "p".to_owned(),
            Hand::Ours | Hand::Shadowed => usual(number),
        }
    }

    fn element(&mut self, element: Element<'_, '_>, outer: &Scope) {
        let namespace = element.tag_name().namespace().unwrap_or("");
        let mut declared = Scope::new();
        let mut scope = outer.clone();
        if element.parent_element().is_none() {
            declared = self.of_envelope();
            scope.extend(declared.clone());
        }
        let prefix = if namespace.is_empty() { String::new() } else { self.prefix(namespace) };
        let is = |scope: &Scope| scope.get(&prefix).map_or("", String::as_str) == namespace;
        if !is(&scope) || (self.hand == Hand::DefaultOfEach && prefix.is_empty()) {
            declared.insert(prefix.clone(), namespace.to_owned());
            scope.insert(prefix.clone(), namespace.to_owned());
        }
        // Attributes and contents have no default: they need a prefix of their own where the element has none.
        let mut attributes = String::new();
        let contents = prefixes_in(element);
        for attribute in element.attributes() {
            let name = match attribute.namespace() {
                None => attribute.name().to_owned(),
                Some(namespace) => format!("{}:{}", find(namespace, &mut scope, &mut declared), attribute.name()),
            };
            let value = renamed(attribute.value(), &contents, &mut scope, &mut declared);
            attributes += &format!(" {name}='{}'", escaped(&value));
        }
        let texts: Vec<Option<String>> = element
            .children()
            .map(|node| Some(renamed(node.text().filter(|_| node.is_text())?, &contents, &mut scope, &mut declared)))
            .collect();
        let tag = if prefix.is_empty() { String::new() } else { format!("{prefix}:") } + element.tag_name().name();
        let declarations: String = declared
            .iter()
            .map(|(prefix, namespace)| {
                let name = if prefix.is_empty() { "xmlns".to_owned() } else { format!("xmlns:{prefix}") };
                format!("\n {name}=\"{namespace}\"")
            })
            .collect();
        self.out += &format!("<{tag}{attributes}{declarations}>");
        for (child, text) in element.children().zip(texts) {
            match text {
                Some(text) => self.out += &escaped(&text),
                None if child.is_element() => self.element(child, &scope),
                None => {}
            }
        }
        self.out += &format!("</{tag}\n>");
    }
}

fn odd(number: usize) -> String {
    let round = number / ODD.len();
    if round == 0 { ODD[number % ODD.len()].to_owned() } else { format!("{}{round}", ODD[number % ODD.len()]) }
}

fn usual(number: usize) -> String {
    ["env", "wsa", "tds", "tt"].get(number).map_or_else(|| format!("ns{number}"), |prefix| (*prefix).to_owned())
}

/// A prefix that stands for the namespace here, declared if there is none.
fn find(namespace: &str, scope: &mut Scope, declared: &mut Scope) -> String {
    if let Some((prefix, _)) = scope.iter().find(|(prefix, known)| !prefix.is_empty() && *known == namespace) {
        return prefix.clone();
    }
    let free = (0..).map(|n| format!("q{n}")).find(|prefix| !scope.contains_key(prefix)).unwrap();
    scope.insert(free.clone(), namespace.to_owned());
    declared.insert(free.clone(), namespace.to_owned());
    free
}

/// The prefixes that values of an element use: of its attributes and of its text.
fn prefixes_in<'a>(element: Element<'a, '_>) -> Vec<(&'a str, &'a str)> {
    let values = element.attributes().map(|attribute| attribute.value());
    let texts = element.children().filter(|node| node.is_text()).filter_map(|node| node.text());
    let mut found = Vec::new();
    for value in values.chain(texts) {
        for declared in element.namespaces() {
            let Some(prefix) = declared.name() else { continue };
            if places(value, prefix).next().is_some() && !found.contains(&(prefix, declared.uri())) {
                found.push((prefix, declared.uri()));
            }
        }
    }
    found
}

/// Where `prefix:` begins in a value, as the prefix of a name: `tns1:Device//.` has one, `urn:x` and `http://x` have none.
fn places<'v>(value: &'v str, prefix: &'v str) -> impl Iterator<Item = usize> + 'v {
    value.match_indices(prefix).map(|(at, _)| at).filter(move |at| {
        let before = value[..*at].chars().next_back();
        let after = &value[*at + prefix.len()..];
        !before.is_some_and(|c| c.is_alphanumeric() || "-_.:".contains(c))
            && after.strip_prefix(':').is_some_and(|rest| rest.starts_with(char::is_alphabetic))
    })
}

fn renamed(value: &str, prefixes: &[(&str, &str)], scope: &mut Scope, declared: &mut Scope) -> String {
    let mut places: Vec<(usize, &str, &str)> =
        prefixes.iter().flat_map(|(prefix, uri)| places(value, prefix).map(move |at| (at, *prefix, *uri))).collect();
    places.sort_unstable();
    let mut out = String::new();
    let mut done = 0;
    for (at, prefix, uri) in places {
        out += &value[done..at];
        out += &find(uri, scope, declared);
        done = at + prefix.len();
    }
    out + &value[done..]
}

/// Character references for all that means something, in decimal and in hexadecimal by turns.
fn escaped(text: &str) -> String {
    let one = |c: char| match c {
        '&' => "&#x26;".to_owned(),
        '<' => "&#60;".to_owned(),
        '\'' => "&apos;".to_owned(),
        '\r' => "&#xD;".to_owned(),
        c => c.to_string(),
    };
    text.chars().map(one).collect()
}
