// One device: what the camera tells, what the cloud sees, its credentials, and what may be done with it.
// @ts-check

import { Refused, ask, may, path } from '../api.js';
import { announce, fill, h, keyed } from '../dom.js';
import { capital, day, roundTrip, size, span } from '../format.js';
import * as live from '../live.js';
import { Page, alertPlace, badge, button, choice, confirm, dialog, empty, facts, field, form, head, message, moment, section, showOnce, table, tag, tell, text } from '../parts.js';
import { Timeline } from './timeline.js';

const REFRESH = 5000;

class Device extends Page {
  /** @type {DeviceView | null} */
  device = null;
  status = h('span');
  reason = h('p', { class: 'reason' });
  alert = alertPlace();
  top = h('div');
  seen = h('div');
  told = h('div');
  past = h('div');
  keys = h('div');
  /** What is shown, so that a part is built again only when it changed. */
  shown = new Map();

  get at() {
    return path('devices', this.target);
  }

  open() {
    const timeline = new Timeline();
    timeline.device = this.target;
    fill(
      this,
      h('p', { class: 'back' }, h('a', { href: '#/devices' }, 'All devices')),
      this.top,
      this.alert,
      section('Connection', this.seen),
      section('Events', timeline),
      section('As the camera tells', this.told),
      section('Connections so far', this.past),
      section('Credentials', this.keys),
    );
    for (const part of this.querySelectorAll('section')) {
      part.hidden = true;
    }
    live.onDevice((event) => {
      if (event.id === this.target) {
        announce(`Now ${event.status}${event.reason ? `: ${event.reason}` : ''}`);
        void this.refresh();
      }
    }, this.left);
    live.onState(() => void this.refresh(), this.left);
    this.every(REFRESH, () => void this.refresh());
    void this.refresh();
  }

  async refresh() {
    try {
      const device = /** @type {DeviceView} */ (await ask('GET', this.at, undefined, { signal: this.left }));
      const cameBack = device.online && !this.device?.online;
      const first = this.device === null;
      this.device = device;
      tell(this.alert, null);
      this.show(device);
      if (cameBack || first) {
        void this.inform(device);
      }
    } catch (error) {
      if (this.left.aborted) {
        return;
      }
      if (error instanceof Refused && error.status === 404) {
        fill(this, empty('No such device', 'It was removed, or it belongs to somebody else.', h('a', { class: 'button', href: '#/devices' }, 'All devices')));
      } else {
        tell(this.alert, error);
      }
    }
  }

  /** @param {DeviceView} device */
  show(device) {
    document.title = `${device.name || device.id} · Oriel`;
    for (const part of this.querySelectorAll('section')) {
      part.hidden = false;
    }
    this.once('top', [device.name, device.revoked, device.credentials], this.top, () => this.heading(device));
    fill(this.status, badge(device.status));
    this.reason.textContent = device.status === 'online' ? '' : capital(device.reason ?? '');
    this.connection(device);
    this.once('past', device.history, this.past, () => history(device));
    this.once('keys', device.credentials, this.keys, () => this.credentials(device));
  }

  /**
   * @param {string} name
   * @param {unknown} state
   * @param {Element} place
   * @param {() => Node} build
   */
  once(name, state, place, build) {
    const now = JSON.stringify(state);
    if (this.shown.get(name) !== now) {
      this.shown.set(name, now);
      fill(place, build());
    }
  }

  /** @param {DeviceView} device */
  heading(device) {
    const administrator = may('administrator');
    const actions = [
      may('operator') ? button('Rename', () => this.rename(device)) : null,
      h('a', { class: 'button', href: `#/access-keys?device=${encodeURIComponent(device.id)}` }, 'Make access key'),
      administrator && device.credentials.some((one) => one.origin === 'issued') ? button('Renew certificate', () => this.renew(device)) : null,
      administrator && !device.revoked ? button('Revoke', () => this.revoke(device), 'danger') : null,
      administrator && device.revoked ? button('Restore', () => this.restore(device)) : null,
      administrator ? button('Remove', () => this.drop(device), 'danger') : null,
    ];
    const top = head(device.name || 'Device without a name', '', ...actions);
    top.firstElementChild?.append(h('p', { class: 'state' }, this.status, h('span', { class: 'hint' }, device.id)), this.reason);
    return top;
  }

  /** @param {DeviceView} device */
  connection(device) {
    if (device.tunnels.length === 0) {
      const last = device.last_close;
      fill(
        this.seen,
        h('p', null, offline(device)),
        facts([
          ['Last connection closed', last ? `${last.reason}, ${span(last.ago_ms)} ago` : 'Never connected since this cloud started'],
          ['Attempts seen', String(device.attempts)],
        ]),
      );
      return;
    }
    const warning = device.alarms > 0 ? h('p', { class: 'notice' }, `This identity dialled from two places by turns, ${times(device.alarms)}. A copied key would look like this.`) : null;
    const lines = device.tunnels.map((tunnel) => {
      const list = facts([
        ['Source', tunnel.source],
        ['Form', formName(tunnel.form)],
        ['Connected for', span(tunnel.since_ms)],
        ['Last packet', `${span(tunnel.silent_ms)} ago`],
        ['Round trip', tunnel.rtt_us === null ? 'Not measured yet' : roundTrip(tunnel.rtt_us)],
        ['Received', size(tunnel.bytes_read)],
        ['Sent', size(tunnel.bytes_written)],
        ['Streams', `${tunnel.open_streams} open, ${tunnel.streams_opened} in all`],
      ]);
      return h('div', { class: 'panel' }, tunnel.draining ? tag('Moving to another connection', 'warn') : null, list);
    });
    fill(this.seen, warning, lines, h('p', { class: 'hint' }, `Attempts seen: ${device.attempts}`));
  }

