"""WS-Discovery of the rough camera (Core 7): Hello, ProbeMatches, ResolveMatches and Bye on one interface."""

import asyncio
import re
import socket
import uuid
import xml.etree.ElementTree as ET

GROUP, PORT = "239.255.255.250", 3702
D = "http://schemas.xmlsoap.org/ws/2005/04/discovery"
A = "http://schemas.xmlsoap.org/ws/2004/08/addressing"
S = "http://www.w3.org/2003/05/soap-envelope"
NVT = "http://www.onvif.org/ver10/network/wsdl"
TDS = "http://www.onvif.org/ver10/device/wsdl"


class Responder(asyncio.DatagramProtocol):
    def __init__(self, cameras, address):
        self.cameras, self.address, self.transport = cameras, address, None

    async def open(self):
        if self.address is None:
            return
        inner = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        inner.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        inner.bind(("", PORT))
        own = socket.inet_aton(self.address)
        inner.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton(GROUP) + own)
        inner.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, own)
        inner.setblocking(False)
        self.transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(lambda: self, sock=inner)
        for camera in self.cameras:
            self.say(camera, "Hello", (GROUP, PORT))

    def close(self):
        if self.transport:
            for camera in self.cameras:
                self.say(camera, "Bye", (GROUP, PORT))
            self.transport.close()

    def description(self, camera):
        """What a match says of a camera; its address is where it is, and not what its XAddrs say."""
        scopes = "onvif://www.onvif.org/type/video_encoder onvif://www.onvif.org/hardware/R-100 onvif://www.onvif.org/name/rough"
        return (
            f"<ep:EndpointReference><Address xmlns='{A}'>{camera.services.endpoint}</Address></ep:EndpointReference>"
            f"<ep:Types xmlns:n='{NVT}' xmlns:t='{TDS}'>n:NetworkVideoTransmitter t:Device</ep:Types><ep:Scopes>{scopes}</ep:Scopes>"
            f"<ep:XAddrs>http://[fe80::1]/onvif/device_service {camera.url}</ep:XAddrs><ep:MetadataVersion>3</ep:MetadataVersion>"
        )

    def say(self, camera, what, to, relates=None):
        match = self.description(camera)
        if what.endswith("Matches"):
            match = f"<ep:{what[:-2]}>{match}</ep:{what[:-2]}>"
        related = f"<a:RelatesTo>{relates}</a:RelatesTo>" if relates else ""
        text = (
            f'<?xml version="1.0"?><e:Envelope xmlns:e="{S}" xmlns:a="{A}" xmlns:ep="{D}"><e:Header>'
            f"<a:MessageID>urn:uuid:{uuid.uuid4()}</a:MessageID><a:Action>{D}/{what}</a:Action>{related}</e:Header>"
            f"<e:Body><ep:{what}>{match}</ep:{what}></e:Body></e:Envelope>"
        )
        self.transport.sendto(text.encode(), to)

    def datagram_received(self, data, source):
        try:
            envelope = ET.fromstring(data)
        except ET.ParseError:
            return
        body = envelope.find(f"{{{S}}}Body")
        asked = body[0] if body is not None and len(body) else None
        relates = (envelope.findtext(f".//{{{A}}}MessageID") or "").strip()
        if asked is None or asked.tag not in (f"{{{D}}}Probe", f"{{{D}}}Resolve"):
            return
        types = (asked.findtext(f"{{{D}}}Types") or "").split()
        if types and not any(re.search(r"(^|:)(NetworkVideoTransmitter|Device)$", name) for name in types):
            return
        wanted = (asked.findtext(f".//{{{A}}}Address") or "").strip()
        for camera in self.cameras:
            if asked.tag.endswith("Probe"):
                self.say(camera, "ProbeMatches", source, relates)
            elif wanted == camera.services.endpoint:
                self.say(camera, "ResolveMatches", source, relates)
