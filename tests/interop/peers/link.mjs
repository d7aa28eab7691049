// The byte stream under a reverse tunnel, Node side: the upgrade (Uplink 5.1.1) and a small WebSocket framing of its own (RFC 6455).

import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { Duplex } from 'node:stream';
import tls from 'node:tls';

export const PROTOCOL = 'h2c-reverse';
const HEAD_LIMIT = 8192;
const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

export function emit(event, fields = {}) {
  process.stdout.write(`${JSON.stringify({ event, at: Math.round(performance.now()) / 1000, ...fields })}\n`);
}

export function options(defaults) {
  const found = { ...defaults };
  const list = process.argv.slice(2);
  for (let i = 0; i < list.length; i += 1) {
    const name = list[i].replace(/^--/, '');
    if (!(name in defaults)) throw new Error(`unknown option ${list[i]}`);
    if (typeof defaults[name] === 'boolean') found[name] = true;
    else if (Array.isArray(defaults[name])) found[name] = [...found[name], list[(i += 1)]];
    else found[name] = list[(i += 1)];
  }
  return found;
}

// Resolves with the head's first line, its headers (names in lower case) and what came behind the blank line.
export async function readHead(socket, deadline = 10_000) {
  const timer = setTimeout(() => socket.destroy(new Error('no head in time')), deadline);
  let data = Buffer.alloc(0);
  try {
    for (;;) {
      const end = data.indexOf('\r\n\r\n');
      if (end >= 0) {
        const [line, ...rest] = data.subarray(0, end).toString('latin1').split('\r\n');
        const headers = {};
        for (const field of rest) {
          const colon = field.indexOf(':');
          const name = field.slice(0, colon).trim().toLowerCase();
          const value = field.slice(colon + 1).trim();
          headers[name] = name in headers ? `${headers[name]}, ${value}` : value;
        }
        return { line, headers, early: data.subarray(end + 4) };
      }
      if (data.length > HEAD_LIMIT) throw new Error('head over 8 KiB');
      const part = socket.read();
      if (part !== null) data = Buffer.concat([data, part]);
      else if (socket.readableEnded || socket.destroyed)
        throw socket.errored ?? new Error('closed before the end of the head');
      else await Promise.race([once(socket, 'readable'), once(socket, 'end'), once(socket, 'close')]);
    }
  } finally {
    clearTimeout(timer);
    socket.removeAllListeners('readable');
    socket.pause();
  }
}

// A Duplex whose bytes travel in binary messages; frames span messages and messages hold many frames.
export class WebSocketStream extends Duplex {
  constructor(socket, masks, early) {
    super({ allowHalfOpen: false });
    Object.assign(this, { socket, masks, input: Buffer.alloc(0), ended: false });
    socket.on('data', (part) => this.take(part));
    // Never an 'error' on this stream: Node's HTTP/2 aborts when one comes while a write of its own is under way.
    socket.on('end', () => this.finish());
    socket.on('close', () => this.finish());
    socket.on('error', () => this.finish());
    if (early.length) this.take(early);
  }

  take(part) {
    this.input = this.input.length ? Buffer.concat([this.input, part]) : part;
    while (this.frame());
  }

  frame() {
    const data = this.input;
    if (data.length < 2) return false;
    const masked = (data[1] & 0x80) !== 0;
    let length = data[1] & 0x7f;
    let at = 2;
    if (length === 126) {
      if (data.length < 4) return false;
      length = data.readUInt16BE(2);
      at = 4;
    } else if (length === 127) {
      if (data.length < 10) return false;
      length = Number(data.readBigUInt64BE(2));
      at = 10;
    }
    const mask = masked ? data.subarray(at, at + 4) : null;
    if (masked) at += 4;
    if (data.length < at + length) return false;
    const payload = Buffer.from(data.subarray(at, at + length));
    if (mask) for (let i = 0; i < length; i += 1) payload[i] ^= mask[i & 3];
    this.input = data.subarray(at + length);
    this.received(data[0], masked, payload);
    return true;
  }

  received(first, masked, payload) {
    const opcode = first & 0x0f;
    // RFC 6455 5.1: a client masks, a server does not; RFC 6455 5.2: no extension was agreed, so no reserved bit.
    if (masked === this.masks || (first & 0x70) !== 0) {
      emit('websocket-wrong', { first, masked });
      this.close(1002);
    } else if (opcode === 0 || opcode === 2) {
      if (!this.push(payload)) this.socket.pause();
    } else if (opcode === 1) {
      this.close(1003);
    } else if (opcode === 8) {
      emit('websocket-close', {
        code: payload.length > 1 ? payload.readUInt16BE(0) : null,
        reason: payload.subarray(2).toString(),
      });
      this.close(1000);
    } else if (opcode === 9) {
      this.write_(10, payload);
    }
  }

  write_(opcode, payload, callback) {
    const length = payload.length;
    const head = Buffer.alloc(length < 126 ? 2 : length < 65536 ? 4 : 10);
    head[0] = 0x80 | opcode;
    head[1] = length < 126 ? length : length < 65536 ? 126 : 127;
    if (head.length === 4) head.writeUInt16BE(length, 2);
    if (head.length === 10) head.writeBigUInt64BE(BigInt(length), 2);
    if (!this.masks) return this.socket.write(Buffer.concat([head, payload]), callback);
    head[1] |= 0x80;
    const mask = randomBytes(4);
    const hidden = Buffer.from(payload);
    for (let i = 0; i < length; i += 1) hidden[i] ^= mask[i & 3];
    return this.socket.write(Buffer.concat([head, mask, hidden]), callback);
  }

