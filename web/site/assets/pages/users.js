// The users of the organisation, and inviting them.
// @ts-check

import { ask, query } from '../api.js';
import { fill, h, keyed } from '../dom.js';
import { capital, day } from '../format.js';
import { Page, Pages, ROLES, button, choice, dialog, field, form, head, showOnce, table, tag, text } from '../parts.js';

class Users extends Page {
  open() {
    const { element, body, row } = table('Users', ['Name', 'E-mail address', 'Role', 'State', 'Since']);
    /** @type {Pages<UserView>} */
    const pages = new Pages(
      (after) => ask('GET', query('/users', { after, limit: 50 }), undefined, { signal: this.left }),
      (items) =>
        keyed(body, items, (user) => user.id, (user) =>
          row(
            h('a', { href: `#/users/${encodeURIComponent(user.id)}` }, user.name || user.email),
            user.email,
            [capital(user.role), user.instance ? tag('Instance') : null],
            state(user),
            day(user.created),
          ),
        ),
    );
    fill(
      this,
      head('Users', 'Who may see and operate the cameras of your organisation.', button('Invite', () => this.invite(pages), 'primary')),
      pages.alert,
      element,
      pages.element,
    );
    void pages.refresh();
  }

  /** @param {Pages<UserView>} pages */
  invite(pages) {
    const content = [
      field('E-mail address', h('input', { name: 'email', type: 'email', required: true, autocomplete: 'off' }), 'The cloud sends no mail: you get a one-time link to pass on.'),
      field('Name', h('input', { name: 'name', maxlength: 200, autocomplete: 'off' })),
      field('Role', choice('role', ROLES, 'viewer')),
    ];
    dialog('Invite a user', (close) =>
      form(
        content,
        'Invite',
        async (data) => {
          const made = /** @type {{ link: string }} */ (
            await ask('POST', '/users', { email: text(data, 'email'), name: text(data, 'name'), role: text(data, 'role') })
          );
          close();
          void pages.refresh();
          showOnce('Invitation', `Send this link to ${text(data, 'email')}. It sets the password and works once, for a day.`, [['Link', made.link]]);
        },
        { cancel: close },
      ),
    );
  }
}

/** @param {UserView} user */
export function state(user) {
  if (user.disabled) {
    return tag('Disabled', 'bad');
  }
  return user.has_password ? tag('Active', 'good') : tag('Invited', 'warn');
}

customElements.define('oriel-users', Users);
