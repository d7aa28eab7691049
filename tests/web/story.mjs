// The story that the pages are told by, step by step: each step stands on those before it.

import { createHash, randomBytes } from 'node:crypto';
import { join } from 'node:path';

import { FOLDER, Program, check, command, same, send, toml } from './harness.mjs';

const ADMINISTRATOR = { email: 'ada@example.org', password: 'four plain words here' };
const VIEWER = { email: 'vic@example.org', password: 'other plain words here' };
/** A camera that would like to run a script in the browser of whoever looks at it. */
const HOSTILE = '<img src=x onerror="alert(1)"><script>alert(2)</script>';

const PAGES = ['devices', 'access-keys', 'users', 'tokens', 'audit', 'organisation', 'organisations', 'account', 'add'];

/** [name, what is done]; a world is shared by all. */
export const STEPS = [];

function step(name, work) {
  STEPS.push([name, work]);
}

async function go(world, page, hash) {
  await page.goto(`${world.url}/#/${hash}`);
  await page.locator('main h1').first().waitFor();
}

/** The value beside a label in the dialog of secrets. */
async function secret(page, label) {
  const shown = page.locator('dialog .copyable', { has: page.getByText(label, { exact: true }) });
  const value = await shown.locator('.value').textContent();
  check(value && value.length > 5, `${label} is shown`);
  return value;
}

async function login(world, page, who) {
  await go(world, page, 'login');
  await page.getByLabel('E-mail address').fill(who.email);
  await page.getByLabel('Password').fill(who.password);
  await page.getByRole('button', { name: 'Log in' }).click();
}

async function setPassword(page, password) {
  await page.getByLabel('New password').fill(password);
  await page.getByLabel('The same again').fill(password);
  await page.getByRole('button', { name: 'Set password' }).click();
}

/** The person has copied what was shown once. */
async function done(page) {
  await inDialog(page, 'Done').click();
  await page.locator('dialog').waitFor({ state: 'detached' });
}

/** A part of a page, by its heading. */
function part(page, name) {
  return page.locator('section', { has: page.getByRole('heading', { name, exact: true }) });
}

/** In the dialog on top. */
function inDialog(page, name) {
  return page.locator('dialog').getByRole('button', { name, exact: true });
}

step('a stranger is shown the login and nothing else', async (world) => {
  const page = await world.browser.person('stranger');
  await page.goto(`${world.url}/#/users`);
  await page.getByRole('heading', { name: 'Log in' }).waitFor();
  same(await page.locator('#navigation').count(), 0, 'navigation');
  await login(world, page, { email: 'nobody@example.org', password: 'not the password' });
  await page.getByRole('alert').filter({ hasText: 'wrong' }).waitFor();
  same(await page.getByLabel('Password').inputValue(), '', 'the password field after a refusal');
  await page.context().close();
});

step('the first administrator’s link makes an account, once, and leaves the address bar', async (world) => {
  const page = await world.browser.person('administrator');
  world.admin = page;
  await page.goto(world.link);
  await page.getByLabel('E-mail address').fill(ADMINISTRATOR.email);
  await setPassword(page, ADMINISTRATOR.password);
  await page.getByRole('heading', { name: 'Devices' }).waitFor();
  same(await page.evaluate(() => location.hash), '#/devices', 'the address');
  const cookies = await page.context().cookies();
  const session = cookies.find((cookie) => cookie.name === '__Host-oriel');
  check(session?.httpOnly && session.secure && session.sameSite === 'Strict' && session.path === '/', 'the cookie is locked in');
  const second = await world.browser.person('second');
  await second.goto(world.link);
  await second.getByLabel('E-mail address').fill('thief@example.org');
  await setPassword(second, 'a thief’s own words');
  await second.getByRole('alert').filter({ hasText: /used|expired/i }).waitFor();
  await second.context().close();
});

