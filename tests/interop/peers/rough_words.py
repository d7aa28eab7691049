"""The words of the rough camera: replies as trees, written in one of several manners of using prefixes (Namespaces in XML 1.0)."""

import xml.etree.ElementTree as ET
from xml.sax.saxutils import escape, quoteattr

NS = {
    "s": "http://www.w3.org/2003/05/soap-envelope",
    "wsa": "http://www.w3.org/2005/08/addressing",
    "wsnt": "http://docs.oasis-open.org/wsn/b-2",
    "wstop": "http://docs.oasis-open.org/wsn/t-1",
    "wsse": "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd",
    "wsu": "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd",
    "tt": "http://www.onvif.org/ver10/schema",
    "tds": "http://www.onvif.org/ver10/device/wsdl",
    "trt": "http://www.onvif.org/ver10/media/wsdl",
    "tptz": "http://www.onvif.org/ver20/ptz/wsdl",
    "timg": "http://www.onvif.org/ver20/imaging/wsdl",
    "tev": "http://www.onvif.org/ver10/events/wsdl",
    "tup": "http://www.onvif.org/ver10/uplink/wsdl",
    "ter": "http://www.onvif.org/ver10/error",
    "tns1": "http://www.onvif.org/ver10/topics",
    # The reference parameter that clients in the field know by this very name.
    "dom0": "http://www.axis.com/2009/event",
    "xs": "http://www.w3.org/2001/XMLSchema",
}
STYLES = ("plain", "default", "numbered", "odd", "two")
DECLARED = " ".join(f'xmlns:{prefix}="{uri}"' for prefix, uri in NS.items())


def tree(text):
    """An element with the prefixes above; a text or value `@ter:X` is a QName, whose prefix the writer chooses."""
    return ET.fromstring(f"<t {DECLARED}>{text}</t>")[0]


def split(tag):
    if tag.startswith("{"):
        namespace, _, name = tag[1:].partition("}")
        return namespace, name
    return "", tag


class Writer:
    """Serialises a tree in one style."""

    def __init__(self, style):
        self.style, self.count = style, 0

    def document(self, element):
        declarations, scope = "", {}
        if self.style in ("plain", "two"):
            for prefix, uri in NS.items():
                name = {"s": "SOAP-ENV"}.get(prefix, prefix)
                scope[uri] = [name]
                declarations += f' xmlns:{name}="{uri}"'
                if self.style == "two":
                    scope[uri].append(f"{prefix}2")
                    declarations += f'\n  xmlns:{prefix}2="{uri}"'
        return '<?xml version="1.0" encoding="UTF-8"?>\n' + self.element(element, scope, declarations)

    def fresh(self, uri):
        self.count += 1
        if self.style == "odd":
            # Legal names that a careless reader does not expect, and a prefix that means something else here than elsewhere.
            return ("SOAP-ENV" if uri != NS["s"] else "_", f"é.{self.count}", f"x-{self.count}.y", "s", "tds")[
                self.count % 5
            ]
        return f"ns{self.count}"

    def name(self, namespace, local, scope):
        """A name, and the declaration it needs where it stands."""
        if not namespace:
            return local, ' xmlns=""' if scope.pop("", None) else ""
        if self.style == "default":
            known = scope.get("") == namespace
            scope[""] = namespace
            return local, "" if known else f' xmlns="{namespace}"'
        if self.style == "odd":
            prefix = self.fresh(namespace)
            return f"{prefix}:{local}", f' xmlns:{prefix}="{namespace}"'
        if namespace in scope:
            self.count += 1
            return f"{scope[namespace][self.count % len(scope[namespace])]}:{local}", ""
        prefix = self.fresh(namespace)
        scope[namespace] = [prefix]
        return f"{prefix}:{local}", f' xmlns:{prefix}="{namespace}"'

    def element(self, element, scope, declarations=""):
        scope = dict(scope)
        name, declared = self.name(*split(element.tag), scope)
        declarations += declared
        attributes = ""
        for key, value in element.attrib.items():
            namespace, local = split(key)
            if namespace == "http://www.w3.org/XML/1998/namespace":
                local = f"xml:{local}"
            elif namespace:
                local, more = f"a:{local}", f' xmlns:a="{namespace}"'
                declarations += more
            if value.startswith("@"):
                prefix, _, rest = value[1:].partition(":")
                declarations += f' xmlns:qa="{NS[prefix]}"'
                value = f"qa:{rest}"
            attributes += f" {local}={quoteattr(value)}"
        text = element.text or ""
        if text.startswith("@"):
            prefix, _, local = text[1:].partition(":")
            declarations += f' xmlns:q="{NS[prefix]}"'
            text = f"q:{local}"
        inner = escape(text) + "".join(self.element(child, scope) for child in element)
        return (
            f"<{name}{declarations}{attributes}>{inner}</{name}>" if inner else f"<{name}{declarations}{attributes}/>"
        )


