// A cloud of another maker on Node's own HTTP/2: accepts TLS with a client certificate, answers 101, then asks (Uplink chapter 5).

import { createHash, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import http2 from 'node:http2';
import { createInterface } from 'node:readline';
import tls from 'node:tls';
import { accept, emit, options } from './link.mjs';
import { request } from './words.mjs';

const o = options({
  listen: '127.0.0.1:0',
  ca: '',
  cert: '',
  key: '',
  'ping-after': '10',
  'never-ping': false,
  call: [],
  count: '1',
});
// A client's GOAWAY(NO_ERROR) as bytes: after session.goaway() an idle session stops reading and never notices the peer's close.
// On a bare TLS socket there is no other way: Node aborts natively when anybody else writes to it.
const GOAWAY = Buffer.from([0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
const tunnels = new Map();
let number = 0;

const ask = (session, path, headers, body) =>
  new Promise((resolve, reject) => {
    const stream = session.request({
      ':method': 'POST',
      ':path': path,
      'content-length': Buffer.byteLength(body),
      ...headers,
    });
    const timer = setTimeout(() => stream.destroy(new Error('no answer in 20 s')), 20_000);
    const parts = [];
    let head;
    stream.on('response', (found) => {
      head = found;
    });
    stream.on('data', (part) => parts.push(part));
    stream.on('error', reject);
    stream.on('close', () => {
      clearTimeout(timer);
      if (head) resolve([head[':status'], head, Buffer.concat(parts)]);
      else reject(new Error(`stream closed with ${stream.rstCode} before an answer`));
    });
    stream.end(body);
  });

async function call(session, tunnel, command) {
  const { type, text } = request(command.operation, command.body);
  const headers = { 'content-type': type, ...Object.fromEntries(command.headers ?? []) };
  const fields = { id: command.id, tunnel, operation: command.operation };
  const begun = performance.now();
  try {
    const [status, head, answer] = await ask(session, command.path ?? '/onvif/device_service', headers, text);
    const ms = Math.round((performance.now() - begun) * 100) / 100;
    emit('answer', { status, headers: head, body: answer.toString(), ms, ...fields });
  } catch (error) {
    emit('unanswered', { reason: String(error), ...fields });
  }
}

async function echo(session, tunnel, command) {
  const body = randomBytes(command.bytes);
  try {
    const [status, , answer] = await ask(session, '/echo', { 'content-type': 'application/octet-stream' }, body);
    emit('echoed', { id: command.id, tunnel, status, bytes: answer.length, same: answer.equals(body) });
  } catch (error) {
    emit('unanswered', { id: command.id, tunnel, reason: String(error) });
  }
}

async function calls(session, tunnel) {
  for (let i = 0; i < Number(o.count); i += 1)
    for (const operation of o.call) await call(session, tunnel, { operation });
}

function watch(session, socket) {
  let heard = performance.now();
  let bytes = socket.bytesRead;
  let pinged = 0;
  return setInterval(() => {
    const now = performance.now();
    if (socket.bytesRead !== bytes) [bytes, heard] = [socket.bytesRead, now];
    if (now - heard > 30_000) {
      session.reason = 'silent';
      session.destroy();
      socket.destroy();
    } else if (now - Math.max(heard, pinged) > Number(o['ping-after']) * 1000) {
      pinged = now;
      session.ping((error) => error || emit('pong'));
    }
  }, 250);
}

async function serve(socket) {
  socket.setNoDelay(true);
  const peer = [socket.remoteAddress, socket.remotePort];
  const der = socket.getPeerCertificate()?.raw;
  const { stream, ...asked } = await accept(socket);
  const tunnel = (number += 1);
  const session = http2.connect('https://device', { createConnection: () => stream, settings: { enablePush: false } });
  const begun = performance.now();
  const timer = o['never-ping'] ? null : watch(session, socket);
  session.on('error', (error) => {
    session.reason ??= String(error);
  });
  socket.on('error', (error) => {
    session.reason ??= String(error);
  });
  session.on('ping', () => emit('ping', { tunnel }));
  session.on('goaway', (code, last) => {
    // A device that said GOAWAY takes no new streams there.
    if (tunnels.has(tunnel)) tunnels.get(tunnel).leaving = true;
    emit('goaway', { code, last, tunnel });
  });
  session.on('remoteSettings', (s) =>
    emit('settings', { connect_protocol: s.enableConnectProtocol ? 1 : 0, window: s.initialWindowSize }),
  );
  session.on('close', () => {
    clearInterval(timer);
    tunnels.delete(tunnel);
    socket.destroy();
    emit('closed', {
      tunnel,
      reason: session.reason ?? 'end of stream',
      lasted: Math.round(performance.now() - begun) / 1000,
    });
  });
  const certificate = der ? createHash('sha256').update(der).digest('hex') : null;
  emit('connected', { tunnel, peer, certificate, alpn: socket.alpnProtocol, ...asked });
  tunnels.set(tunnel, { session, stream, socket });
  if (o.call.length) await calls(session, tunnel);
}

const server = tls.createServer({
  cert: readFileSync(o.cert),
  key: readFileSync(o.key),
  ca: o.ca ? readFileSync(o.ca) : undefined,
  requestCert: Boolean(o.ca),
  rejectUnauthorized: Boolean(o.ca),
  ALPNProtocols: ['http/1.1'],
});
server.on('secureConnection', (socket) => {
  socket.pause();
  socket.on('error', () => {});
  serve(socket).catch((error) => emit('failed', { reason: String(error) }));
});
server.on('tlsClientError', (error) => emit('failed', { reason: String(error) }));
const [host, port] = o.listen.split(':');
server.listen(Number(port), host, () => emit('listening', { port: server.address().port }));

const lines = createInterface({ input: process.stdin });
lines.on('line', (line) => {
  const command = JSON.parse(line);
  const tunnel = command.tunnel ?? Math.max(...[...tunnels].filter(([, held]) => !held.leaving).map(([key]) => key));
  const found = tunnels.get(tunnel);
  if (!found) return emit('unanswered', { id: command.id, reason: 'no tunnel' });
  const { session, stream, socket } = found;
  const deeds = {
    call: () => call(session, tunnel, command),
    echo: () => echo(session, tunnel, command),
    goaway: () => (stream === socket ? session.goaway(0) : stream.write(GOAWAY)),
    close: () => session.close(),
    abort: () => socket.destroy(),
    text: () => stream.text('not binary'),
  };
  return deeds[command.do]();
});
// The end of standard input is the end of the peer: nothing survives the runner.
lines.on('close', () => process.exit(0));
