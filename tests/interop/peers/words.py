"""The little SOAP that the Python peers speak: envelopes out, the first child of Body in (Core 5.7)."""

import xml.etree.ElementTree as ET
from datetime import datetime, timezone

ENV = "http://www.w3.org/2003/05/soap-envelope"
TDS = "http://www.onvif.org/ver10/device/wsdl"
TUP = "http://www.onvif.org/ver10/uplink/wsdl"
TT = "http://www.onvif.org/ver10/schema"
PREFIXES = {"tds": TDS, "tup": TUP}


def envelope(inner):
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><s:Envelope xmlns:s="{ENV}" xmlns:tds="{TDS}" xmlns:tup="{TUP}" xmlns:tt="{TT}">'
        f"<s:Body>{inner}</s:Body></s:Envelope>"
    ).encode()


def request(operation, body=None):
    """`tds:GetServices` or a whole body element."""
    prefix, _, name = operation.partition(":")
    action = f"{PREFIXES[prefix]}/{name}"
    headers = [("content-type", f'application/soap+xml; charset=utf-8; action="{action}"')]
    return headers, envelope(body or f"<{operation}/>")


def first_child(document):
    """Namespace and local name of the element inside Body; None when it is no envelope."""
    try:
        body = ET.fromstring(document).find(f"{{{ENV}}}Body")
    except ET.ParseError:
        return None
    if body is None or not len(body):
        return None
    namespace, _, name = body[0].tag[1:].partition("}")
    return namespace, name


def fault(code, subcode, text):
    inner = (
        f'<s:Fault xmlns:ter="http://www.onvif.org/ver10/error"><s:Code><s:Value>s:{code}</s:Value><s:Subcode><s:Value>ter:{subcode}</s:Value>'
        f'</s:Subcode></s:Code><s:Reason><s:Text xml:lang="en">{text}</s:Text></s:Reason></s:Fault>'
    )
    return envelope(inner)


def camera(name, lan, pad):
    """What a small camera of another maker answers: addresses of its own LAN, whatever the request said."""

    def date(now):
        return (
            "<tds:GetSystemDateAndTimeResponse><tds:SystemDateAndTime><tt:DateTimeType>NTP</tt:DateTimeType>"
            "<tt:DaylightSavings>false</tt:DaylightSavings><tt:TimeZone><tt:TZ>UTC0</tt:TZ></tt:TimeZone>"
            f"<tt:UTCDateTime><tt:Time><tt:Hour>{now.hour}</tt:Hour><tt:Minute>{now.minute}</tt:Minute><tt:Second>{now.second}</tt:Second></tt:Time>"
            f"<tt:Date><tt:Year>{now.year}</tt:Year><tt:Month>{now.month}</tt:Month><tt:Day>{now.day}</tt:Day></tt:Date></tt:UTCDateTime>"
            "</tds:SystemDateAndTime></tds:GetSystemDateAndTimeResponse>"
        )

    def services(_now):
        return (
            f"<tds:GetServicesResponse><tds:Service><tds:Namespace>{TDS}</tds:Namespace><tds:XAddr>{lan}/onvif/device_service</tds:XAddr>"
            "<tds:Version><tt:Major>2</tt:Major><tt:Minor>42</tt:Minor></tds:Version></tds:Service></tds:GetServicesResponse>"
        )

    def information(_now):
        return (
            f"<tds:GetDeviceInformationResponse><tds:Manufacturer>Interop</tds:Manufacturer><tds:Model>{name}{'x' * pad}</tds:Model>"
            "<tds:FirmwareVersion>1.0</tds:FirmwareVersion><tds:SerialNumber>0001</tds:SerialNumber>"
            f"<tds:HardwareId>{name}</tds:HardwareId></tds:GetDeviceInformationResponse>"
        )

    answers = {"GetSystemDateAndTime": date, "GetServices": services, "GetDeviceInformation": information}

    def serve(document):
        asked = first_child(document)
        if asked is None:
            return 400, fault("Sender", "WellFormed", "not an envelope")
        if asked[0] != TDS or asked[1] not in answers:
            return 500, fault("Receiver", "ActionNotSupported", f"{asked[1]} is not offered")
        return 200, envelope(answers[asked[1]](datetime.now(timezone.utc)))

    return serve
