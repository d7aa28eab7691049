// Your own account: who you are, your password, your sessions.
// @ts-check

import { ask, current, path } from '../api.js';
import { announce, fill, h } from '../dom.js';
import { capital } from '../format.js';
import { Page, alertPlace, button, confirm, facts, field, form, head, moment, section, table, tag, tell } from '../parts.js';

class Account extends Page {
  open() {
    const session = current();
    const user = session?.user;
    if (!session || !user) {
      fill(this, head('Your account', 'You came with an API token, which has no account.'));
      return;
    }
    fill(
      this,
      head(user.name || user.email, ''),
      facts([
        ['E-mail address', user.email],
        ['Role', [capital(user.role), user.instance ? ', manages organisations' : ''].join('')],
        ['Organisation', session.organisation.name],
      ]),
      section('Password', password()),
      section('Sessions', sessions(user.id, this.left)),
    );
  }
}

function password() {
  const old = h('input', { name: 'old', type: 'password', autocomplete: 'current-password', required: true });
  const fresh = h('input', { name: 'new', type: 'password', autocomplete: 'new-password', required: true, minlength: 12 });
  const again = h('input', { name: 'again', type: 'password', autocomplete: 'new-password', required: true });
  const done = h('p', { class: 'good-text', role: 'status' });
  const element = form(
    [
      h('p', { class: 'hint' }, 'Your other sessions end when you change it.'),
      field('Current password', old),
      field('New password', fresh, 'At least 12 characters.'),
      field('The same again', again),
      done,
    ],
    'Change password',
    async () => {
      done.textContent = '';
      if (fresh.value !== again.value) {
        again.focus();
        throw new Error('The two passwords are not the same.');
      }
      await ask('PUT', '/session/password', { old: old.value, new: fresh.value });
      element.reset();
      done.textContent = 'Changed.';
    },
  );
  return element;
}

/**
 * The sessions of a user, with a button to end them.
 * @param {string} user
 * @param {AbortSignal} left
 */
export function sessions(user, left) {
  const at = `${path('users', user)}/sessions`;
  const place = h('div');
  const alert = alertPlace();
  const refresh = async () => {
    try {
      const list = /** @type {List<LoginSession>} */ (await ask('GET', at, undefined, { signal: left }));
      const { element, body, row } = table('Sessions', ['Began', 'Ends', 'Address', 'Program']);
      for (const one of list.items) {
        body.append(row([moment(one.created), one.current ? tag('This one', 'good') : null], moment(one.expires), one.address || '–', h('span', { class: 'agent' }, one.agent || '–')));
      }
      fill(place, list.items.length > 0 ? element : h('p', { class: 'hint' }, 'Not logged in anywhere.'));
      end.hidden = list.items.every((one) => one.current);
    } catch (error) {
      if (!left.aborted) {
        tell(alert, error);
      }
    }
  };
  const own = current()?.user?.id === user;
  const end = button(
    own ? 'End the other sessions' : 'End all sessions',
    () =>
      confirm({ title: 'End the sessions?', text: `Every ${own ? 'other ' : ''}browser that is logged in has to log in again.`, act: 'End them' }, async () => {
        await ask('DELETE', at);
        announce('Sessions ended');
        await refresh();
      }),
    'danger',
  );
  void refresh();
  return h('div', null, alert, place, h('div', { class: 'actions' }, end));
}

customElements.define('oriel-account', Account);