  text(words) {
    this.write_(1, Buffer.from(words));
  }

  close(code) {
    if (this.ended || this.socket.destroyed) return;
    this.ended = true;
    const payload = Buffer.alloc(2);
    payload.writeUInt16BE(code);
    this.write_(8, payload, () => this.socket.end());
    this.finish();
  }

  finish() {
    if (!this.readableEnded && !this.finished) this.push(null);
    this.finished = true;
  }

  _read() {
    this.socket.resume();
  }

  _write(chunk, _encoding, done) {
    const callback = () => done();
    if (this.socket.destroyed || this.ended) return callback();
    // Two uneven messages: a message boundary means nothing to HTTP/2.
    const cut = Math.min(chunk.length, 5);
    if (chunk.length === cut) return this.write_(2, chunk, callback);
    this.write_(2, chunk.subarray(0, cut), () => {});
    return this.write_(2, chunk.subarray(cut), callback);
  }

  _final(callback) {
    this.close(1000);
    callback();
  }

  _destroy(_error, callback) {
    this.socket.destroy();
    callback();
  }
}

const accepted = (key) =>
  createHash('sha1')
    .update(key + GUID)
    .digest('base64');

export class Refused extends Error {
  constructor(status, headers, body) {
    super(`refused with ${status}`);
    Object.assign(this, { status, headers, body });
  }
}

// Device end: TCP, TLS, upgrade. Resolves with a stream that HTTP/2 can take over.
export async function dial(o) {
  const url = new URL(o.address.replace(/^wss:/, 'https:'));
  const socket = tls.connect({
    host: url.hostname,
    port: Number(url.port || 443),
    servername: /^[\d.]+$/.test(url.hostname) ? '' : url.hostname,
    ca: readFileSync(o.ca),
    cert: o.cert && readFileSync(o.cert),
    key: o.key && readFileSync(o.key),
    ALPNProtocols: ['http/1.1'],
  });
  const timer = setTimeout(() => socket.destroy(new Error('no TLS in time')), 10_000);
  await once(socket, 'secureConnect').finally(() => clearTimeout(timer));
  socket.setNoDelay(true);
  emit('tls', { local: [socket.localAddress, socket.localPort], alpn: socket.alpnProtocol });
  const websocket = o.form === 'websocket';
  const key = randomBytes(16).toString('base64');
  const lines = websocket
    ? [
        'Upgrade: websocket',
        'Connection: Upgrade',
        `Sec-WebSocket-Key: ${key}`,
        'Sec-WebSocket-Version: 13',
        `Sec-WebSocket-Protocol: ${PROTOCOL}`,
      ]
    : ['Connection: Upgrade', `Upgrade: ${PROTOCOL}`];
  if (o.token) lines.push(`Authorization: Bearer ${o.token}`);
  socket.write(`GET ${url.pathname}${url.search} HTTP/1.1\r\nHost: ${url.host}\r\n${lines.join('\r\n')}\r\n\r\n`);
  const { line, headers, early } = await readHead(socket);
  const status = Number(line.split(' ')[1]);
  if (status !== 101) {
    const body = early.toString();
    socket.destroy();
    throw new Refused(status, headers, body);
  }
  const good = websocket
    ? headers['sec-websocket-accept'] === accepted(key) &&
      headers['sec-websocket-protocol'] === PROTOCOL &&
      !headers['sec-websocket-extensions']
    : headers.upgrade === PROTOCOL && headers.connection.toLowerCase() === 'upgrade';
  if (!good) {
    socket.destroy();
    throw new Error(`a 101 that does not upgrade: ${JSON.stringify(headers)}`);
  }
  emit('switched', { line, headers, early: early.length });
  if (websocket) return new WebSocketStream(socket, true, early);
  if (early.length) socket.unshift(early);
  return socket;
}

// Cloud end: read the head, answer 101 and wait until it is written: Node's HTTP/2 client aborts natively on a socket with a write under way.
export async function accept(socket) {
  const { line, headers, early } = await readHead(socket, 5_000);
  const has = (name, value) =>
    (headers[name] ?? '')
      .toLowerCase()
      .split(',')
      .some((part) => part.trim() === value);
  const write = (text) =>
    new Promise((resolve, reject) => socket.write(text, (error) => (error ? reject(error) : resolve())));
  const asked = { line, headers, early: early.length };
  if (has('upgrade', PROTOCOL)) {
    await write(`HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${PROTOCOL}\r\n\r\n`);
    if (early.length) socket.unshift(early);
    return { stream: socket, form: 'native', ...asked };
  }
  if (has('upgrade', 'websocket') && has('sec-websocket-protocol', PROTOCOL)) {
    const answer = ['HTTP/1.1 101 Switching Protocols', 'Upgrade: websocket', 'Connection: Upgrade'];
    answer.push(
      `Sec-WebSocket-Accept: ${accepted(headers['sec-websocket-key'])}`,
      `Sec-WebSocket-Protocol: ${PROTOCOL}`,
    );
    await write(`${answer.join('\r\n')}\r\n\r\n`);
    return { stream: new WebSocketStream(socket, false, early), form: 'websocket', ...asked };
  }
  await write('HTTP/1.1 426 Upgrade Required\r\nContent-Length: 0\r\nConnection: close\r\n\r\n');
  socket.destroy();
  throw new Error(`not an uplink: ${line}`);
}
