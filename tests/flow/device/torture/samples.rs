//! A request for every operation that a device offers, in an order in which each can be answered: what one makes the next one uses.

use oriel_onvif::ns;
use oriel_soap::ns::{WSA, WSSE};
use oriel_soap::xml::Ns;
use std::collections::BTreeMap;

/// What answers have told so far: the last text under each local name, by the step that was told it.
pub(super) type Told = BTreeMap<String, String>;

/// One request.
pub(super) struct Step {
    pub(super) service: Ns,
    pub(super) name: &'static str,
    /// What stands within the request's element.
    pub(super) arguments: Box<dyn Fn(&Told) -> String>,
    /// Asked again while the answer has this in it.
    pub(super) while_told: Option<&'static str>,
    /// How the subscription that was made last is named, if one is meant.
    pub(super) named: Named,
    /// The fault that is the answer.
    pub(super) fault: Option<&'static str>,
}

/// How a request names a subscription.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Named {
    /// Not at all.
    Not,
    /// It goes to its address.
    ByAddress,
    /// It goes to the event service, with the reference parameter in its header.
    ByHeader,
}

impl Step {
    /// The request's element, with the prefixes that arguments are written with.
    pub(super) fn body(&self, told: &Told) -> String {
        let declared = [
            ("s", self.service.uri),
            ("tt", ns::TT.uri),
            ("wsa", WSA.uri),
            ("wsse", WSSE.uri),
            ("wsnt", ns::WSNT.uri),
            ("wstop", ns::WSTOP.uri),
            ("tns1", "http://www.onvif.org/ver10/topics"),
        ];
        let declarations: String = declared.map(|(prefix, uri)| format!(" xmlns:{prefix}=\"{uri}\"")).concat();
        format!("<s:{name}{declarations}>{}</s:{name}>", (self.arguments)(told), name = self.name)
    }

    fn named(mut self, named: Named) -> Self {
        self.named = named;
        self
    }

    fn refused(mut self, fault: &'static str) -> Self {
        self.fault = Some(fault);
        self
    }

    fn while_told(mut self, text: &'static str) -> Self {
        self.while_told = Some(text);
        self
    }
}

fn step(service: Ns, name: &'static str, arguments: impl Fn(&Told) -> String + 'static) -> Step {
    Step { service, name, arguments: Box::new(arguments), while_told: None, named: Named::Not, fault: None }
}

fn plain(service: Ns, name: &'static str, arguments: &'static str) -> Step {
    step(service, name, move |_| arguments.to_owned())
}

/// One that wants an id which an earlier answer gave under this name.
fn of(service: Ns, name: &'static str, id: &'static str) -> Step {
    step(service, name, move |told| format!("<s:{id}>{}</s:{id}>", told[id]))
}

/// All of them, those of services that a build may leave out included.
pub(super) fn steps() -> Vec<Step> {
    [device(), discovery(), uplink(), security(), events(), notification(), brokers()].into_iter().flatten().collect()
}

fn device() -> Vec<Step> {
    let user = "<s:User><tt:Username>o'Brien &amp; Söhne &lt;1&gt;</tt:Username><tt:Password>a secret &amp; 7</tt:Password>\
                <tt:UserLevel>Operator</tt:UserLevel></s:User>";
    let changed = "<s:User><tt:Username>o'Brien &amp; Söhne &lt;1&gt;</tt:Username><tt:Password>&#60;another&#62; one</tt:Password><tt:UserLevel>User</tt:UserLevel></s:User>";
    let one = |name, arguments| plain(ns::TDS, name, arguments);
    vec![
        one("GetWsdlUrl", ""),
        one("GetServices", "<s:IncludeCapability>true</s:IncludeCapability>"),
        one("GetServiceCapabilities", ""),
        one("GetCapabilities", "<s:Category>Device</s:Category><s:Category>All</s:Category>"),
        one("GetHostname", ""),
        one("GetNetworkInterfaces", ""),
        one("GetDeviceInformation", ""),
        one("GetSystemDateAndTime", ""),
        one("GetScopes", ""),
        one("GetEndpointReference", ""),
        one("CreateUsers", user),
        one("GetUsers", ""),
        one("SetUser", changed),
        one("GetUsers", ""),
        one("DeleteUsers", "<s:Username>o'Brien &amp; Söhne &lt;1&gt;</s:Username>"),
        one("GetUsers", ""),
    ]
}

