"""Event brokers (Core 9.12): Mosquitto with listeners for MQTT and WebSocket, with and without TLS, and mosquitto_sub beside it."""

import json
import shutil
import socket
import subprocess

import oriel
from harness import CERTS, PATH, Failure, Skip, check, scenario

TEV = "http://www.onvif.org/ver10/events/wsdl"
TOPIC = "VideoSource/MotionAlarm"
USER, PASSWORD = "camera", "a password at the broker"
FORMS = ("mqtt", "mqtts", "ws", "wss")


def free_ports(count):
    """Ports of the kernel's choice; Mosquitto cannot be told to choose."""
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


class Mosquitto:
    """One broker. `mqtt` and `ws` want the password, `mqtts` and `wss` a certificate of the test CA."""

    def __init__(self, scene):
        if not shutil.which("mosquitto", path=PATH) or not shutil.which("mosquitto_sub", path=PATH):
            raise Skip("Mosquitto is not installed and cannot be")
        self.scene, self.number = scene, 0
        *ports, self.own = free_ports(len(FORMS) + 1)
        self.ports = dict(zip(FORMS, ports, strict=True))
        passwords = scene.folder / "passwords"
        subprocess.run(["mosquitto_passwd", "-b", "-c", str(passwords), USER, PASSWORD], check=True, env={"PATH": PATH})
        lines = ["per_listener_settings true", "user root", "persistence false", "log_dest stderr"]
        for form, port in self.ports.items():
            lines += [f"listener {port} 127.0.0.1"]
            if form.startswith("ws"):
                lines += ["protocol websockets"]
            if form in ("mqtts", "wss"):
                lines += [f"cafile {CERTS / 'ca.pem'}", f"certfile {CERTS / 'server.pem'}", f"keyfile {CERTS / 'server.key'}"]
                # libwebsockets of this version asks for a certificate by the same words.
                lines += ["require_certificate true", "use_identity_as_username true", "allow_anonymous false"]
            else:
                lines += ["allow_anonymous false", f"password_file {passwords}"]
        lines += [f"listener {self.own} 127.0.0.1", "allow_anonymous true"]
        self.config = scene.folder / "mosquitto.conf"
        self.config.write_text("\n".join(lines) + "\n")
        self.process = None

    def start(self):
        self.process = self.scene.spawn("mosquitto", ["mosquitto", "-c", self.config])

        def listens():
            with socket.create_connection(("127.0.0.1", self.own), 1):
                return True

        self.scene.until("Mosquitto listens", listens)
        return self

    def address(self, form):
        return f"{form}://localhost:{self.ports[form]}"

    def subscriber(self, filter="#"):
        """What comes, as JSON lines: topic, payload, qos, retain."""
        self.number += 1
        argv = ["mosquitto_sub", "-h", "127.0.0.1", "-p", self.own, "-q", "2", "-t", filter, "-F", "%j"]
        return self.scene.spawn(f"mosquitto-sub-{self.number}", argv)

    def kept(self, filter):
        """What the broker keeps: topic → payload."""
        argv = ["mosquitto_sub", "-h", "127.0.0.1", "-p", str(self.own), "-t", filter, "-F", "%j", "--retained-only", "-W", "2"]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=20, env={"PATH": PATH})
        return {line["topic"]: line["payload"] for line in map(json.loads, done.stdout.splitlines())}


def tell(device, state, source="1", gone=False):
    """Tells the device of motion, at its control socket."""
    words = {"topic": TOPIC, "source": {"Source": source}, "data": {} if gone else {"State": state}, "gone": gone}
    path = device.scene.folder / f"{device.name}-data" / "control.sock"
    with socket.socket(socket.AF_UNIX) as control:
        control.settimeout(10)
        control.connect(str(path))
        control.sendall(json.dumps({"tell": words}).encode() + b"\n")
        answer = json.loads(control.makefile().readline())
    check("told" in answer, f"the device told nothing: {answer}")


def add(device, address, prefix, expect=200, **fields):
    inner = f"<tev:Address>{address}</tev:Address><tev:TopicPrefix>{prefix}</tev:TopicPrefix>"
    order = ("UserName", "Password", "CertificateID", "PublishFilter", "QoS", "CertPathValidationPolicyID")
    inner += "".join(f"<tev:{name}>{fields[name]}</tev:{name}>" for name in order if name in fields)
    body = f'<tev:AddEventBroker xmlns:tev="{TEV}"><tev:EventBroker>{inner}</tev:EventBroker></tev:AddEventBroker>'
    answer = device.call(body)
    check(answer.status == expect, f"AddEventBroker {address}: {answer}")
    return answer


def brokers(device):
    """Address → the other fields of its configuration."""
    answer = device.call(f'<tev:GetEventBrokers xmlns:tev="{TEV}"/>')
    if answer.status != 200:
        raise Failure(f"GetEventBrokers: {answer}")
    check(PASSWORD not in answer.text and "Password" not in answer.text, f"the password comes back: {answer.text}")
    found = {}
    for entry in answer.child():
        fields = {element.tag.rpartition("}")[2]: (element.text or "").strip() for element in entry}
        found[fields.pop("Address")] = fields
    return found


def connected(device, address, timeout=30):
    device.scene.until(f"{address} Connected", lambda: brokers(device)[address]["Status"] == "Connected", timeout)


