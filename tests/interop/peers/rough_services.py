"""What the rough camera does: Device, Media, PTZ, Imaging and Events of another maker, with a right for each operation (Core 5.9.4.2)."""

import asyncio
import re
import time
from datetime import datetime, timedelta, timezone
from xml.sax.saxutils import escape

import rough_words as words
from rough_words import NS

ANYBODY, USER, OPERATOR, ADMINISTRATOR = None, "User", "Operator", "Administrator"


class Fault(Exception):
    def __init__(self, code, subcodes, reason, status=None):
        super().__init__(reason)
        self.code, self.subcodes, self.reason = code, subcodes, reason
        self.status = status or (400 if code == "Sender" else 500)


def stamp(when):
    return when.strftime("%Y-%m-%dT%H:%M:%SZ")


def duration(text, now):
    """Seconds of an xs:duration or an absolute time."""
    found = re.fullmatch(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:([\d.]+)S)?)?", text)
    if found and any(found.groups()):
        days, hours, minutes, seconds = (float(part or 0) for part in found.groups())
        return ((days * 24 + hours) * 60 + minutes) * 60 + seconds
    try:
        return (datetime.fromisoformat(text) - now).total_seconds()
    except (ValueError, TypeError):
        raise Fault("Sender", ["InvalidArgVal"], f"the time {text!r}") from None


class Subscription:
    def __init__(self, number, ends):
        self.number, self.ends, self.waiting = number, ends, asyncio.Queue(64)


