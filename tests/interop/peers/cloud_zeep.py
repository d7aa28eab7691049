"""A Python SOAP client (zeep, strict, the 26.06 WSDLs) through a cloud's gateway: a bearer token and the addresses of the replies are all it has."""

import json
import sys
import traceback
from pathlib import Path

import requests
import zeep
from zeep.helpers import serialize_object
from zeep.transports import Transport

TDS = "http://www.onvif.org/ver10/device/wsdl"
TUP = "http://www.onvif.org/ver10/uplink/wsdl"


def emit(event, **fields):
    print(json.dumps({"event": event, **fields}, default=str), flush=True)


def plain(value):
    return serialize_object(value, dict)


def service(wsdl, session, binding, address):
    transport = Transport(session=session, timeout=15, operation_timeout=15)
    client = zeep.Client(str(wsdl), transport=transport, settings=zeep.Settings(strict=True))
    return client.create_service(binding, address)


def main(folder, address, ca, token):
    session = requests.Session()
    session.verify = ca
    session.trust_env = False
    session.headers["Authorization"] = f"Bearer {token}"
    folder = Path(folder)
    wsdl = folder / "ver10/device/wsdl/devicemgmt.wsdl"
    first = service(wsdl, session, f"{{{TDS}}}DeviceBinding", address)
    services = {entry["Namespace"]: entry["XAddr"] for entry in plain(first.GetServices(IncludeCapability=True))}
    capabilities = plain(first.GetCapabilities(Category=["All"]))
    emit("services", services=services, device=capabilities["Device"]["XAddr"])
    # From here on only by the addresses that the device gave out.
    device = service(wsdl, session, f"{{{TDS}}}DeviceBinding", services[TDS])
    emit(
        "read",
        date=plain(device.GetSystemDateAndTime()),
        information=plain(device.GetDeviceInformation()),
        hostname=plain(device.GetHostname()),
        scopes=plain(device.GetScopes()),
        interfaces=plain(device.GetNetworkInterfaces()),
    )
    uplink = service(folder / "ver10/uplink/wsdl/uplink.wsdl", session, f"{{{TUP}}}UplinkBinding", services[TUP])
    emit("uplink", capabilities=plain(uplink.GetServiceCapabilities()), uplinks=plain(uplink.GetUplinks()))


try:
    main(*sys.argv[1:5])
except Exception:
    emit("error", text=traceback.format_exc())
    sys.exit(1)