CREDENTIALS = {
    "mqtt": {"UserName": USER, "Password": PASSWORD},
    "ws": {"UserName": USER, "Password": PASSWORD},
    "mqtts": {"CertificateID": oriel.Device.CERTIFICATE, "CertPathValidationPolicyID": oriel.Device.POLICY},
    "wss": {"CertificateID": oriel.Device.CERTIFICATE, "CertPathValidationPolicyID": oriel.Device.POLICY},
}


def motion(prefix, source="1"):
    return f"{prefix}/onvif-ej/{TOPIC}/&{source}"


@scenario("brokers-mosquitto-forms", timeout=90)
def forms(scene):
    """Each form and each QoS: what happens arrives, in its order, as the chapter writes it; states are kept and deleted."""
    broker, device = Mosquitto(scene).start(), oriel.Device(scene).start()
    subscriber = broker.subscriber()
    tell(device, "false")
    for number, form in enumerate(FORMS):
        add(device, broker.address(form), f"site/{form}", QoS=number % 3, **CREDENTIALS[form])
    for form in FORMS:
        connected(device, broker.address(form))
        first = subscriber.wait("up", topic=motion(f"site/{form}"))
        payload = json.loads(first["payload"])
        check(set(payload) == {"UtcTime", "Source", "Data"} and payload["UtcTime"].endswith("Z"), f"{form}: {payload}")
        check(payload["Source"] == {"Source": "1"} and payload["Data"] == {"State": False}, f"{form}: {payload}")
    states = [True, False] * 10
    for state in states:
        tell(device, str(state).lower())
    for number, form in enumerate(FORMS):
        topic = motion(f"site/{form}")
        scene.until(f"{form}: all of it", lambda t=topic: len(subscriber.all("up", topic=t)) > len(states))
        came = subscriber.all("up", topic=topic)
        check(len(came) == len(states) + 1, f"{form}: {len(came)} messages")
        told = [json.loads(message["payload"])["Data"]["State"] for message in came]
        check(told == [False, *states], f"{form}: {told}")
        check({message["qos"] for message in came} == {number % 3}, f"{form}: {came[0]}")
    kept = broker.kept(motion("+/+"))
    check(set(kept) == {motion(f"site/{form}") for form in FORMS}, f"kept: {kept}")
    tell(device, "", gone=True)
    for form in FORMS:
        subscriber.wait("up", topic=motion(f"site/{form}"), payloadlen=0)
    check(broker.kept(motion("+/+")) == {}, "a property that is no more is still kept")


@scenario("brokers-mosquitto-refusals", timeout=120)
def refusals(scene):
    """A wrong password, no certificate, a broker whom nobody vouches for; put right, each connects."""
    broker, device = Mosquitto(scene).start(), oriel.Device(scene).start()
    subscriber = broker.subscriber()
    tell(device, "true")
    mqtt, mqtts, wss = (broker.address(form) for form in ("mqtt", "mqtts", "wss"))
    add(device, mqtt, "wrong", UserName=USER, Password="another one")
    # Without a policy the system's roots count, and they know nothing of this authority.
    add(device, mqtts, "wrong", CertificateID=oriel.Device.CERTIFICATE)
    add(device, wss, "wrong", CertPathValidationPolicyID=oriel.Device.POLICY)
    log = device.process.log
    # Mosquitto says "not authorised" of a wrong password as well.
    for text in ("it is not authorised", "nobody this device trusts"):
        scene.until(f"the device says: {text}", lambda t=text: t in log.read_text(errors="replace"), 30)
    check(all(fields["Status"] != "Connected" for fields in brokers(device).values()), f"{brokers(device)}")
    check(not subscriber.all("up"), "something was published")
    unknown = add(device, "mqtts://localhost:1", "x", expect=400, CertificateID="none such")
    check("InvalidArgVal" in unknown.fault()[0], f"{unknown}")
    add(device, mqtt, "right", UserName=USER, Password=PASSWORD)
    for form, address in (("mqtts", mqtts), ("wss", wss)):
        add(device, address, "right", **CREDENTIALS[form])
    for address in (mqtt, mqtts, wss):
        connected(device, address)
    subscriber.wait("up", topic=motion("right"))
    check(PASSWORD not in log.read_text(errors="replace"), "the password is in the log")


@scenario("brokers-mosquitto-restart", timeout=120)
def restart(scene):
    """The broker dies and comes back without memory: the device connects by itself, what happened meanwhile comes, the states are kept there again."""
    broker, device = Mosquitto(scene).start(), oriel.Device(scene).start()
    address = broker.address("mqtt")
    add(device, address, "cam", QoS=1, **CREDENTIALS["mqtt"])
    tell(device, "false", source="a")
    tell(device, "true", source="b")
    connected(device, address)
    scene.until("the states are kept", lambda: len(broker.kept("cam/#")) >= 2)
    broker.process.kill()
    scene.until("the device sees it", lambda: brokers(device)[address]["Status"] != "Connected")
    tell(device, "true", source="a")
    tell(device, "false", source="a")
    broker.process.end()
    broker.start()
    subscriber = broker.subscriber()
    connected(device, address, timeout=60)
    subscriber.wait("up", topic=motion("cam", "b"), timeout=40)
    scene.until("the states are kept again", lambda: motion("cam", "a") in broker.kept("cam/#"))
    kept = {topic: json.loads(payload)["Data"]["State"] for topic, payload in broker.kept(f"cam/onvif-ej/{TOPIC}/#").items()}
    # The device has a video source of its own, too.
    kept = {topic: kept.get(topic) for topic in (motion("cam", "a"), motion("cam", "b"))}
    check(kept == {motion("cam", "a"): False, motion("cam", "b"): True}, f"kept: {kept}")
