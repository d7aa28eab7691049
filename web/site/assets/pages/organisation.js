// The organisation of whoever is logged in: its limits and what is used of them, and whom it believes to sign cameras' certificates.
// @ts-check

import { ask, may, path } from '../api.js';
import { fill, h } from '../dom.js';
import { capital, day } from '../format.js';
import { Page, alertPlace, button, choice, confirm, copyable, dialog, facts, field, form, head, section, table, tell, text } from '../parts.js';

class Organisation extends Page {
  alert = alertPlace();
  limits = h('div');
  authorities = h('div');

  open() {
    const title = h('div', null, head('Organisation', ''));
    fill(
      this,
      title,
      this.alert,
      section('Limits', this.limits),
      may('administrator') ? section('Authorities for cameras', this.authorities) : null,
    );
    void this.refresh(title);
    if (may('administrator')) {
      void this.trusted();
    }
  }

  /** @param {HTMLElement} title */
  async refresh(title) {
    try {
      const own = /** @type {OrganisationView} */ (await ask('GET', '/organisation', undefined, { signal: this.left }));
      fill(title, head(own.name, `Since ${day(own.created)}`));
      fill(this.limits, limits(own));
    } catch (error) {
      if (!this.left.aborted) {
        tell(this.alert, error);
      }
    }
  }

  async trusted() {
    try {
      const list = /** @type {List<AuthorityView>} */ (await ask('GET', '/authorities', undefined, { signal: this.left }));
      const { element, body, row } = table('Authorities', ['Kind', 'A camera is known by', 'Since', '']);
      for (const one of list.items) {
        const own = one.kind === 'device';
        body.append(
          row(
            own ? 'Your own, signs enrolled cameras' : 'Pinned, signs cameras elsewhere',
            IDENTITY[one.identity ?? 'key'],
            day(one.created),
            h('div', { class: 'actions' }, button('Certificate', () => certificate(one), 'quiet'), own ? null : button('Remove', () => this.forget(one), 'danger quiet')),
          ),
        );
      }
      fill(
        this.authorities,
        list.items.length > 0 ? element : h('p', { class: 'hint' }, 'Your own authority is made with the first enrolment.'),
        h('div', { class: 'actions' }, button('Pin an authority', () => this.pin())),
      );
    } catch (error) {
      if (!this.left.aborted) {
        fill(this.authorities, h('p', { class: 'alert' }, error instanceof Error ? error.message : ''));
      }
    }
  }

  pin() {
    const content = [
      h('p', null, 'A camera may then be registered by the name in the certificate that this authority signed for it.'),
      field('Certificate of the authority (PEM)', h('textarea', { name: 'certificate', rows: 6, required: true, spellcheck: 'false' })),
      field('The camera’s name is its', choice('identity', [['common_name', 'Common name'], ['serial_number', 'Serial number']])),
    ];
    dialog('Pin an authority', (close) =>
      form(
        content,
        'Pin',
        async (data) => {
          await ask('POST', '/authorities', { certificate: text(data, 'certificate'), identity: text(data, 'identity') });
          close();
          await this.trusted();
        },
        { cancel: close },
      ),
    );
  }

  /** @param {AuthorityView} one */
  forget(one) {
    confirm({ title: 'Remove this authority?', text: 'Cameras that are known by it alone are cut off.', act: 'Remove' }, async () => {
      await ask('DELETE', path('authorities', one.id));
      await this.trusted();
    });
  }
}

const IDENTITY = { key: 'Its key', common_name: 'The common name', serial_number: 'The serial number' };

/** @param {AuthorityView} one */
function certificate(one) {
  dialog('Certificate of the authority', (close) => [copyable('PEM', one.certificate), h('div', { class: 'actions' }, button('Done', close, 'primary'))]);
}

/** @param {string} name */
export function limitName(name) {
  return capital(name.replaceAll('_', ' '));
}

/** @param {OrganisationView} own */
function limits(own) {
  const names = [...new Set([...Object.keys(own.limits), ...Object.keys(own.usage ?? {})])];
  return facts(
    names.map((name) => {
      const limit = own.limits[name];
      const used = own.usage?.[name];
      if (typeof limit !== 'number') {
        // Null leaves it to the cloud's configuration.
        return [limitName(name), used === undefined ? 'As configured' : used.toLocaleString()];
      }
      const most = limit.toLocaleString();
      return [limitName(name), used === undefined ? most : `${used.toLocaleString()} of ${most}`];
    }),
  );
}

customElements.define('oriel-organisation', Organisation);