step('an empty cloud says what to do next', async (world) => {
  await world.admin.getByText('No cameras yet').waitFor();
  await world.admin.locator('.empty').getByRole('link', { name: 'Add a camera' }).click();
  await world.admin.getByRole('heading', { name: 'Add a camera' }).waitFor();
});

step('a camera is added by the fingerprint of its key', async (world) => {
  const page = world.admin;
  await world.startDevice();
  const form = page.locator('section', { has: page.getByRole('heading', { name: 'With its certificate' }) });
  await form.getByLabel('Name of the camera').fill('Loading dock');
  await form.getByRole('button').click();
  await form.getByRole('alert').filter({ hasText: 'fingerprint' }).waitFor();
  await form.getByLabel('or fingerprint of its key').fill(world.fingerprint);
  await form.getByRole('button').click();
  await page.getByRole('heading', { name: 'Loading dock' }).waitFor();
  await page.locator('.badge.offline').waitFor();
  await page.getByText(/never connected/i).first().waitFor();
  world.device = (await page.evaluate(() => location.hash)).split('/').at(-1);
});

step('the list shows it come and go, live', async (world) => {
  const page = world.admin;
  await go(world, page, 'devices');
  const row = page.locator('tr', { hasText: 'Loading dock' });
  await row.locator('.badge.offline').waitFor();
  await page.locator('.live.on').waitFor();
  await world.setUplink();
  await row.locator('.badge.online').waitFor();
  await page.getByRole('status').filter({ hasText: 'Loading dock is online' }).waitFor({ state: 'attached' });
  await world.camera.end();
  await row.locator('.badge.offline').waitFor();
  check((await row.locator('.reason').textContent()).length > 3, 'a reason is given');
  await world.startDevice();
  await row.locator('.badge.online').waitFor();
});

step('search, filter and what is not there', async (world) => {
  const page = world.admin;
  await page.getByLabel('Search').fill('no such camera');
  await page.getByText('Nothing found').waitFor();
  await page.getByLabel('Search').fill('loading');
  await page.locator('tr', { hasText: 'Loading dock' }).waitFor();
  await page.getByRole('combobox', { name: 'Status' }).selectOption('revoked');
  await page.getByText('Nothing found').waitFor();
  await page.getByRole('combobox', { name: 'Status' }).selectOption('online');
  await page.getByRole('link', { name: 'Loading dock' }).click();
  await page.getByRole('heading', { name: 'Loading dock' }).waitFor();
});

step('the page of a device: the tunnel as the cloud sees it, the rest as the camera tells', async (world) => {
  const page = world.admin;
  await part(page, 'Connection').getByText('127.0.0.1').waitFor();
  await part(page, 'Connection').getByText('Last packet').waitFor();
  const told = part(page, 'As the camera tells');
  // What a camera says of itself is text, whatever it looks like.
  await told.getByText(HOSTILE).waitFor();
  await told.locator('tr', { hasText: world.url }).getByText('Connected').waitFor();
  same(await page.locator('main img, main script').count(), 0, 'elements that the camera made');
  await part(page, 'Connections so far').locator('tbody tr').first().waitFor();
  await part(page, 'Credentials').getByText(world.fingerprint).waitFor();
});

