// npm `onvif` as a viewer: profiles, stream address, snapshot, PTZ move, events. By https every name is this machine's. `without=a,b` leaves steps out.

const fs = require('node:fs');
const http = require('node:http');
const https = require('node:https');

const { Cam } = require('onvif');

const [address, username, password, ...rest] = process.argv.slice(2);
const options = Object.fromEntries(rest.map((part) => part.split('=')));
const without = (options.without ?? '').split(',');
const url = new URL(address);
const emit = (event, fields = {}) => process.stdout.write(`${JSON.stringify({ event, ...fields })}\n`);

const loopback = (_, options, callback) => {
  const found = { address: '127.0.0.1', family: 4 };
  return options.all ? callback(null, [found]) : callback(null, found.address, found.family);
};
const secureOpts =
  url.protocol === 'https:' ? { ca: fs.readFileSync(process.env.CLOUD_CA), lookup: loopback } : undefined;

const connect = () =>
  new Promise((resolve, reject) => {
    const base = { hostname: url.hostname, port: Number(url.port), path: url.pathname, username, password };
    const how = {
      timeout: 10_000,
      useWSSecurity: options.by !== 'digest',
      ...(secureOpts ? { useSecure: true, secureOpts } : {}),
    };
    const cam = new Cam({ ...base, ...how }, (error) => (error ? reject(error) : resolve(cam)));
    cam.on('warning', (text) => emit('warning', { text: String(text) }));
  });

const ask = (cam, name, ...args) =>
  new Promise((resolve, reject) => {
    cam[name](...args, (error, data) =>
      error ? reject(new Error(`${name}: ${error.message ?? error}`)) : resolve(data),
    );
  });

const get = (target, headers) =>
  new Promise((resolve, reject) => {
    const from = new URL(target);
    const how = { hostname: from.hostname, port: from.port, path: from.pathname + from.search, method: 'GET', headers };
    const library = from.protocol === 'https:' ? https : http;
    const request = library.request({ ...secureOpts, ...how, timeout: 10_000 }, (response) => {
      const parts = [];
      response.on('data', (part) => parts.push(part));
      response.on('end', () => resolve({ how, response, body: Buffer.concat(parts) }));
    });
    request.on('error', reject);
    request.end();
  });

// Digest, when it is asked for.
async function picture(cam, target) {
  let found = await get(target, {});
  if (found.response.statusCode === 401) {
    const { rawHeaders } = found.response;
    const challenges = rawHeaders.filter((value, at) => at % 2 && /^digest /i.test(value));
    found = await get(target, { Authorization: cam.digestAuth(challenges, found.how) });
  }
  const { response, body } = found;
  return { status: response.statusCode, type: response.headers['content-type'], bytes: body.length, jpeg: body[0] === 0xff };
}

async function move(cam) {
  await ask(cam, 'continuousMove', { x: 0.5, y: 0, zoom: 0 });
  emit('moving');
  let status;
  for (let tries = 0; tries < 40; tries += 1) {
    status = await ask(cam, 'getStatus', {});
    if (Number(status.position.x) > 0.01) break;
  }
  await ask(cam, 'stop', { panTilt: true, zoom: true });
  return status.position;
}

const messages = (pulled) => [pulled.notificationMessage ?? []].flat();

async function events(cam) {
  await ask(cam, 'createPullPointSubscription');
  emit('subscribed', { address: cam.events.subscription.subscriptionReference.address.href });
  const first = messages(await ask(cam, 'pullMessages', { messageLimit: 10 }));
  emit('initialized', { messages: first });
  const second = messages(await ask(cam, 'pullMessages', { messageLimit: 10 }));
  emit('event', { messages: second });
  await ask(cam, 'renew', {});
  await ask(cam, 'unsubscribe');
}

async function main() {
  const cam = await connect();
  emit('connected', { services: cam.services ?? null, profiles: (cam.profiles ?? []).map((profile) => profile.$.token) });
  emit('information', { information: await ask(cam, 'getDeviceInformation') });
  emit('stream', { uri: (await ask(cam, 'getStreamUri', { protocol: 'RTSP' })).uri });
  if (!without.includes('snapshot')) {
    const { uri } = await ask(cam, 'getSnapshotUri', {});
    emit('snapshot', { uri, ...(await picture(cam, uri)) });
  }
  if (!without.includes('ptz')) emit('moved', { position: await move(cam) });
  if (!without.includes('events')) await events(cam);
  emit('done');
}

main().then(
  () => process.exit(0),
  (error) => {
    emit('error', { text: String(error.stack ?? error) });
    process.exit(1);
  },
);
