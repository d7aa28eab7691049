// npm `onvif` as a listener: its own loop of pull points, until it is told to end. By https every name is this machine's.

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

const failed = (what) => (error) => {
  emit('error', { text: `${what}: ${error.stack ?? error}` });
  process.exit(1);
};

const items = (list) => [].concat(list?.simpleItem ?? []).map((item) => [item.$.Name, item.$.Value]);

const options = { hostname: url.hostname, port: Number(url.port), path: url.pathname, username, password, timeout: 90_000 };
const cam = new Cam({ ...options, ...secure }, (error) => {
  if (error) failed('connect')(error);
  cam.getEventServiceCapabilities((problem, capabilities) => {
    if (problem) failed('capabilities')(problem);
    cam.getEventProperties((wrong, properties) => {
      if (wrong) failed('properties')(wrong);
      emit('connected', { capabilities, topics: Object.keys(properties.topicSet) });
      cam.on('eventsError', (reason) => emit('eventsError', { text: String(reason) }));
      cam.on('event', (message) => {
        const inside = message.message.message;
        const all = [...items(inside.source), ...items(inside.key), ...items(inside.data)];
        const operation = inside.$.PropertyOperation ?? null;
        emit('message', { topic: message.topic._, operation, items: Object.fromEntries(all) });
      });
    });
  });
});

process.stdin.resume();
process.stdin.on('data', () => {
  cam.removeAllListeners('event');
  // The pull that waits ends by a fault: its subscription is no more.
  cam.removeAllListeners('eventsError');
  cam.unsubscribe((error) => {
    if (error) failed('unsubscribe')(error);
    emit('done');
    process.exit(0);
  });
});
