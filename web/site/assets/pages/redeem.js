// Set a password with a one-time link: the first administrator's, an invitation, or a reset.
// @ts-check

import { redeem } from '../api.js';
import { fill, h } from '../dom.js';
import { Page, field, form, text } from '../parts.js';

class Redeem extends Page {
  open() {
    const name = h('input', { name: 'name', autocomplete: 'name', maxlength: 200 });
    const password = h('input', { name: 'password', type: 'password', autocomplete: 'new-password', required: true, minlength: 12 });
    const again = h('input', { name: 'again', type: 'password', autocomplete: 'new-password', required: true });
    const [secret = '', first] = this.target.split('/').reverse();
    // Only the first administrator's link asks for an address; the others know whose they are.
    const email = first ? h('input', { name: 'email', type: 'email', autocomplete: 'username', required: true }) : null;
    const content = [
      email ? field('E-mail address', email, 'You are the first administrator. With this address you will log in.') : null,
      field('New password', password, 'At least 12 characters. A few unrelated words are easier to remember than symbols.'),
      field('The same again', again),
      field('Your name (optional)', name, 'Shown to the others of your organisation.'),
    ];
    fill(
      this,
      h(
        'div',
        { class: 'card' },
        h('h1', { tabindex: -1 }, 'Set your password'),
        h('p', null, 'This link works once. With your new password you are logged in.'),
        form(content, 'Set password', async (data) => {
          if (password.value !== again.value) {
            again.focus();
            throw new Error('The two passwords are not the same.');
          }
          const [called, at] = [text(data, 'name'), text(data, 'email')];
          await redeem({ link: secret, password: password.value, ...(called ? { name: called } : {}), ...(at ? { email: at } : {}) });
          // The link is used up: it leaves the address bar and the history.
          location.replace('#/devices');
        }),
      ),
    );
    (email ?? password).focus();
  }
}

customElements.define('oriel-redeem', Redeem);
