// Access keys: a user name and password with which an ONVIF client reaches one device.
// @ts-check

import { ask, current, may, path, query } from '../api.js';
import { fill, h, keyed } from '../dom.js';
import { capital, day } from '../format.js';
import { LIFETIMES, Page, Pages, alertPlace, button, choice, confirm, dialog, empty, field, form, head, moment, rolesUpTo, showOnce, table, tell, text } from '../parts.js';

/** Names of devices, by id. @type {Map<string, string>} */
const names = new Map();

/**
 * @param {string} device
 * @param {AbortSignal} signal
 */
async function learn(device, signal) {
  if (!names.has(device)) {
    names.set(device, '');
    const view = await ask('GET', path('devices', device), undefined, { signal }).catch(() => null);
    names.set(device, /** @type {DeviceView | null} */ (view)?.name ?? '');
  }
}

class AccessKeys extends Page {
  open() {
    const device = this.search.get('device') ?? '';
    const { element, body, row } = table('Access keys', ['Name', 'User name', 'Device', 'Role', 'Made', 'Expires', '']);
    const list = h('div', null, element);
    /** @type {Pages<AccessKeyView>} */
    const pages = new Pages(
      async (after) => {
        const keys = /** @type {List<AccessKeyView>} */ (await ask('GET', query('/access-keys', { after, limit: 20 }), undefined, { signal: this.left }));
        await Promise.all(keys.items.map((key) => learn(key.device, this.left)));
        return keys;
      },
      (items, first) => {
        fill(list, items.length === 0 && first ? none() : element);
        keyed(body, items, (key) => key.id, (key) =>
          row(
            key.name || '–',
            h('code', null, key.id),
            h('a', { href: `#/devices/${encodeURIComponent(key.device)}` }, names.get(key.device) || key.device),
            capital(key.role),
            moment(key.created),
            key.expires ? day(key.expires) : 'Never',
            button('Revoke', () => revoke(key, pages), 'danger quiet'),
          ),
        );
      },
    );
    fill(
      this,
      head(
        'Access keys',
        may('administrator') ? 'Of everybody in your organisation. A key lets a video system or recorder in that knows ONVIF and nothing of this cloud.' : 'Your own. A key lets a video system or recorder in that knows ONVIF and nothing of this cloud.',
        button('Make access key', () => make(device, pages), 'primary'),
      ),
      pages.alert,
      list,
      pages.element,
    );
    void pages.refresh();
    if (device) {
      make(device, pages);
    }
  }
}

/**
 * @param {AccessKeyView} key
 * @param {Pages<AccessKeyView>} pages
 */
function revoke(key, pages) {
  confirm({ title: 'Revoke this access key?', text: `Whoever uses ${key.name || key.id} loses the device at once.`, act: 'Revoke' }, async () => {
    await ask('DELETE', path('access-keys', key.id));
    await pages.refresh();
  });
}

/**
 * @param {string} device
 * @param {Pages<AccessKeyView>} pages
 */
function make(device, pages) {
  const [picker, devices] = devicePicker(device);
  const content = [
    ...picker,
    field('What it is for', h('input', { name: 'name', maxlength: 200, placeholder: 'Recorder in the lobby' })),
    field('Role', choice('role', rolesUpTo(current()?.role ?? 'viewer'), 'viewer'), 'What the client may do with the device. Viewing needs no more than a viewer.'),
    field('Good for', choice('expires', LIFETIMES, '')),
  ];
  dialog('Make an access key', (close) =>
    form(
      content,
      'Make access key',
      async (data) => {
        if (!devices.value) {
          throw new Error('Choose a device.');
        }
        const expires = text(data, 'expires');
        const made = /** @type {MadeAccessKey} */ (
          await ask('POST', '/access-keys', { device: devices.value, name: text(data, 'name'), role: text(data, 'role'), ...(expires ? { expires_in: Number(expires) } : {}) })
        );
        close();
        void pages.refresh();
        /** @type {[string, string][]} */
        const values = [['User name', made.username], ['Password', made.password], ['Address', made.url]];
        if (made.host) {
          values.push(['Address by host name', made.host]);
        }
        showOnce('Access key', 'Enter these into the video system, as for a camera on the network.', values);
      },
      { cancel: close },
    ),
  );
}

/**
 * A list of devices that a search narrows.
 * @param {string} chosen
 * @returns {[HTMLElement[], HTMLSelectElement]}
 */
function devicePicker(chosen) {
  const select = h('select', { name: 'device', required: true });
  const search = h('input', { type: 'search', placeholder: 'Part of its name' });
  const alert = alertPlace();
  const finder = field('Find the device', search);
  finder.hidden = true;
  let turn = 0;
  const load = async () => {
    turn += 1;
    const mine = turn;
    try {
      const list = /** @type {List<DeviceView>} */ (await ask('GET', query('/devices', { q: search.value.trim(), limit: 100 })));
      if (mine !== turn) {
        return;
      }
      const known = list.items.some((device) => device.id === chosen);
      fill(
        select,
        h('option', { value: '' }, list.items.length > 0 ? 'Choose…' : 'None found'),
        chosen && !known ? h('option', { value: chosen }, chosen) : null,
        list.items.map((device) => h('option', { value: device.id }, device.name ? `${device.name} (${device.id})` : device.id)),
      );
      select.value = chosen;
      finder.hidden = finder.hidden && list.next === null;
    } catch (error) {
      tell(alert, error);
    }
  };
  let typing = 0;
  search.addEventListener('input', () => {
    clearTimeout(typing);
    typing = window.setTimeout(load, 250);
  });
  void load();
  return [[finder, field('Device', select), alert], select];
}

function none() {
  return empty('No access keys yet', 'Make one for each program that uses a device. It can be revoked by itself, and it never gives more than its role.');
}

customElements.define('oriel-access-keys', AccessKeys);
