// The little SOAP that the Node peers speak: envelopes out, the first child of Body in (Core 5.7).

const ENV = 'http://www.w3.org/2003/05/soap-envelope';
const NAMESPACES = { tds: 'http://www.onvif.org/ver10/device/wsdl', tup: 'http://www.onvif.org/ver10/uplink/wsdl' };
const TT = 'http://www.onvif.org/ver10/schema';
export const SOAP = 'application/soap+xml; charset=utf-8';

export function envelope(inner) {
  const declared = Object.entries(NAMESPACES).map(([prefix, name]) => ` xmlns:${prefix}="${name}"`);
  return `<?xml version="1.0" encoding="UTF-8"?><s:Envelope xmlns:s="${ENV}"${declared.join('')} xmlns:tt="${TT}"><s:Body>${inner}</s:Body></s:Envelope>`;
}

// `tds:GetServices` or a whole body element.
export function request(operation, body) {
  const [prefix, name] = operation.split(':');
  return { type: `${SOAP}; action="${NAMESPACES[prefix]}/${name}"`, text: envelope(body ?? `<${operation}/>`) };
}

// Good enough for a peer: the local name behind <Body>.
export function operationOf(text) {
  return /<(?:[\w.-]+:)?Body[^>]*>\s*<(?:[\w.-]+:)?([\w.-]+)/.exec(text)?.[1];
}

export function fault(code, subcode, text) {
  return envelope(
    `<s:Fault xmlns:ter="http://www.onvif.org/ver10/error"><s:Code><s:Value>s:${code}</s:Value><s:Subcode><s:Value>ter:${subcode}</s:Value></s:Subcode></s:Code>` +
      `<s:Reason><s:Text xml:lang="en">${text}</s:Text></s:Reason></s:Fault>`,
  );
}

const date = () => {
  const now = new Date();
  const time = `<tt:Time><tt:Hour>${now.getUTCHours()}</tt:Hour><tt:Minute>${now.getUTCMinutes()}</tt:Minute><tt:Second>${now.getUTCSeconds()}</tt:Second></tt:Time>`;
  const day = `<tt:Date><tt:Year>${now.getUTCFullYear()}</tt:Year><tt:Month>${now.getUTCMonth() + 1}</tt:Month><tt:Day>${now.getUTCDate()}</tt:Day></tt:Date>`;
  return (
    '<tds:GetSystemDateAndTimeResponse><tds:SystemDateAndTime><tt:DateTimeType>NTP</tt:DateTimeType><tt:DaylightSavings>false</tt:DaylightSavings>' +
    `<tt:TimeZone><tt:TZ>UTC0</tt:TZ></tt:TimeZone><tt:UTCDateTime>${time}${day}</tt:UTCDateTime></tds:SystemDateAndTime></tds:GetSystemDateAndTimeResponse>`
  );
};

// What a small camera of another maker answers: addresses of its own LAN, whatever the request said.
export function camera({ name, lan, pad }) {
  const answers = {
    GetSystemDateAndTime: date,
    GetServices: () =>
      `<tds:GetServicesResponse><tds:Service><tds:Namespace>${NAMESPACES.tds}</tds:Namespace><tds:XAddr>${lan}/onvif/device_service</tds:XAddr>` +
      '<tds:Version><tt:Major>2</tt:Major><tt:Minor>42</tt:Minor></tds:Version></tds:Service></tds:GetServicesResponse>',
    GetDeviceInformation: () =>
      `<tds:GetDeviceInformationResponse><tds:Manufacturer>Interop</tds:Manufacturer><tds:Model>${name}${'x'.repeat(Number(pad))}</tds:Model>` +
      `<tds:FirmwareVersion>1.0</tds:FirmwareVersion><tds:SerialNumber>0002</tds:SerialNumber><tds:HardwareId>${name}</tds:HardwareId></tds:GetDeviceInformationResponse>`,
  };
  return (text) => {
    const asked = operationOf(text);
    if (!asked) return [400, fault('Sender', 'WellFormed', 'not an envelope')];
    if (!(asked in answers)) return [500, fault('Receiver', 'ActionNotSupported', `${asked} is not offered`)];
    return [200, envelope(answers[asked]())];
  };
}
