// Add cameras: by an enrolment code, or by the certificate that it has.
// @ts-check

import { ask, query, retries } from '../api.js';
import { fill, h, keyed } from '../dom.js';
import { Page, Pages, button, choice, confirm, empty, field, form, head, moment, section, showOnce, table, text } from '../parts.js';
import { when } from '../format.js';
import { keyFields, keyOf } from './device.js';

const WITHDRAW = { title: 'Withdraw this code?', text: 'Nobody can enrol a camera with it any more.', act: 'Withdraw' };
const FORGET = { title: 'Forget this code?', text: 'The cameras that came of it stay.', act: 'Forget' };

class Add extends Page {
  open() {
    const open = h('div');
    /** @type {Pages<EnrolmentView>} */
    const pages = new Pages(
      (after) => ask('GET', query('/enrolments', { after, limit: 20 }), undefined, { signal: this.left }),
      (items, first) => this.codes(open, items, first, pages),
    );
    fill(
      this,
      h('p', { class: 'back' }, h('a', { href: '#/devices' }, 'All devices')),
      head('Add a camera', ''),
      h('div', { class: 'columns' }, this.code(pages), this.certificate()),
      section('Enrolment codes', pages.alert, open, pages.element),
    );
    void pages.refresh();
  }

  /** @param {Pages<EnrolmentView>} pages */
  code(pages) {
    const content = [
      h('p', null, 'The camera makes a key of its own, over ONVIF; your organisation’s authority signs its certificate. From then on it dials in by itself.'),
      field('Name of the camera', h('input', { name: 'name', maxlength: 200, placeholder: 'Loading dock' })),
      field('Cameras it lets in', h('input', { name: 'uses', type: 'number', min: 1, max: 1000, step: 1, value: 1, required: true })),
      field('The code is good for', choice('expires', [['3600', '1 hour'], ['86400', '1 day'], ['604800', '7 days']], '86400')),
    ];
    return section(
      'With an enrolment code',
      form(
        content,
        'Make a code',
        async (data) => {
          const uses = Number(text(data, 'uses'));
          const body = { name: text(data, 'name'), expires_in: Number(text(data, 'expires')), uses };
          const made = /** @type {{ code: string, expires: number }} */ (await ask('POST', '/enrolments', body));
          const line = `oriel enroll http://CAMERA/onvif/device_service --user admin --cloud ${location.origin} --code ${made.code}`;
          showOnce(
            'Enrolment code',
            `Run this on a computer in the camera’s network. CAMERA is the camera’s address there, admin its administrator, whose password is taken from ORIEL_PASSWORD. The code works ${uses === 1 ? 'once' : `for ${uses} cameras`}, until ${when(made.expires)}.${uses === 1 ? '' : ' A bridge takes it as it is: `oriel device --discover --cloud … --code …`.'}`,
            [['Code', made.code], ['Command', line]],
            () => void pages.refresh(),
          );
        },
      ),
    );
  }

  certificate() {
    const content = [
      h('p', null, 'For a camera that has a key and a certificate already. The cloud remembers the key; who signed the certificate does not matter.'),
      field('Name of the camera', h('input', { name: 'name', maxlength: 200, placeholder: 'Loading dock' })),
      ...keyFields(),
    ];
    const key = retries();
    return section(
      'With its certificate',
      form(content, 'Add the camera', async (data) => {
        const body = { name: text(data, 'name'), ...keyOf(data) };
        const device = /** @type {DeviceView} */ (await ask('POST', '/devices', body, { key: key(body) }));
        location.hash = `#/devices/${encodeURIComponent(device.id)}`;
      }),
    );
  }

  /**
   * @param {Element} place
   * @param {EnrolmentView[]} items
   * @param {boolean} first
   * @param {Pages<EnrolmentView>} pages
   */
  codes(place, items, first, pages) {
    if (items.length === 0 && first) {
      fill(place, empty('No codes', 'Those that you make are listed here, with what became of them.'));
      return;
    }
    const { element, body, row } = table('Enrolment codes', ['Camera', 'Made', 'State', '']);
    keyed(body, items, (one) => one.id, (one) =>
      row(
        one.name || '–',
        moment(one.created),
        state(one),
        button(
          one.used >= one.uses ? 'Forget' : 'Withdraw',
          () =>
            confirm(one.used >= one.uses ? FORGET : WITHDRAW, async () => {
              await ask('DELETE', `/enrolments/${encodeURIComponent(one.id)}`);
              await pages.refresh();
            }),
          'danger quiet',
        ),
      ),
    );
    fill(place, element);
  }
}

/** @param {EnrolmentView} one */
function state(one) {
  const [device] = one.devices;
  if (one.uses === 1 && device !== undefined) {
    return ['Used: ', h('a', { href: `#/devices/${encodeURIComponent(device)}` }, one.name || device)];
  }
  const used = one.uses === 1 ? '' : `${one.used} of ${one.uses} used. `;
  if (one.used >= one.uses) {
    return used || 'Used';
  }
  return used + (one.expires > Date.now() ? `Good until ${when(one.expires)}` : 'Expired');
}

customElements.define('oriel-add', Add);