step('what a camera told: gaps are seen, markup stays text, older events come by the page', async (world) => {
  const page = world.admin;
  await part(page, 'Events').getByText('Live').waitFor();
  const now = Date.now();
  const item = (number, more) => ({ number, came: now, kind: 'event', topic: 'tns1:Device/Trigger/Relay', utc_time: '', time: now - 1000 * (100 - number), operation: null, source: { [HOSTILE]: HOSTILE }, key: {}, data: { Value: `n${number}` }, elements: [], cut: false, ...more });
  const all = Array.from({ length: 40 }, (_, at) => item(40 - at));
  all[2] = { number: 38, came: now, kind: 'gap', from: now - 60_000, to: now, reason: 'not_kept' };
  all[3] = item(37, { topic: `tns1:${HOSTILE}/${'x'.repeat(500)}`, data: { Value: HOSTILE, Long: 'y'.repeat(900) }, elements: [{ name: HOSTILE, xml: HOSTILE }] });
  await page.route('**/api/v1/devices/*/events?*', (route) => {
    const after = Number(new URL(route.request().url()).searchParams.get('after') ?? Infinity);
    const rest = all.filter((one) => one.number < after);
    return route.fulfill({ json: { items: rest.slice(0, 30), next: rest.length > 30 ? String(rest[29].number) : null } });
  });
  const stream = `retry: 600000\nevent: snapshot\nid: 40\ndata: {"number":40}\n\nevent: entry\nid: 41\ndata: ${JSON.stringify(item(41))}\n\n`;
  await page.route('**/api/v1/devices/*/events/stream', (route) => route.fulfill({ contentType: 'text/event-stream', body: stream }));
  await go(world, page, 'devices');
  await go(world, page, `devices/${world.device}`);
  const events = part(page, 'Events');
  await events.getByText('n41').waitFor();
  await events.locator('.gap').getByText('Events may be missing').waitFor();
  await events.getByText('n40').waitFor();
  same(await page.locator('main img, main script').count(), 0, 'elements that the camera made');
  check((await events.locator('.timeline').textContent()).includes(HOSTILE), 'its words are shown as they are');
  check(!(await events.textContent()).includes('y'.repeat(200)), 'long words are cut');
  await events.getByRole('button', { name: 'Show older events' }).click();
  await events.getByText('n1', { exact: true }).waitFor();
  same(await events.locator('.timeline li').count(), 41, 'entries');
  for (const [width, colorScheme] of [[390, 'light'], [1280, 'dark'], [1280, 'light']]) {
    await page.setViewportSize({ width, height: 800 });
    await page.emulateMedia({ colorScheme });
    check(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `nothing sticks out at ${width}`);
    const found = await world.browser.axe(page);
    check(found.length === 0, `axe at ${width}, ${colorScheme}: ${found.join('; ')}`);
  }
  await page.unrouteAll({ behavior: 'ignoreErrors' });
  await go(world, page, 'devices');
  await go(world, page, `devices/${world.device}`);
});

step('a name that is markup stays text', async (world) => {
  const page = world.admin;
  await page.getByRole('button', { name: 'Rename' }).click();
  await page.locator('dialog').getByLabel('Name').fill(HOSTILE);
  await inDialog(page, 'Rename').click();
  await page.getByRole('heading', { name: HOSTILE }).waitFor();
  await go(world, page, 'devices');
  await page.getByRole('link', { name: HOSTILE }).waitFor();
  await go(world, page, `devices/${world.device}`);
  await page.getByRole('button', { name: 'Rename' }).click();
  await page.locator('dialog').getByLabel('Name').fill('Loading dock');
  await inDialog(page, 'Rename').click();
  await page.getByRole('heading', { name: 'Loading dock' }).waitFor();
});

step('an invited viewer is offered what viewers may do', async (world) => {
  const page = world.admin;
  await go(world, page, 'users');
  await page.getByRole('button', { name: 'Invite' }).click();
  await page.locator('dialog').getByLabel('E-mail address').fill(VIEWER.email);
  await page.locator('dialog').getByLabel('Name').fill('Vic');
  await page.locator('dialog').getByLabel('Role').selectOption('viewer');
  await inDialog(page, 'Invite').click();
  await page.locator('dialog').getByText('shown once').waitFor();
  const link = await secret(page, 'Link');
  check(link.startsWith(`${world.url}/#/redeem/`), `the link leads here: ${link}`);
  await page.locator('dialog').getByRole('button', { name: 'Copy link' }).click();
  await page.locator('dialog').getByText('Copied', { exact: true }).waitFor();
  await done(page);
  // The page itself may not read the clipboard; a person pastes.
  await page.getByRole('button', { name: 'Invite' }).click();
  await page.locator('dialog').getByLabel('Name').focus();
  await page.keyboard.press('Control+V');
  same(await page.locator('dialog').getByLabel('Name').inputValue(), link, 'what was copied');
  await inDialog(page, 'Cancel').click();
  await page.locator('tr', { hasText: VIEWER.email }).getByText('Invited').waitFor();
  const viewer = await world.browser.person('viewer');
  world.viewer = viewer;
  await viewer.goto(link);
  await setPassword(viewer, VIEWER.password);
  await viewer.getByRole('link', { name: 'Loading dock' }).click();
  await viewer.locator('section', { hasText: 'As the camera tells' }).first().waitFor();
  await viewer.getByRole('link', { name: 'Make access key' }).waitFor();
  for (const name of ['Rename', 'Revoke', 'Remove', 'Renew certificate', 'Add a key', 'Make an access token']) {
    same(await viewer.getByRole('button', { name, exact: true }).count(), 0, `a button ${name} for a viewer`);
  }
  const offered = await viewer.locator('#navigation ul a').allTextContents();
  same(offered.join(', '), 'Devices, Access keys, Organisation', 'a viewer’s navigation');
  await go(world, viewer, 'audit');
  await viewer.getByRole('heading', { name: 'Not for your role' }).waitFor();
});