const NOT_SUPPORTED: &str = "env:Receiver/ter:ActionNotSupported";

fn discovery() -> Vec<Step> {
    let one = |name, arguments| plain(ns::TDS, name, arguments);
    let scopes = |name: &'static str, element: &str| {
        let scopes = ["name/gate%201", "location/hall%20%267"]
            .map(|scope| format!("<s:{element}>onvif://www.onvif.org/{scope}</s:{element}>"));
        step(ns::TDS, name, move |_| scopes.concat())
    };
    vec![
        scopes("SetScopes", "Scopes"),
        scopes("AddScopes", "ScopeItem"),
        one("GetScopes", ""),
        scopes("RemoveScopes", "ScopeItem"),
        one("GetScopes", ""),
        // A device that tests start speaks to no network, and then there is nothing to switch.
        one("SetDiscoveryMode", "<s:DiscoveryMode>NonDiscoverable</s:DiscoveryMode>").refused(NOT_SUPPORTED),
        one("GetDiscoveryMode", ""),
    ]
}

/// Names with prefixes within values: what stands for what depends on where it stands.
const FILTER: &str = "<wsnt:TopicExpression Dialect='http://www.onvif.org/ver10/tev/topicExpression/ConcreteSet'> tns1:Device//.|tns1:Device/HardwareFailure/FanFailure </wsnt:TopicExpression>\
    <wsnt:MessageContent Dialect='http://www.onvif.org/ver10/tev/messageContentFilter/ItemFilter'>boolean(//tt:SimpleItem[@Name=\"Token\" and @Value='torture'])</wsnt:MessageContent>";

const TOPIC: &str = "<s:Topic Dialect='http://docs.oasis-open.org/wsn/t-1/TopicExpression/Concrete'>tns1:Device/HardwareFailure/FanFailure</s:Topic>";

fn events() -> Vec<Step> {
    let one = |name, arguments| plain(ns::TEV, name, arguments);
    let create = format!("<s:Filter>{FILTER}</s:Filter><s:InitialTerminationTime>PT1M30S</s:InitialTerminationTime>");
    let pull = || one("PullMessages", "<s:Timeout>PT1S</s:Timeout><s:MessageLimit>10</s:MessageLimit>");
    vec![
        one("GetServiceCapabilities", ""),
        one("GetEventProperties", ""),
        step(ns::TEV, "CreatePullPointSubscription", move |_| create.clone()),
        pull().named(Named::ByAddress),
        one("SetSynchronizationPoint", "").named(Named::ByHeader),
        pull().named(Named::ByHeader),
        one("Seek", "<s:UtcTime>2026-01-31T12:00:00.5+01:00</s:UtcTime><s:Reverse>false</s:Reverse>")
            .named(Named::ByAddress),
        plain(ns::WSNT, "Renew", "<s:TerminationTime>PT2M</s:TerminationTime>").named(Named::ByHeader),
        plain(ns::WSNT, "Unsubscribe", "").named(Named::ByAddress),
    ]
}

fn notification() -> Vec<Step> {
    let one = |name, arguments| plain(ns::WSNT, name, arguments);
    // Nobody listens there.
    let subscribe = format!(
        "<s:ConsumerReference><wsa:Address>http://127.0.0.1:9/a&amp;b</wsa:Address></s:ConsumerReference><s:Filter>{FILTER}</s:Filter>\
         <s:InitialTerminationTime>PT1M</s:InitialTerminationTime>"
    );
    vec![
        step(ns::WSNT, "Subscribe", move |_| subscribe.clone()),
        one("GetCurrentMessage", TOPIC),
        one("PauseSubscription", "").named(Named::ByAddress),
        one("ResumeSubscription", "").named(Named::ByHeader),
        one("Renew", "<s:TerminationTime>PT2M</s:TerminationTime>").named(Named::ByAddress),
        one("Unsubscribe", "").named(Named::ByHeader),
    ]
}