def envelope(body, header=""):
    return tree(f"<s:Envelope><s:Header>{header}</s:Header><s:Body>{body}</s:Body></s:Envelope>")


def fault(code, subcodes, reason):
    inner = ""
    for subcode in reversed(subcodes):
        inner = f"<s:Subcode><s:Value>@ter:{subcode}</s:Value>{inner}</s:Subcode>"
    return envelope(
        f"<s:Fault><s:Code><s:Value>@s:{code}</s:Value>{inner}</s:Code><s:Reason>"
        f'<s:Text xml:lang="en">{escape(reason)}</s:Text></s:Reason></s:Fault>'
    )


SERVICES = {
    "tds": "/onvif/device_service",
    "trt": "/onvif/Media",
    "tptz": "/onvif/ptz?x=1",
    "timg": "/onvif/imaging.cgi",
    "tev": "/event-1_1",
}
CAPABILITIES = {
    "tds": '<tds:Capabilities><tds:Network NTP="1"/><tds:Security UsernameToken="true" HttpDigest="true"/>'
    '<tds:System DiscoveryBye="true"/></tds:Capabilities>',
    "trt": '<trt:Capabilities SnapshotUri="true"><trt:ProfileCapabilities MaximumNumberOfProfiles="2"/>'
    '<trt:StreamingCapabilities RTP_RTSP_TCP="true"/></trt:Capabilities>',
    "tptz": '<tptz:Capabilities MoveStatus="true"/>',
    "timg": '<timg:Capabilities ImageStabilization="false"/>',
    "tev": '<tev:Capabilities WSPullPointSupport="true" MaxPullPoints="8"/>',
}


def version(element):
    return f"<{element}><tt:Major>2</tt:Major><tt:Minor>60</tt:Minor></{element}>"


def services(base, with_capabilities, liar):
    found = ""
    for prefix, path in SERVICES.items():
        inner = f"<tds:Capabilities>{CAPABILITIES[prefix]}</tds:Capabilities>" if with_capabilities else ""
        found += (
            f"<tds:Service><tds:Namespace>{NS[prefix]}</tds:Namespace><tds:XAddr>{escape(base + path)}</tds:XAddr>{inner}"
            f"{version('tds:Version')}</tds:Service>"
        )
    if liar:
        found += (
            f"<tds:Service><tds:Namespace>{NS['tup']}</tds:Namespace><tds:XAddr>{base}/onvif/device_service</tds:XAddr>"
            f"{version('tds:Version')}</tds:Service>"
        )
    return f"<tds:GetServicesResponse>{found}</tds:GetServicesResponse>"


def capabilities(base):
    def at(prefix):
        return f"<tt:XAddr>{escape(base + SERVICES[prefix])}</tt:XAddr>"

    flags = "".join(f"<tt:{name}>false</tt:{name}>" for name in ("DiscoveryResolve", "DiscoveryBye", "RemoteDiscovery"))
    flags += "".join(f"<tt:{name}>false</tt:{name}>" for name in ("SystemBackup", "SystemLogging", "FirmwareUpgrade"))
    security = ("TLS1.1", "TLS1.2", "OnboardKeyGeneration", "AccessPolicyConfig", "X.509Token", "SAMLToken")
    security += ("KerberosToken", "RELToken")
    return (
        "<tds:GetCapabilitiesResponse><tds:Capabilities>"
        f"<tt:Device>{at('tds')}<tt:Network><tt:IPFilter>false</tt:IPFilter><tt:ZeroConfiguration>false</tt:ZeroConfiguration>"
        f"<tt:IPVersion6>false</tt:IPVersion6><tt:DynDNS>false</tt:DynDNS></tt:Network><tt:System>{flags}{version('tt:SupportedVersions')}"
        f"</tt:System><tt:Security>{''.join(f'<tt:{name}>false</tt:{name}>' for name in security)}</tt:Security></tt:Device>"
        f"<tt:Events>{at('tev')}<tt:WSSubscriptionPolicySupport>false</tt:WSSubscriptionPolicySupport><tt:WSPullPointSupport>true"
        "</tt:WSPullPointSupport><tt:WSPausableSubscriptionManagerInterfaceSupport>false"
        "</tt:WSPausableSubscriptionManagerInterfaceSupport></tt:Events>"
        f"<tt:Imaging>{at('timg')}</tt:Imaging>"
        f"<tt:Media>{at('trt')}<tt:StreamingCapabilities><tt:RTPMulticast>false</tt:RTPMulticast><tt:RTP_TCP>true</tt:RTP_TCP>"
        "<tt:RTP_RTSP_TCP>true</tt:RTP_RTSP_TCP></tt:StreamingCapabilities></tt:Media>"
        f"<tt:PTZ>{at('tptz')}</tt:PTZ>"
        "</tds:Capabilities></tds:GetCapabilitiesResponse>"
    )


