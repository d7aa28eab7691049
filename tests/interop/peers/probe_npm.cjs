// npm `onvif` looks for devices by WS-Discovery and asks those that it found for the time, at the address that it chose.

const { Discovery } = require('onvif');

const emit = (event, fields = {}) => process.stdout.write(`${JSON.stringify({ event, ...fields })}\n`);

Discovery.on('error', (error) => emit('refused', { text: String(error) }));
Discovery.probe({ timeout: 3000, device: process.argv[2] }, async (errors, cams) => {
  const found = [];
  for (const cam of cams) {
    const date = await new Promise((resolve) => cam.getSystemDateAndTime((error, date) => resolve(error ? String(error) : date)));
    found.push({ hostname: cam.hostname, port: Number(cam.port), xaddrs: cam.xaddrs.map(String), date });
  }
  emit('found', { found, errors: (errors ?? []).map(String) });
});