step('an access key is made, used by an ONVIF client, and revoked', async (world) => {
  const page = world.viewer;
  await go(world, page, `devices/${world.device}`);
  await page.getByRole('link', { name: 'Make access key' }).click();
  await page.locator('dialog').getByLabel('What it is for').fill('Recorder');
  await page.locator('dialog select[name=device] option', { hasText: 'Loading dock' }).waitFor({ state: 'attached' });
  await inDialog(page, 'Make access key').click();
  await page.locator('dialog').getByText('shown once').waitFor();
  const [user, password, url] = [await secret(page, 'User name'), await secret(page, 'Password'), await secret(page, 'Address')];
  await done(page);
  check(!(await page.content()).includes(password), 'the password is gone from the page');
  const before = await information(url, user, password, world.ca);
  check(before.status === 200 && before.text.includes('GetDeviceInformationResponse'), `with the key: ${before.status} ${before.text.slice(0, 300)}`);
  await page.locator('tr', { hasText: 'Recorder' }).getByRole('button', { name: 'Revoke' }).click();
  await inDialog(page, 'Revoke').click();
  await page.getByText('No access keys yet').waitFor();
  const after = await information(url, user, password, world.ca);
  check(after.status >= 400 && !after.text.includes('GetDeviceInformationResponse'), `after it was revoked: ${after.status}`);
});

step('an API token is made, used and revoked', async (world) => {
  const page = world.admin;
  await go(world, page, 'tokens');
  await page.getByRole('button', { name: 'Make token' }).click();
  await page.locator('dialog').getByLabel('What it is for').fill('Nightly report');
  await inDialog(page, 'Make token').click();
  const token = await secret(page, 'Token');
  await done(page);
  const ask = () => send(`${world.url}/api/v1/devices`, { ca: world.ca, headers: { Authorization: `Bearer ${token}` } });
  same((await ask()).status, 200, 'with the token');
  await page.locator('tr', { hasText: 'Nightly report' }).getByRole('button', { name: 'Revoke' }).click();
  await inDialog(page, 'Revoke').click();
  await page.locator('tr', { hasText: 'Nightly report' }).waitFor({ state: 'detached' });
  same((await ask()).status, 401, 'after it was revoked');
});

step('a revoked device is cut off and comes back when restored', async (world) => {
  const page = world.admin;
  await go(world, page, `devices/${world.device}`);
  await page.locator('.badge.online').waitFor();
  await page.getByRole('button', { name: 'Revoke', exact: true }).click();
  // What cannot be taken back is not one key away: Enter cancels.
  await page.keyboard.press('Enter');
  await page.locator('dialog').waitFor({ state: 'detached' });
  await page.locator('.badge.online').waitFor();
  await page.getByRole('button', { name: 'Revoke', exact: true }).click();
  await inDialog(page, 'Revoke').click();
  await page.locator('.badge.revoked').waitFor();
  await page.getByRole('button', { name: 'Restore' }).click();
  await inDialog(page, 'Restore').click();
  await page.locator('.badge.offline, .badge.online').first().waitFor();
});