def date(now):
    time = f"<tt:Hour>{now.hour}</tt:Hour><tt:Minute>{now.minute}</tt:Minute><tt:Second>{now.second}</tt:Second>"
    day = f"<tt:Year>{now.year}</tt:Year><tt:Month>{now.month}</tt:Month><tt:Day>{now.day}</tt:Day>"
    return (
        "<tds:GetSystemDateAndTimeResponse><tds:SystemDateAndTime><tt:DateTimeType>Manual</tt:DateTimeType>"
        "<tt:DaylightSavings>false</tt:DaylightSavings><tt:TimeZone><tt:TZ>CST-8</tt:TZ></tt:TimeZone>"
        f"<tt:UTCDateTime><tt:Time>{time}</tt:Time><tt:Date>{day}</tt:Date></tt:UTCDateTime>"
        "</tds:SystemDateAndTime></tds:GetSystemDateAndTimeResponse>"
    )


SOURCE = (
    "<tt:Name>Src 1</tt:Name><tt:UseCount>2</tt:UseCount><tt:SourceToken>VS 0</tt:SourceToken>"
    '<tt:Bounds x="0" y="0" width="1920" height="1080"/>'
)
ENCODER = (
    "<tt:Name>Enc 1</tt:Name><tt:UseCount>1</tt:UseCount><tt:Encoding>H264</tt:Encoding>"
    "<tt:Resolution><tt:Width>1920</tt:Width><tt:Height>1080</tt:Height></tt:Resolution><tt:Quality>4</tt:Quality>"
    "<tt:RateControl><tt:FrameRateLimit>25</tt:FrameRateLimit><tt:EncodingInterval>1</tt:EncodingInterval>"
    "<tt:BitrateLimit>4096</tt:BitrateLimit></tt:RateControl>"
    "<tt:H264><tt:GovLength>50</tt:GovLength><tt:H264Profile>Main</tt:H264Profile></tt:H264>"
    "<tt:Multicast><tt:Address><tt:Type>IPv4</tt:Type><tt:IPv4Address>0.0.0.0</tt:IPv4Address></tt:Address><tt:Port>0</tt:Port>"
    "<tt:TTL>1</tt:TTL><tt:AutoStart>false</tt:AutoStart></tt:Multicast><tt:SessionTimeout>PT60S</tt:SessionTimeout>"
)
SPACES = "http://www.onvif.org/ver10/tptz"
PTZ = (
    "<tt:Name>PTZ</tt:Name><tt:UseCount>1</tt:UseCount><tt:NodeToken>N1</tt:NodeToken>"
    f"<tt:DefaultContinuousPanTiltVelocitySpace>{SPACES}/PanTiltSpaces/VelocityGenericSpace</tt:DefaultContinuousPanTiltVelocitySpace>"
    "<tt:DefaultPTZTimeout>PT10S</tt:DefaultPTZTimeout>"
)
RANGE = "<tt:Min>-1</tt:Min><tt:Max>1</tt:Max>"
NODE = (
    '<tptz:PTZNode token="N1" FixedHomePosition="false"><tt:Name>Node</tt:Name><tt:SupportedPTZSpaces>'
    f"<tt:ContinuousPanTiltVelocitySpace><tt:URI>{SPACES}/PanTiltSpaces/VelocityGenericSpace</tt:URI><tt:XRange>{RANGE}</tt:XRange>"
    f"<tt:YRange>{RANGE}</tt:YRange></tt:ContinuousPanTiltVelocitySpace></tt:SupportedPTZSpaces>"
    "<tt:MaximumNumberOfPresets>0</tt:MaximumNumberOfPresets><tt:HomeSupported>false</tt:HomeSupported></tptz:PTZNode>"
)


def profile(element, token="Profile_1"):
    return (
        f'<{element} token="{token}" fixed="true"><tt:Name>main stream</tt:Name>'
        f'<tt:VideoSourceConfiguration token="VSC">{SOURCE}</tt:VideoSourceConfiguration>'
        f'<tt:VideoEncoderConfiguration token="VEC">{ENCODER}</tt:VideoEncoderConfiguration>'
        f'<tt:PTZConfiguration token="PTZC">{PTZ}</tt:PTZConfiguration></{element}>'
    )