fn brokers() -> Vec<Step> {
    let add = format!(
        "<s:EventBroker><s:Address>mqtt://127.0.0.1:9</s:Address><s:TopicPrefix>a &amp; b</s:TopicPrefix><s:UserName>&lt;camera&gt;</s:UserName>\
         <s:Password>p&amp;q</s:Password><s:PublishFilter>{FILTER}</s:PublishFilter><s:QoS>1</s:QoS></s:EventBroker>"
    );
    vec![
        step(ns::TEV, "AddEventBroker", move |_| add.clone()),
        plain(ns::TEV, "GetEventBrokers", ""),
        plain(ns::TEV, "DeleteEventBroker", "<s:Address>mqtt://127.0.0.1:9</s:Address>"),
    ]
}

fn uplink() -> Vec<Step> {
    // Nobody listens there; the address is all that counts.
    let set = "<s:Configuration><s:RemoteAddress>wss://127.0.0.1:9/a&amp;b</s:RemoteAddress><s:CertificateID>device</s:CertificateID>\
               <s:UserLevel>User Operator</s:UserLevel></s:Configuration>";
    vec![
        plain(ns::TUP, "GetServiceCapabilities", ""),
        plain(ns::TUP, "SetUplink", set),
        plain(ns::TUP, "GetUplinks", ""),
        plain(ns::TUP, "DeleteUplink", "<s:RemoteAddress>wss://127.0.0.1:9/a&amp;b</s:RemoteAddress>"),
    ]
}

fn security() -> Vec<Step> {
    let request = |told: &Told| {
        format!(
            "<s:Subject><s:Organization>Fenster &amp; Söhne</s:Organization><s:CommonName>camera</s:CommonName></s:Subject>\
             <s:KeyID>{}</s:KeyID><s:SignatureAlgorithm><s:algorithm>1.2.840.10045.4.3.2</s:algorithm></s:SignatureAlgorithm>",
            told["KeyID"]
        )
    };
    let upload = |told: &Told| {
        format!(
            "<s:Certificate>{}</s:Certificate><s:Alias>&lt;root&gt; &amp; more</s:Alias>",
            told["certificate to upload"]
        )
    };
    let policy = |told: &Told| {
        format!(
            "<s:Alias>the cloud</s:Alias><s:Parameters><s:UseDeltaCRLs>true</s:UseDeltaCRLs></s:Parameters>\
             <s:TrustAnchor><s:CertificateID>{}</s:CertificateID></s:TrustAnchor>",
            told["CertificateID"]
        )
    };
    let one = |name, arguments| plain(ns::TAS, name, arguments);
    vec![
        one("GetServiceCapabilities", ""),
        one("CreateRSAKeyPair", "<s:KeyLength>2048</s:KeyLength><s:Alias>&lt;RSA&gt;</s:Alias>"),
        of(ns::TAS, "GetKeyStatus", "KeyID").while_told("generating"),
        of(ns::TAS, "DeleteKey", "KeyID"),
        one(
            "CreateECCKeyPair",
            "<s:EllipticCurve>secp256r1</s:EllipticCurve><s:Alias>&lt;ECC&gt; &amp; more</s:Alias>",
        ),
        of(ns::TAS, "GetKeyStatus", "KeyID").while_told("generating"),
        of(ns::TAS, "GetPrivateKeyStatus", "KeyID"),
        step(ns::TAS, "CreatePKCS10CSR", request),
        one("GetAllKeys", ""),
        step(ns::TAS, "UploadCertificate", upload),
        of(ns::TAS, "GetCertificate", "CertificateID"),
        step(ns::TAS, "CreateCertPathValidationPolicy", policy),
        one("GetAllCertificates", ""),
        of(ns::TAS, "GetCertPathValidationPolicy", "CertPathValidationPolicyID"),
        one("GetAllCertPathValidationPolicies", ""),
        of(ns::TAS, "DeleteCertPathValidationPolicy", "CertPathValidationPolicyID"),
        of(ns::TAS, "DeleteCertificate", "CertificateID"),
    ]
}