step('the audit log tells it all', async (world) => {
  const page = world.admin;
  await go(world, page, 'audit');
  const row = page.locator('tr', { hasText: 'device.revoke' });
  await row.first().waitFor();
  await row.first().getByText(ADMINISTRATOR.email).waitFor();
  await row.first().getByRole('link', { name: world.device }).click();
  await page.locator('tr', { hasText: 'user.add' }).first().waitFor({ state: 'detached' });
  same(await page.getByLabel('On what').inputValue(), world.device, 'the filter');
  await page.locator('tr', { hasText: 'user.' }).first().waitFor({ state: 'detached' });
  await page.locator('tr', { hasText: world.device }).first().waitFor();
  await page.getByLabel('On what').fill('nothing of that name');
  await page.getByRole('button', { name: 'Show' }).click();
  await page.getByText('Nothing found').waitFor();
});

/** Makes an enrolment code; returns the command that the page shows. */
async function enrolmentCode(page, name) {
  const form = page.locator('section', { has: page.getByRole('heading', { name: 'With an enrolment code' }) });
  await form.getByLabel('Name of the camera').fill(name);
  await form.getByRole('button', { name: 'Make a code' }).click();
  const code = await secret(page, 'Code');
  const line = await secret(page, 'Command');
  check(line.startsWith('oriel enroll ') && line.includes(code), `the command: ${line}`);
  await done(page);
  check(!(await page.content()).includes(code), 'the code is gone from the page');
  return line;
}

step('an enrolment code is shown once, and withdrawn', async (world) => {
  const page = world.admin;
  await go(world, page, 'add');
  await enrolmentCode(page, 'Gate south');
  await page.locator('tr', { hasText: 'Gate south' }).getByRole('button', { name: 'Withdraw' }).click();
  await inDialog(page, 'Withdraw').click();
  await page.getByText('No codes').waitFor();
});

step('the command of the page brings a new camera in; its certificate is renewed from its page', async (world) => {
  const page = world.admin;
  const line = await enrolmentCode(page, 'Gate north');
  const lan = await world.startFactoryFresh();
  const argv = line.replace('http://CAMERA/onvif/device_service', lan).split(' ');
  await command([world.oriel, ...argv.slice(1), '--ca', world.ca], { ORIEL_PASSWORD: 'camera password' });
  await go(world, page, 'devices');
  await go(world, page, 'add');
  await page.locator('tr', { hasText: 'Used: ' }).getByRole('link', { name: 'Gate north' }).click();
  await page.locator('.badge.online').waitFor();
  const keys = page.locator('section', { has: page.getByRole('heading', { name: 'Credentials', exact: true }) });
  const key = await keys.locator('code').first().textContent();
  await page.getByRole('button', { name: 'Renew certificate' }).click();
  await inDialog(page, 'Renew').click();
  await page.locator('dialog').waitFor({ state: 'detached' });
  await keys.locator('code').filter({ hasNotText: key }).first().waitFor();
  await page.locator('.badge.online').waitFor();
});

step('another organisation is made by whoever runs the cloud', async (world) => {
  const page = world.admin;
  await go(world, page, 'organisations');
  await page.getByRole('button', { name: 'Add organisation' }).click();
  await page.locator('dialog').getByLabel('Name', { exact: true }).fill('Old Mill Museum');
  await page.locator('dialog').getByLabel('E-mail address of its first administrator').fill('mia@example.org');
  await inDialog(page, 'Add').click();
  const link = await secret(page, 'Link');
  await done(page);
  const other = await world.browser.person('other');
  await other.goto(link);
  await setPassword(other, 'words of the museum');
  await other.getByText('No cameras yet').waitFor();
  await other.goto(`${world.url}/#/devices/${world.device}`);
  await other.getByText('No such device').waitFor();
  await other.context().close();
  await page.locator('tr', { hasText: 'Old Mill Museum' }).getByRole('button', { name: 'Suspend' }).click();
  await inDialog(page, 'Suspend').click();
  await page.locator('tr', { hasText: 'Old Mill Museum' }).getByText('Suspended').waitFor();
});