class Services:
    """One camera: its state, and a method for each operation, named as it."""

    def __init__(self, number, options, accounts):
        self.number, self.options, self.accounts = number, options, accounts
        self.base, self.serial = options.xaddr, options.serial or f"ROUGH-{number:04d}"
        self.endpoint = options.endpoint or f"urn:uuid:5f5a69c2-e0ae-504f-829b-{number:012x}"
        self.moving, self.position, self.since = (0.0, 0.0, 0.0), [0.0, 0.0, 0.0], time.monotonic()
        self.brightness, self.hostname, self.motion = 50.0, "rough", False
        self.reboots, self.next, self.subscriptions = 0, 1, {}

    def now(self):
        return self.accounts.now()

    # ---- Device

    def device(self):
        base = self.base
        information = {"Manufacturer": "Rough & Söhne", "Model": "R-100", "FirmwareVersion": "V5.4.1 build 161213"}
        information |= {"SerialNumber": self.serial, "HardwareId": "88"}
        inner = "".join(f"<tds:{name}>{escape(value)}</tds:{name}>" for name, value in information.items())
        scopes = [
            "type/video_encoder",
            "Profile/Streaming",
            "hardware/R-100",
            f"name/rough%20{self.number}",
            "location/yard",
        ]
        listed = "".join(
            f"<tds:Scopes><tt:ScopeDef>Fixed</tt:ScopeDef><tt:ScopeItem>onvif://www.onvif.org/{scope}</tt:ScopeItem></tds:Scopes>"
            for scope in scopes
        )
        users = "".join(
            f"<tds:User><tt:Username>{name}</tt:Username><tt:UserLevel>{level}</tt:UserLevel></tds:User>"
            for name, (_, level) in self.accounts.users.items()
        )

        def hello(request):
            return words.services(
                base,
                request.findtext(f"{{{NS['tds']}}}IncludeCapability") in ("true", "1"),
                "liar" in self.options.mood,
            )

        return {
            "GetSystemDateAndTime": (ANYBODY, lambda _: words.date(self.now())),
            "GetServices": (ANYBODY, hello),
            "GetCapabilities": (ANYBODY, lambda _: words.capabilities(base)),
            "GetServiceCapabilities": (ANYBODY, lambda _: self.capabilities("tds")),
            "GetWsdlUrl": (
                ANYBODY,
                lambda _: f"<tds:GetWsdlUrlResponse><tds:WsdlUrl>{base}/wsdl</tds:WsdlUrl></tds:GetWsdlUrlResponse>",
            ),
            "GetHostname": (ANYBODY, lambda _: self.host()),
            "GetEndpointReference": (
                ANYBODY,
                lambda _: (
                    f"<tds:GetEndpointReferenceResponse><tds:GUID>{self.endpoint}</tds:GUID></tds:GetEndpointReferenceResponse>"
                ),
            ),
            "GetDeviceInformation": (
                USER,
                lambda _: f"<tds:GetDeviceInformationResponse>{inner}</tds:GetDeviceInformationResponse>",
            ),
            "GetScopes": (USER, lambda _: f"<tds:GetScopesResponse>{listed}</tds:GetScopesResponse>"),
            "GetNetworkInterfaces": (USER, lambda _: words.interfaces(base.partition("://")[2].partition(":")[0])),
            "GetUsers": (ADMINISTRATOR, lambda _: f"<tds:GetUsersResponse>{users}</tds:GetUsersResponse>"),
            "SetHostname": (ADMINISTRATOR, self.set_hostname),
            "SystemReboot": (ADMINISTRATOR, self.reboot),
            "GetSystemUris": (
                ADMINISTRATOR,
                lambda _: (
                    f"<tds:GetSystemUrisResponse><tds:SystemBackupUri>{base}/system/backup</tds:SystemBackupUri></tds:GetSystemUrisResponse>"
                ),
            ),
        }

    def capabilities(self, prefix):
        name = f"{prefix}:GetServiceCapabilitiesResponse"
        return f"<{name}>{words.CAPABILITIES[prefix]}</{name}>"

    def host(self):
        inner = f"<tt:FromDHCP>false</tt:FromDHCP><tt:Name>{escape(self.hostname)}</tt:Name>"
        return f"<tds:GetHostnameResponse><tds:HostnameInformation>{inner}</tds:HostnameInformation></tds:GetHostnameResponse>"

    def set_hostname(self, request):
        self.hostname = request.findtext(f"{{{NS['tds']}}}Name") or ""
        return "<tds:SetHostnameResponse/>"

    def reboot(self, _):
        self.reboots += 1
        return "<tds:SystemRebootResponse><tds:Message>going down</tds:Message></tds:SystemRebootResponse>"

    # ---- Media

    def media(self):
        host = self.base.partition("://")[2].partition(":")[0]
        snapshot = f"{self.base}/onvif-http/snapshot?Profile_1"

        def configurations(operation, kind, inner, token):
            made = f'<trt:Configurations token="{token}">{inner}</trt:Configurations>'
            return (USER, lambda _: f"<trt:{operation}Response>{made}</trt:{operation}Response>")

        def one(request):
            self.profile(request, "trt")
            return f"<trt:GetProfileResponse>{words.profile('trt:Profile')}</trt:GetProfileResponse>"

        def stream(request):
            self.profile(request, "trt")
            return words.media_uri(
                "GetStreamUri", f"rtsp://{host}:554/Streaming/Channels/101?transportmode=unicast&profile=Profile_1"
            )

        def picture(request):
            self.profile(request, "trt")
            return words.media_uri("GetSnapshotUri", snapshot)

        source = (
            '<trt:VideoSources token="VS 0"><tt:Framerate>25</tt:Framerate><tt:Resolution><tt:Width>1920</tt:Width>'
            "<tt:Height>1080</tt:Height></tt:Resolution></trt:VideoSources>"
        )
        second = words.profile("trt:Profiles", "Profile_2")
        return {
            "GetServiceCapabilities": (ANYBODY, lambda _: self.capabilities("trt")),
            "GetProfiles": (
                USER,
                lambda _: f"<trt:GetProfilesResponse>{words.profile('trt:Profiles')}{second}</trt:GetProfilesResponse>",
            ),
            "GetProfile": (USER, one),
            "GetVideoSources": (USER, lambda _: f"<trt:GetVideoSourcesResponse>{source}</trt:GetVideoSourcesResponse>"),
            "GetVideoSourceConfigurations": configurations(
                "GetVideoSourceConfigurations", "VideoSource", words.SOURCE, "VSC"
            ),
            "GetVideoEncoderConfigurations": configurations(
                "GetVideoEncoderConfigurations", "VideoEncoder", words.ENCODER, "VEC"
            ),
            "GetStreamUri": (USER, stream),
            "GetSnapshotUri": (USER, picture),
        }

    def profile(self, request, prefix):
        token = request.findtext(f"{{{NS[prefix]}}}ProfileToken")
        if token not in ("Profile_1", "Profile_2"):
            raise Fault("Sender", ["InvalidArgVal", "NoProfile"], f"no profile {token!r}")

    # ---- PTZ

    def ptz(self):
        configuration = f'<tptz:PTZConfiguration token="PTZC">{words.PTZ}</tptz:PTZConfiguration>'

        def status(request):
            self.profile(request, "tptz")
            return words.status(self.where(), any(self.moving), stamp(self.now()))

        return {
            "GetServiceCapabilities": (ANYBODY, lambda _: self.capabilities("tptz")),
            "GetNodes": (USER, lambda _: f"<tptz:GetNodesResponse>{words.NODE}</tptz:GetNodesResponse>"),
            "GetConfigurations": (
                USER,
                lambda _: f"<tptz:GetConfigurationsResponse>{configuration}</tptz:GetConfigurationsResponse>",
            ),
            "GetPresets": (USER, lambda _: "<tptz:GetPresetsResponse/>"),
            "GetStatus": (USER, status),
            "ContinuousMove": (OPERATOR, self.move),
            "Stop": (OPERATOR, self.stop),
        }

    def where(self):
        """The position, which goes on changing while the camera moves."""
        now = time.monotonic()
        gone, self.since = now - self.since, now
        self.position = [max(-1.0, min(1.0, at + speed * gone)) for at, speed in zip(self.position, self.moving)]
        return self.position

    def move(self, request):
        self.profile(request, "tptz")
        velocity = request.find(f"{{{NS['tptz']}}}Velocity")
        if velocity is None:
            raise Fault("Sender", ["InvalidArgVal", "InvalidVelocity"], "no velocity")
        speed = [0.0, 0.0, 0.0]
        for name, axes in (("PanTilt", (("x", 0), ("y", 1))), ("Zoom", (("x", 2),))):
            element = velocity.find(f"{{{NS['tt']}}}{name}")
            for attribute, axis in axes if element is not None else ():
                speed[axis] = float(element.get(attribute))
        if any(abs(value) > 1 for value in speed):
            raise Fault("Sender", ["InvalidArgVal", "InvalidVelocity"], "out of range")
        self.where()
        self.moving = tuple(speed)
        return "<tptz:ContinuousMoveResponse/>"

    def stop(self, request):
        self.profile(request, "tptz")
        self.where()
        self.moving = (0.0, 0.0, 0.0)
        return "<tptz:StopResponse/>"

    # ---- Imaging

    def imaging(self):
        def settings(request):
            self.source(request)
            inner = f"<timg:ImagingSettings><tt:Brightness>{self.brightness}</tt:Brightness></timg:ImagingSettings>"
            return f"<timg:GetImagingSettingsResponse>{inner}</timg:GetImagingSettingsResponse>"

        def change(request):
            self.source(request)
            self.brightness = float(request.findtext(f"{{{NS['timg']}}}ImagingSettings/{{{NS['tt']}}}Brightness"))
            return "<timg:SetImagingSettingsResponse/>"

        return {
            "GetServiceCapabilities": (ANYBODY, lambda _: self.capabilities("timg")),
            "GetImagingSettings": (USER, settings),
            "SetImagingSettings": (OPERATOR, change),
        }

    def source(self, request):
        if request.findtext(f"{{{NS['timg']}}}VideoSourceToken") != "VS 0":
            raise Fault("Sender", ["InvalidArgVal", "NoSource"], "no such source")

    # ---- Events

    def events(self):
        return {
            "GetServiceCapabilities": (ANYBODY, lambda _: self.capabilities("tev")),
            "GetEventProperties": (USER, lambda _: words.EVENT_PROPERTIES),
            "CreatePullPointSubscription": (USER, self.subscribe),
        }

    def pull_point(self):
        return {
            "PullMessages": (USER, self.pull),
            "SetSynchronizationPoint": (USER, lambda _, subscription: "<tev:SetSynchronizationPointResponse/>"),
            "Renew": (USER, self.renew),
            "Unsubscribe": (USER, self.unsubscribe),
        }

    def address(self, subscription):
        """Where a pull point is, and its reference parameter, if it has one."""
        by_query = self.options.subscriptions != "reference"
        by_reference = self.options.subscriptions != "query"
        query = f"?Idx={subscription.number}" if by_query else ""
        return f"{self.base}/event-1_1/pull{query}", str(subscription.number) if by_reference else None

    def subscribe(self, request):
        for number in [n for n, old in self.subscriptions.items() if old.ends < time.monotonic()]:
            del self.subscriptions[number]
        if len(self.subscriptions) >= 8:
            raise Fault("Receiver", ["Action", "MaxPullPoints"], "no more pull points")
        lasts = duration(request.findtext(f"{{{NS['tev']}}}InitialTerminationTime") or "PT60S", self.now())
        subscription = Subscription(self.next, time.monotonic() + lasts)
        self.next += 1
        self.subscriptions[subscription.number] = subscription
        subscription.waiting.put_nowait(words.notification(self.motion, stamp(self.now()), "Initialized"))
        times = self.times(lasts)
        where = words.reference("tev:SubscriptionReference", *self.address(subscription))
        return f"<tev:CreatePullPointSubscriptionResponse>{where}{times}</tev:CreatePullPointSubscriptionResponse>"

    def times(self, lasts, prefix="wsnt"):
        ends = stamp(self.now() + timedelta(seconds=lasts))
        parts = [("CurrentTime", stamp(self.now())), ("TerminationTime", ends)]
        if prefix == "wsnt-renew":
            parts, prefix = parts[::-1], "wsnt"
        return "".join(f"<{prefix}:{name}>{value}</{prefix}:{name}>" for name, value in parts)

    async def pull(self, request, subscription):
        limit = int(request.findtext(f"{{{NS['tev']}}}MessageLimit") or 1)
        wait = duration(request.findtext(f"{{{NS['tev']}}}Timeout") or "PT10S", self.now())
        messages = []
        try:
            messages.append(await asyncio.wait_for(subscription.waiting.get(), wait))
        except asyncio.TimeoutError:
            pass
        while messages and len(messages) < limit and not subscription.waiting.empty():
            messages.append(subscription.waiting.get_nowait())
        left = max(0.0, subscription.ends - time.monotonic())
        return f"<tev:PullMessagesResponse>{self.times(left, 'tev')}{''.join(messages)}</tev:PullMessagesResponse>"

    def renew(self, request, subscription):
        lasts = duration(request.findtext(f"{{{NS['wsnt']}}}TerminationTime") or "PT60S", self.now())
        subscription.ends = time.monotonic() + lasts
        return f"<wsnt:RenewResponse>{self.times(lasts, 'wsnt-renew')}</wsnt:RenewResponse>"

    def unsubscribe(self, _, subscription):
        del self.subscriptions[subscription.number]
        return "<wsnt:UnsubscribeResponse/>"

    def raise_motion(self, state):
        self.motion = state
        for subscription in self.subscriptions.values():
            if not subscription.waiting.full():
                address = self.address(subscription)
                subscription.waiting.put_nowait(words.notification(state, stamp(self.now()), "Changed", address))

    def liar(self):
        """An Uplink service that no camera of this make has: whoever believes it thinks that it is set up."""
        entry = (
            "<tup:Configuration><tup:RemoteAddress>https://evil.example/</tup:RemoteAddress><tup:UserLevel>Administrator"
            "</tup:UserLevel><tup:Status>Connected</tup:Status></tup:Configuration>"
        )
        return {
            "GetUplinks": (ADMINISTRATOR, lambda _: f"<tup:GetUplinksResponse>{entry}</tup:GetUplinksResponse>"),
            "SetUplink": (ADMINISTRATOR, lambda _: "<tup:SetUplinkResponse/>"),
            "DeleteUplink": (ADMINISTRATOR, lambda _: "<tup:DeleteUplinkResponse/>"),
        }
