// The list of devices: status and reason, search, filter, pages; live.
// @ts-check

import { ask, may, query } from '../api.js';
import { announce, fill, h, keyed } from '../dom.js';
import * as live from '../live.js';
import { Page, Pages, badge, choice, empty, head, table } from '../parts.js';
import { day, span } from '../format.js';

/** A list is asked for again at most this often, however many devices come and go. */
const PAUSE = 700;

class Devices extends Page {
  open() {
    const search = h('input', { type: 'search', name: 'q', value: this.search.get('q') ?? '', placeholder: 'Name or id' });
    const status = choice(
      'status',
      [['', 'Any status'], ['online', 'Online'], ['offline', 'Offline'], ['revoked', 'Revoked']],
      this.search.get('status') ?? '',
    );
    const { element, body, row } = table('Devices', ['Name', 'Status', 'Connection', 'Since']);
    const list = h('div', null, element);
    const stream = h('p', { class: 'hint live' });
    /** @type {Pages<DeviceView>} */
    const pages = new Pages(
      (after) => ask('GET', query('/devices', { q: search.value.trim(), status: status.value, after, limit: 50 }), undefined, { signal: this.left }),
      (items, first) => {
        if (items.length === 0 && first) {
          fill(list, search.value || status.value ? nothingFound() : noneYet());
        } else if (!list.contains(element)) {
          fill(list, element);
        }
        keyed(body, items, (device) => device.id, (device) => row(...cells(device)));
      },
    );
    const filter = () => {
      const here = query('#/devices', { q: search.value.trim(), status: status.value });
      history.replaceState(null, '', here);
      void pages.restart();
    };
    let typing = 0;
    search.addEventListener('input', () => {
      clearTimeout(typing);
      typing = setTimeout(filter, 250);
    });
    status.addEventListener('change', filter);
    fill(
      this,
      head('Devices', '', may('administrator') ? h('a', { class: 'button primary', href: '#/add' }, 'Add a camera') : null),
      h(
        'form',
        { class: 'filter', role: 'search', submit: (/** @type {Event} */ event) => event.preventDefault() },
        h('label', null, h('span', null, 'Search'), search),
        h('label', null, h('span', null, 'Status'), status),
        stream,
      ),
      pages.alert,
      list,
      pages.element,
    );
    this.follow(pages, body, stream);
    void pages.refresh();
  }

  /**
   * @param {Pages<DeviceView>} pages
   * @param {Element} body
   * @param {Element} stream
   */
  follow(pages, body, stream) {
    let due = 0;
    const soon = () => {
      due ||= window.setTimeout(() => {
        due = 0;
        void pages.refresh();
      }, PAUSE);
    };
    this.left.addEventListener('abort', () => clearTimeout(due));
    const state = () => {
      stream.textContent = live.isLive() ? 'Live' : 'Connecting to live updates…';
      stream.classList.toggle('on', live.isLive());
    };
    live.onState(() => {
      state();
      soon();
    }, this.left);
    live.onDevice((event) => {
      const shown = [...body.children].find((child) => child.getAttribute('data-key') === event.id);
      const name = shown?.querySelector('a')?.textContent;
      if (name) {
        announce(`${name} is ${event.status}${event.reason ? `: ${event.reason}` : ''}`);
      }
      soon();
    }, this.left);
    state();
    // Ages grow old by themselves.
    this.every(30_000, soon);
  }
}

/** @param {DeviceView} device */
function cells(device) {
  const tunnel = device.tunnels.at(-1);
  const last = device.last_close;
  return [
    h('a', { href: `#/devices/${encodeURIComponent(device.id)}` }, device.name || device.id),
    [badge(device.status), device.alarms > 0 ? h('span', { class: 'tag warn', title: 'One identity dials from two places' }, 'Two places') : null],
    tunnel && device.online ? h('span', { class: 'address' }, tunnel.source) : h('span', { class: 'reason' }, device.reason ?? '–'),
    tunnel && device.online ? span(tunnel.since_ms) : last ? `${span(last.ago_ms)} ago` : h('span', { class: 'hint' }, `Added ${day(device.created)}`),
  ];
}

function noneYet() {
  return may('administrator')
    ? empty(
        'No cameras yet',
        'A camera comes in with a one-time enrolment code, or by the certificate it already has. It then dials in by itself, from behind any firewall.',
        h('a', { class: 'button primary', href: '#/add' }, 'Add a camera'),
      )
    : empty('No cameras yet', 'Once an administrator of your organisation has added cameras, they are listed here.');
}

function nothingFound() {
  return empty('Nothing found', 'No device has this name and status. Try fewer letters, or any status.');
}

customElements.define('oriel-devices', Devices);