step('every page can be read aloud, and fits a telephone', async (world) => {
  const found = [];
  for (const scheme of ['light', 'dark']) {
    await world.admin.emulateMedia({ colorScheme: scheme });
    for (const hash of [...PAGES, `devices/${world.device}`]) {
      await world.admin.setViewportSize(scheme === 'light' ? { width: 1280, height: 800 } : { width: 360, height: 740 });
      await go(world, world.admin, hash);
      await world.admin.waitForLoadState('networkidle').catch(() => {});
      found.push(...(await world.browser.axe(world.admin)).map((one) => `${hash}, ${scheme}: ${one}`));
      const wide = await world.admin.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      same(wide, 0, `${hash}: pixels beyond the edge at 360`);
      if (process.env.SHOTS) {
        await world.admin.screenshot({ path: join(FOLDER, `${hash.split('/')[0]}${hash.includes('/') ? '-one' : ''}-${scheme}.png`), fullPage: true });
      }
    }
  }
  await world.admin.setViewportSize({ width: 1280, height: 800 });
  await go(world, world.admin, 'users');
  await world.admin.getByRole('button', { name: 'Invite' }).click();
  found.push(...(await world.browser.axe(world.admin)).map((one) => `a dialog: ${one}`));
  await inDialog(world.admin, 'Cancel').click();
  const stranger = await world.browser.person('stranger');
  for (const hash of ['login', 'redeem/first/unknown']) {
    await go(world, stranger, hash);
    found.push(...(await world.browser.axe(stranger)).map((one) => `${hash}: ${one}`));
  }
  await stranger.context().close();
  same(found.join('\n'), '', 'axe finds');
});

step('the password is changed; other browsers are logged out; logging out ends the session', async (world) => {
  const page = world.viewer;
  const second = await world.browser.person('second');
  await login(world, second, VIEWER);
  await second.getByRole('heading', { name: 'Devices' }).waitFor();
  await go(world, page, 'account');
  await page.getByLabel('Current password').fill('not the password');
  await page.getByLabel('New password').fill('quite different words');
  await page.getByLabel('The same again').fill('quite different words');
  await page.getByRole('button', { name: 'Change password' }).click();
  await page.getByRole('alert').filter({ hasText: 'wrong' }).waitFor();
  await page.getByLabel('Current password').fill(VIEWER.password);
  await page.getByRole('button', { name: 'Change password' }).click();
  await page.getByText('Changed.').waitFor();
  await second.getByText('Your session has ended').waitFor();
  await second.context().close();
  await page.getByRole('button', { name: 'Log out' }).click();
  await page.getByRole('heading', { name: 'Log in' }).waitFor();
  check(!(await page.context().cookies()).some((cookie) => cookie.name === '__Host-oriel'), 'the cookie is gone');
  // By keyboard alone.
  await page.keyboard.type(VIEWER.email);
  await page.keyboard.press('Tab');
  await page.keyboard.type('quite different words');
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'Devices' }).waitFor();
});

step('a guesser is slowed down', async (world) => {
  const page = await world.browser.person('guesser');
  let said = '';
  for (let n = 0; n < 15 && !said.includes('too many'); n += 1) {
    await login(world, page, { email: ADMINISTRATOR.email, password: `guess number ${n}` });
    const alert = page.getByRole('alert');
    await alert.waitFor();
    said = (await alert.textContent()).toLowerCase();
    await page.reload();
  }
  check(said.includes('too many'), `after many guesses: ${said}`);
  // Who was logged in stays so.
  await go(world, world.admin, 'devices');
  await world.admin.getByRole('link', { name: 'Loading dock' }).waitFor();
  await page.context().close();
});

