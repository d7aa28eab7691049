// The audit log: who did what, the latest first.
// @ts-check

import { ask, query } from '../api.js';
import { fill, h, keyed } from '../dom.js';
import { when } from '../format.js';
import { Page, Pages, empty, head, table } from '../parts.js';

class Audit extends Page {
  open() {
    const { element, body, row } = table('Audit log, the latest first', ['When', 'Who', 'What', 'On what', 'From', 'More']);
    const list = h('div', null, element);
    const fields = ['actor', 'action', 'target'].map((name) => h('input', { type: 'search', name, value: this.search.get(name) ?? '' }));
    const asked = () => Object.fromEntries(fields.map((input) => [input.name, input.value.trim()]));
    /** @type {Pages<AuditRow>} */
    const pages = new Pages(
      (after) => ask('GET', query('/audit', { ...asked(), after, limit: 50 }), undefined, { signal: this.left }),
      (items, first) => {
        fill(list, items.length === 0 && first ? empty('Nothing found', 'Nobody did such a thing. Names have to be whole.') : element);
        keyed(body, items, (entry) => entry.id, (entry) =>
          row(
            h('time', { datetime: new Date(entry.at).toISOString() }, when(entry.at)),
            entry.actor,
            h('code', null, entry.action),
            entry.target || '–',
            entry.address || '–',
            h('span', { class: 'detail' }, entry.detail || '–'),
          ),
        );
      },
    );
    const labels = ['Who', 'What', 'On what'];
    const filter = h(
      'form',
      { class: 'filter', role: 'search' },
      fields.map((input, at) => h('label', null, h('span', null, labels[at]), input)),
      h('button', { type: 'submit' }, 'Show'),
    );
    filter.addEventListener('submit', (event) => {
      event.preventDefault();
      history.replaceState(null, '', query('#/audit', asked()));
      void pages.restart();
    });
    fill(this, head('Audit', 'Every change in your organisation, and who made it.'), filter, pages.alert, list, pages.element);
    void pages.refresh();
  }
}

customElements.define('oriel-audit', Audit);