def media_uri(operation, address):
    return (
        f"<trt:{operation}Response><trt:MediaUri><tt:Uri>{escape(address)}</tt:Uri><tt:InvalidAfterConnect>false"
        "</tt:InvalidAfterConnect><tt:InvalidAfterReboot>true</tt:InvalidAfterReboot><tt:Timeout>PT0S</tt:Timeout></trt:MediaUri>"
        f"</trt:{operation}Response>"
    )


def interfaces(address):
    return (
        '<tds:GetNetworkInterfacesResponse><tds:NetworkInterfaces token="eth0"><tt:Enabled>true</tt:Enabled><tt:Info><tt:Name>eth0'
        "</tt:Name><tt:HwAddress>00:0a:0b:0c:0d:0e</tt:HwAddress><tt:MTU>1500</tt:MTU></tt:Info><tt:IPv4><tt:Enabled>true</tt:Enabled>"
        f"<tt:Config><tt:Manual><tt:Address>{address}</tt:Address><tt:PrefixLength>24</tt:PrefixLength></tt:Manual>"
        "<tt:DHCP>false</tt:DHCP></tt:Config></tt:IPv4></tds:NetworkInterfaces></tds:GetNetworkInterfacesResponse>"
    )


def status(position, moving, now):
    where = f'<tt:PanTilt x="{position[0]:.3f}" y="{position[1]:.3f}"/><tt:Zoom x="{position[2]:.3f}"/>'
    state = "MOVING" if moving else "IDLE"
    return (
        f"<tptz:GetStatusResponse><tptz:PTZStatus><tt:Position>{where}</tt:Position><tt:MoveStatus><tt:PanTilt>{state}</tt:PanTilt>"
        f"<tt:Zoom>IDLE</tt:Zoom></tt:MoveStatus><tt:UtcTime>{now}</tt:UtcTime></tptz:PTZStatus></tptz:GetStatusResponse>"
    )


EVENT_PROPERTIES = (
    "<tev:GetEventPropertiesResponse><tev:TopicNamespaceLocation>http://www.onvif.org/onvif/ver10/topics/topicns.xml"
    "</tev:TopicNamespaceLocation><wsnt:FixedTopicSet>true</wsnt:FixedTopicSet><wstop:TopicSet>"
    '<tns1:VideoSource><MotionAlarm wstop:topic="true"><tt:MessageDescription IsProperty="true"><tt:Source>'
    '<tt:SimpleItemDescription Name="Source" Type="@tt:ReferenceToken"/></tt:Source><tt:Data>'
    '<tt:SimpleItemDescription Name="State" Type="@xs:boolean"/></tt:Data></tt:MessageDescription></MotionAlarm></tns1:VideoSource>'
    "</wstop:TopicSet><wsnt:TopicExpressionDialect>http://www.onvif.org/ver10/tev/topicExpression/ConcreteSet"
    "</wsnt:TopicExpressionDialect><wsnt:TopicExpressionDialect>http://docs.oasis-open.org/wsn/t-1/TopicExpression/Concrete"
    "</wsnt:TopicExpressionDialect><tev:MessageContentFilterDialect>http://www.onvif.org/ver10/tev/messageContentFilter/ItemFilter"
    "</tev:MessageContentFilterDialect><tev:MessageContentSchemaLocation>http://www.onvif.org/onvif/ver10/schema/onvif.xsd"
    "</tev:MessageContentSchemaLocation></tev:GetEventPropertiesResponse>"
)


def reference(element, address, parameter):
    inner = ""
    if parameter is not None:
        inner = (
            f"<wsa:ReferenceParameters><dom0:SubscriptionId>{parameter}</dom0:SubscriptionId></wsa:ReferenceParameters>"
        )
    return f"<{element}><wsa:Address>{escape(address)}</wsa:Address>{inner}</{element}>"


def notification(state, now, property_operation="Changed", address=None):
    where = reference("wsnt:SubscriptionReference", *address) if address else ""
    return (
        f'<wsnt:NotificationMessage>{where}<wsnt:Topic Dialect="http://www.onvif.org/ver10/tev/topicExpression/ConcreteSet">'
        "@tns1:VideoSource/MotionAlarm</wsnt:Topic><wsnt:Message>"
        f'<tt:Message UtcTime="{now}" PropertyOperation="{property_operation}"><tt:Source><tt:SimpleItem Name="Source" Value="VS 0"/></tt:Source>'
        f'<tt:Data><tt:SimpleItem Name="State" Value="{str(state).lower()}"/></tt:Data></tt:Message></wsnt:Message></wsnt:NotificationMessage>'
    )
