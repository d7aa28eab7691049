// npm `onvif` against a device: connects and reads what that library reads, by WS-UsernameToken and by HTTP Digest. By https every name is this machine's.

const fs = require('node:fs');

const { Cam } = require('onvif');

const [address, username, password] = process.argv.slice(2);
const url = new URL(address);
const emit = (event, fields = {}) => process.stdout.write(`${JSON.stringify({ event, ...fields })}\n`);

const loopback = (_, options, callback) => {
  const found = { address: '127.0.0.1', family: 4 };
  return options.all ? callback(null, [found]) : callback(null, found.address, found.family);
};
const secure =
  url.protocol === 'https:'
    ? { useSecure: true, secureOpts: { ca: fs.readFileSync(process.env.CLOUD_CA), lookup: loopback } }
    : {};

const connect = (options) =>
  new Promise((resolve, reject) => {
    const base = {
      hostname: url.hostname,
      port: Number(url.port),
      path: url.pathname,
      username,
      password,
      timeout: 10_000,
    };
    const cam = new Cam({ ...base, ...secure, ...options }, (error) => (error ? reject(error) : resolve(cam)));
    cam.on('warning', (text) => emit('warning', { text: String(text) }));
  });

const ask = (cam, name, ...args) =>
  new Promise((resolve, reject) => {
    cam[name](...args, (error, data) =>
      error ? reject(new Error(`${name}: ${error.message ?? error}`)) : resolve(data),
    );
  });

async function read(cam) {
  const found = {
    date: await ask(cam, 'getSystemDateAndTime'),
    services: await ask(cam, 'getServices', true),
    capabilities: await ask(cam, 'getCapabilities'),
    information: await ask(cam, 'getDeviceInformation'),
    hostname: await ask(cam, 'getHostname'),
    scopes: await ask(cam, 'getScopes'),
    interfaces: await ask(cam, 'getNetworkInterfaces'),
    users: await ask(cam, 'getUsers'),
  };
  return found;
}

async function main() {
  emit('token', await read(await connect({ useWSSecurity: true })));
  emit('digest', await read(await connect({ useWSSecurity: false })));
  const wrong = await connect({ password: 'wrong', useWSSecurity: true })
    .then((cam) => ask(cam, 'getUsers'))
    .then(() => 'let in', String);
  const digest = await connect({ password: 'wrong', useWSSecurity: false })
    .then((cam) => ask(cam, 'getUsers'))
    .then(() => 'let in', String);
  emit('wrong', { token: wrong, digest });
}

main().then(
  () => process.exit(0),
  (error) => {
    emit('error', { text: String(error.stack ?? error) });
    process.exit(1);
  },
);