/** GetDeviceInformation with a WS-UsernameToken (UsernameToken Profile 1.1). */
function information(url, user, password, ca) {
  const nonce = randomBytes(16);
  const created = new Date().toISOString();
  const digest = createHash('sha1').update(nonce).update(created).update(password).digest('base64');
  const wss = 'http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss';
  const body = `<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Header><w:Security xmlns:w="${wss}-wssecurity-secext-1.0.xsd" s:mustUnderstand="1">\
<w:UsernameToken><w:Username>${user}</w:Username><w:Password Type="${wss}-username-token-profile-1.0#PasswordDigest">${digest}</w:Password>\
<w:Nonce EncodingType="${wss}-soap-message-security-1.0#Base64Binary">${nonce.toString('base64')}</w:Nonce>\
<u:Created xmlns:u="${wss}-wssecurity-utility-1.0.xsd">${created}</u:Created></w:UsernameToken></w:Security></s:Header>\
<s:Body><d:GetDeviceInformation xmlns:d="http://www.onvif.org/ver10/device/wsdl"/></s:Body></s:Envelope>`;
  return send(url, { method: 'POST', headers: { 'Content-Type': 'application/soap+xml; charset=utf-8' }, body, ca });
}

/** The cloud, and how a camera comes to it. */
export class World {
  constructor(oriel) {
    this.oriel = oriel;
    this.programs = [];
  }

  start(name, ...argv) {
    const program = new Program(name, this.oriel, [...argv, '--json'], { ORIEL_LOG: 'info' });
    this.programs.push(program);
    return program;
  }

  async startCloud() {
    const config = toml('cloud.toml', `listen = "127.0.0.1:0"\ndata = ${JSON.stringify(join(FOLDER, 'cloud'))}\ndrain_seconds = 1\n`);
    const up = await this.start('cloud', 'cloud', '--config', config).up();
    // By name: an address is no host of a `__Host-` cookie's scope that browsers agree about.
    this.url = `https://localhost:${new URL(up.cloud).port}`;
    this.ca = up.ca;
    check(up.setup_link, `the first start prints a link: ${JSON.stringify(up)}`);
    this.link = `${this.url}/#${up.setup_link.split('#')[1]}`;
  }

  async startDevice() {
    const text = JSON.stringify(HOSTILE);
    const config = toml(
      'device.toml',
      `listen = ["127.0.0.1:0"]\ndata = ${JSON.stringify(join(FOLDER, 'device'))}\nmanufacturer = ${text}\nallow_private_addresses = ["127.0.0.0/8", "::1/128"]\n
[[user]]\nname = "admin"\npassword = "camera password"\nlevel = "Administrator"\n\n[[policy]]\nid = "cloud"\nanchors = ${JSON.stringify(this.ca)}\n`,
    );
    this.camera = this.start('device', 'device', '--config', config);
    const up = await this.camera.up();
    this.lan = up.lan;
    this.fingerprint = up.fingerprint;
  }

  /** A camera that knows nothing of the cloud; returns its address on the LAN. */
  async startFactoryFresh() {
    const config = toml(
      'fresh.toml',
      `listen = ["127.0.0.1:0"]\ndata = ${JSON.stringify(join(FOLDER, 'fresh'))}\nallow_private_addresses = ["127.0.0.0/8", "::1/128"]\nallow_private_addresses_by_uplink = ["127.0.0.0/8", "::1/128"]\n
[[user]]\nname = "admin"\npassword = "camera password"\nlevel = "Administrator"\n`,
    );
    return (await this.start('fresh', 'device', '--config', config).up()).lan;
  }

  setUplink() {
    const argv = ['uplink', 'set', this.lan, '--address', `${this.url}/`, '--certificate', 'device', '--policy', 'cloud', '--user', 'admin'];
    return command([this.oriel, ...argv], { ORIEL_PASSWORD: 'camera password' });
  }

  async end() {
    for (const program of this.programs.reverse()) {
      await program.end();
    }
  }
}
