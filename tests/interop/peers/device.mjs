// A device of another maker on Node's own HTTP/2: dials out, upgrades, then serves on the dialled socket (Uplink chapter 5).

import http2 from 'node:http2';
import { setTimeout as sleep } from 'node:timers/promises';
import { Refused, dial, emit, options } from './link.mjs';
import { SOAP, camera, operationOf } from './words.mjs';

const o = options({
  address: '',
  ca: '',
  cert: '',
  key: '',
  token: '',
  form: '',
  'ping-after': '',
  deadline: '30',
  reconnect: false,
  name: 'node-device',
  lan: 'http://192.168.1.65',
  pad: '0',
});
o.form ||= o.address.startsWith('wss:') ? 'websocket' : 'native';
const soap = camera(o);

async function serve(stream, headers) {
  const parts = [];
  for await (const part of stream) parts.push(part);
  const body = Buffer.concat(parts);
  const path = headers[':path'].split('?')[0];
  const operation = headers[':method'] === 'POST' ? operationOf(body.toString()) : null;
  emit('request', { method: headers[':method'], path: headers[':path'], headers, operation });
  const answer = (status, type, data) => {
    if (stream.destroyed) return;
    stream.respond({ ':status': status, 'content-type': type, 'content-length': Buffer.byteLength(data) });
    stream.end(data);
  };
  if (path === '/echo') return answer(200, headers['content-type'] ?? 'application/octet-stream', body);
  if (path === '/onvif/device_service' && headers[':method'] === 'POST') {
    const [status, text] = soap(body.toString());
    return answer(status, SOAP, text);
  }
  return answer(404, 'text/plain', 'no such path\n');
}

function watch(session, raw) {
  // Uplink 5.2: count bytes, ping a silent peer, give it up after 30 s.
  const socket = raw.socket ?? raw;
  let heard = performance.now();
  let bytes = socket.bytesRead;
  let pinged = 0;
  return setInterval(() => {
    const now = performance.now();
    if (socket.bytesRead !== bytes) [bytes, heard] = [socket.bytesRead, now];
    if (now - heard > Number(o.deadline) * 1000) {
      session.reason = 'silent';
      session.destroy();
      raw.destroy();
    } else if (o['ping-after'] && now - Math.max(heard, pinged) > Number(o['ping-after']) * 1000) {
      pinged = now;
      session.ping((error) => error || emit('pong'));
    }
  }, 250);
}

async function once() {
  let raw;
  try {
    raw = await dial(o);
  } catch (error) {
    if (error instanceof Refused) emit('refused', { status: error.status, headers: error.headers, body: error.body });
    else emit('failed', { reason: String(error) });
    return false;
  }
  const session = http2.performServerHandshake(raw, { settings: { enableConnectProtocol: true } });
  const begun = performance.now();
  session.on('stream', (stream, headers) => {
    stream.on('error', (error) => emit('reset', { reason: String(error) }));
    serve(stream, headers).catch((error) => emit('unanswered', { reason: String(error) }));
  });
  session.on('ping', () => emit('ping'));
  session.on('remoteSettings', (settings) => emit('settings', { window: settings.initialWindowSize }));
  session.on('goaway', (code, last) => emit('goaway', { code, last }));
  session.on('error', (error) => {
    session.reason ??= String(error);
  });
  raw.on('error', (error) => {
    session.reason ??= String(error);
  });
  const timer = watch(session, raw);
  emit('connected', { form: o.form });
  await new Promise((resolve) => session.once('close', resolve));
  clearInterval(timer);
  raw.destroy();
  emit('closed', { reason: session.reason ?? 'end of stream', lasted: Math.round(performance.now() - begun) / 1000 });
  return true;
}

// The end of standard input is the end of the peer: nothing survives the runner.
process.stdin.resume().on('end', () => process.exit(0));
let wait = 250;
do {
  wait = (await once()) ? 250 : Math.min(wait * 2, 30_000);
  if (o.reconnect) await sleep(wait);
} while (o.reconnect);
process.exit(0);