  /** @param {DeviceView} device Asks the camera, through its tunnel. */
  async inform(device) {
    if (!device.online) {
      fill(this.told, h('p', { class: 'hint' }, 'The camera is asked as soon as it is connected.'));
      return;
    }
    fill(this.told, h('p', { class: 'hint', 'aria-busy': 'true' }, 'Asking the camera…'));
    const again = button('Ask again', () => void this.inform(device));
    try {
      const view = /** @type {InformationView} */ (await ask('GET', `${this.at}/information`, undefined, { signal: this.left }));
      fill(this.told, information(view), h('div', { class: 'actions' }, again));
    } catch (error) {
      if (!this.left.aborted) {
        fill(this.told, h('p', { class: 'alert' }, message(error)), h('div', { class: 'actions' }, again));
      }
    }
  }

  /** @param {DeviceView} device */
  credentials(device) {
    const administrator = may('administrator');
    const { element, body, row } = table('Credentials', ['Kind', 'What it is', 'Origin', 'Expires', ...(administrator ? [''] : [])]);
    keyed(body, device.credentials, (one) => one.id, (one) =>
      row(
        { key: 'Key', token: 'Access token', name: 'Name by a pinned authority' }[one.kind],
        h('code', { class: 'long' }, one.fingerprint ?? one.name ?? one.id),
        capital(one.origin),
        one.expires ? day(one.expires) : 'Never',
        administrator ? button('Remove', () => this.removeCredential(one), 'danger quiet') : null,
      ),
    );
    return h(
      'div',
      null,
      device.credentials.length > 0 ? element : h('p', null, 'None: this device cannot connect. Add the key of its certificate, or make it an access token.'),
      administrator ? h('div', { class: 'actions' }, button('Add a key', () => this.addKey()), button('Add a name', () => void this.addName().catch((error) => tell(this.alert, error))), button('Make an access token', () => this.makeToken())) : null,
    );
  }

  /** @param {CredentialView} one */
  removeCredential(one) {
    const where = one.fingerprint ? path('keys', one.fingerprint) : path(one.kind === 'name' ? 'names' : 'tokens', one.id);
    confirm({ title: 'Remove this credential?', text: 'Connections that it let in are cut at once.', act: 'Remove' }, async () => {
      await ask('DELETE', `${this.at}${where}`);
      await this.refresh();
    });
  }

  addKey() {
    dialog('Add a key', (close) =>
      form(
        keyFields(),
        'Add',
        async (data) => {
          await ask('POST', `${this.at}/keys`, keyOf(data));
          close();
          await this.refresh();
        },
        { cancel: close },
      ),
    );
  }

  async addName() {
    const list = /** @type {List<AuthorityView>} */ (await ask('GET', '/authorities'));
    const pinned = list.items.filter((one) => one.kind === 'external');
    const title = 'Add a name';
    if (pinned.length === 0) {
      dialog(title, (close) => [
        h('p', null, 'A name counts when an authority that your organisation pinned signed for it, and none is pinned yet.'),
        h('div', { class: 'actions' }, h('a', { class: 'button', href: '#/organisation' }, 'Pin an authority'), button('Cancel', close)),
      ]);
      return;
    }
    const which = choice('authority', pinned.map((one) => [one.id, `${one.identity === 'serial_number' ? 'Serial number' : 'Common name'} by ${one.id}`]));
    dialog(title, (close) =>
      form(
        [field('Authority', which), field('Name', h('input', { name: 'name', required: true, maxlength: 200, spellcheck: 'false' }), 'As it stands in the camera’s certificate.')],
        'Add',
        async (data) => {
          await ask('POST', `${this.at}/names`, { authority: which.value, name: text(data, 'name') });
          close();
          await this.refresh();
        },
        { cancel: close },
      ),
    );
  }

  makeToken() {
    confirm({ title: 'Make an access token?', text: 'For a device that shows a token instead of a certificate.', act: 'Make token', danger: false }, async () => {
      const made = /** @type {{ access_token: string }} */ (await ask('POST', `${this.at}/tokens`));
      showOnce('Access token', 'Put it into the authorization settings of the device’s uplink.', [['Access token', made.access_token]], () => void this.refresh());
    });
  }

