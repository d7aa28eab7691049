// The audit log: who did what, the latest first.
// @ts-check

import { ask, query } from '../api.js';
import { fill, h, keyed } from '../dom.js';
import { when } from '../format.js';
import { Page, Pages, empty, head, table } from '../parts.js';

class Audit extends Page {
  open() {
    const { element, body, row } = table('Audit log, the latest first', ['When', 'Who', 'What', 'On what', 'More']);
    const list = h('div', null, element);
    const fields = ['actor', 'action', 'target'].map((name) => h('input', { type: 'search', name, value: this.search.get(name) ?? '' }));
    /** What users are called, by how the log names them. @type {Map<string, string>} */
    const people = new Map();
    const asked = () => Object.fromEntries(fields.map((input) => [input.name, input.value.trim()]));
    // A person writes an e-mail address where the log has an id.
    const meant = () => {
      const query = asked();
      return { ...query, actor: [...people].find(([, email]) => email === query['actor'])?.[0] ?? query['actor'] };
    };
    /** @type {Pages<AuditRow>} */
    const pages = new Pages(
      async (after) => {
        const [list] = await Promise.all([
          /** @type {Promise<List<AuditRow>>} */ (ask('GET', query('/audit', { ...meant(), after, limit: 50 }), undefined, { signal: this.left })),
          people.size > 0 ? null : meet(people, this.left),
        ]);
        return list;
      },
      (items, first) => {
        fill(list, items.length === 0 && first ? empty('Nothing found', 'Nobody did such a thing. Names have to be whole.') : element);
        keyed(body, items, (entry) => entry.id, (entry) =>
          row(
            h('time', { datetime: new Date(entry.at).toISOString() }, when(entry.at)),
            [only('actor', entry.actor, people.get(entry.actor)), entry.address ? h('span', { class: 'hint' }, entry.address) : null],
            only('action', entry.action),
            entry.target ? only('target', entry.target, people.get(`user:${entry.target}`)) : '–',
            h('span', { class: 'detail', title: entry.detail || null }, entry.detail || '–'),
          ),
        );
      },
    );
    const labels = ['Who', 'What', 'On what (its id)'];
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

/**
 * A link that leaves only the entries with this value.
 * @param {string} field
 * @param {string} value
 * @param {string} [called]
 */
function only(field, value, called) {
  return h('a', { class: 'only', href: query('#/audit', { [field]: value }), title: called ? value : null }, called ?? value);
}

/**
 * @param {Map<string, string>} people
 * @param {AbortSignal} signal
 */
async function meet(people, signal) {
  // Without names the log is still right: it tells ids.
  const users = /** @type {List<UserView> | null} */ (await ask('GET', '/users?limit=200', undefined, { signal }).catch(() => null));
  for (const user of users?.items ?? []) {
    people.set(`user:${user.id}`, user.email);
  }
}

customElements.define('oriel-audit', Audit);
