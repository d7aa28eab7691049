// One user: name, role, disabled or not, reset link, sessions.
// @ts-check

import { ask, current, path } from '../api.js';
import { fill, h } from '../dom.js';
import { day } from '../format.js';
import { Page, ROLES, alertPlace, button, choice, confirm, facts, field, form, head, section, showOnce, tell, text } from '../parts.js';
import { sessions } from './account.js';
import { state } from './users.js';

class User extends Page {
  alert = alertPlace();
  body = h('div');

  get at() {
    return path('users', this.target);
  }

  open() {
    fill(this, h('p', { class: 'back' }, h('a', { href: '#/users' }, 'All users')), this.alert, this.body);
    void this.refresh();
  }

  async refresh() {
    try {
      const user = /** @type {UserView} */ (await ask('GET', this.at, undefined, { signal: this.left }));
      this.show(user);
    } catch (error) {
      if (!this.left.aborted) {
        tell(this.alert, error);
      }
    }
  }

  /** @param {UserView} user */
  show(user) {
    document.title = `${user.name || user.email} · Oriel`;
    const self = current()?.user?.id === user.id;
    const who = user.name || user.email;
    const role = choice('role', ROLES, user.role);
    const edit = form(
      [field('Name', h('input', { name: 'name', value: user.name, maxlength: 200 })), field('Role', role)],
      'Save',
      async (data) => {
        await ask('PATCH', this.at, { name: text(data, 'name'), role: text(data, 'role') });
        await this.refresh();
      },
    );
    fill(
      this.body,
      head(
        who,
        '',
        button('Make a reset link', () => this.link(user)),
        self ? null : button(user.disabled ? 'Enable' : 'Disable', () => this.disable(user), user.disabled ? '' : 'danger'),
        self ? null : button('Remove', () => this.drop(user), 'danger'),
      ),
      facts([['E-mail address', user.email], ['State', state(user)], ['Since', day(user.created)]]),
      section('Name and role', edit),
      section('Sessions', sessions(user.id, this.left)),
    );
  }

  /** @param {UserView} user */
  link(user) {
    confirm(
      { title: 'Make a reset link?', text: `With it ${user.email} can set a new password, once, within a day. The current password stays good until then.`, act: 'Make the link', danger: false },
      async () => {
        const made = /** @type {{ link: string }} */ (await ask('POST', `${this.at}/link`));
        showOnce('Reset link', `Send this link to ${user.email}.`, [['Link', made.link]]);
      },
    );
  }

  /** @param {UserView} user */
  disable(user) {
    const disabled = !user.disabled;
    const what = disabled
      ? { title: 'Disable this user?', text: `${user.email} is logged out everywhere, and the user’s access keys and tokens stop working.`, act: 'Disable' }
      : { title: 'Enable this user?', text: `${user.email} may log in again.`, act: 'Enable', danger: false };
    confirm(what, async () => {
      await ask('PATCH', this.at, { disabled });
      await this.refresh();
    });
  }

  /** @param {UserView} user */
  drop(user) {
    confirm({ title: 'Remove this user?', text: `${user.email} is logged out everywhere, and the user’s access keys and tokens are forgotten.`, act: 'Remove' }, async () => {
      await ask('DELETE', this.at);
      location.hash = '#/users';
    });
  }
}

customElements.define('oriel-user', User);