  /** @param {DeviceView} device */
  rename(device) {
    const name = h('input', { name: 'name', value: device.name, maxlength: 200, required: true });
    dialog('Rename', (close) =>
      form(
        [field('Name', name)],
        'Rename',
        async (data) => {
          await ask('PATCH', this.at, { name: text(data, 'name') });
          close();
          await this.refresh();
        },
        { cancel: close },
      ),
    );
    name.select();
  }

  /** @param {DeviceView} device */
  renew(device) {
    confirm(
      {
        title: 'Renew its certificate?',
        text: `${device.name || 'The camera'} makes a new key and gets a new certificate, through its tunnel. The old one stays good until the new one was used.`,
        act: 'Renew',
        danger: false,
      },
      async () => {
        await ask('POST', `${this.at}/renew`);
        announce('Renewed');
        await this.refresh();
      },
    );
  }

  /** @param {DeviceView} device */
  revoke(device) {
    confirm({ title: 'Revoke this device?', text: `${device.name || 'It'} is cut off at once and cannot connect until it is restored.`, act: 'Revoke' }, async () => {
      await ask('POST', `${this.at}/revoke`);
      await this.refresh();
    });
  }

  /** @param {DeviceView} device */
  restore(device) {
    confirm({ title: 'Restore this device?', text: `${device.name || 'It'} may connect again with the credentials it had.`, act: 'Restore', danger: false }, async () => {
      await ask('POST', `${this.at}/restore`);
      await this.refresh();
    });
  }

  /** @param {DeviceView} device */
  drop(device) {
    confirm(
      { title: 'Remove this device?', text: `${device.name || 'It'} is cut off, and its credentials and access keys are forgotten. This cannot be undone.`, act: 'Remove' },
      async () => {
        await ask('DELETE', this.at);
        location.hash = '#/devices';
      },
    );
  }
}

/** Fields for a certificate or the fingerprint of a key. */
export function keyFields() {
  return [
    field('Certificate (PEM)', h('textarea', { name: 'certificate', rows: 5, spellcheck: 'false', placeholder: '-----BEGIN CERTIFICATE-----' })),
    field('or fingerprint of its key', h('input', { name: 'fingerprint', spellcheck: 'false' }), 'SHA-256 of the public key, in hexadecimal. The command “oriel device” prints it when it starts.'),
  ];
}

/** @param {FormData} data */
export function keyOf(data) {
  const certificate = text(data, 'certificate');
  const fingerprint = text(data, 'fingerprint');
  if (certificate && fingerprint) {
    throw new Error('Give a certificate or a fingerprint, not both.');
  }
  if (!certificate && !fingerprint) {
    throw new Error('Paste the certificate, or give the fingerprint of its key.');
  }
  return certificate ? { certificate } : { fingerprint };
}

/** @param {DeviceView} device */
function offline(device) {
  if (device.revoked) {
    return 'Revoked: it is not let in.';
  }
  if (device.credentials.length === 0) {
    return 'It has no credentials yet, so it cannot connect.';
  }
  return 'Not connected. A camera dials in by itself; look at its network, its clock and the uplink’s address if it does not come back.';
}

/** @param {string} form */
function formName(form) {
  return form === 'websocket' ? 'WebSocket' : capital(form);
}

/** @param {number} count */
function times(count) {
  return count === 1 ? 'once' : `${count} times`;
}

/** @param {DeviceView} device */
function history(device) {
  if (device.history.length === 0) {
    return h('p', { class: 'hint' }, 'None has ended since this cloud started.');
  }
  const { element, body, row } = table('Connections that ended, the latest first', ['Began', 'Source', 'Form', 'Lasted', 'Received / sent', 'Why it ended']);
  device.history.forEach((past) =>
    body.append(
      row(moment(past.at), h('span', { class: 'address' }, past.source), past.form === null ? 'Refused' : formName(past.form), span(past.lasted_ms), h('span', { class: 'brief' }, `${size(past.bytes_read)} / ${size(past.bytes_written)}`), past.reason),
    ),
  );
  return element;
}

/** GetDeviceInformation, as people say it. @type {[string, keyof InformationView['information']][]} */
const INFORMATION = [
  ['Manufacturer', 'manufacturer'],
  ['Model', 'model'],
  ['Firmware', 'firmware_version'],
  ['Serial number', 'serial_number'],
  ['Hardware', 'hardware_id'],
];

/** @param {InformationView} view */
function information(view) {
  const { element, body, row } = table('Uplinks, as the camera tells', ['Address', 'Status', 'Level', 'Error']);
  for (const uplink of view.uplinks ?? []) {
    const connected = uplink.status === 'Connected' || uplink.status === 'Online';
    body.append(
      row(h('span', { class: 'address' }, uplink.remote_address), tag(uplink.status || 'Not told', connected ? 'good' : ''), uplink.user_level.join(', ') || '–', uplink.error || '–'),
    );
  }
  return h(
    'div',
    null,
    facts(INFORMATION.map(([term, name]) => [term, view.information[name] || '–'])),
    h('h3', null, 'Its uplinks'),
    body.hasChildNodes() ? element : h('p', { class: 'hint' }, view.uplinks ? 'The camera lists no uplinks.' : 'The camera does not tell them.'),
  );
}

customElements.define('oriel-device', Device);
