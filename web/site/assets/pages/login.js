// Log in with e-mail address and password.
// @ts-check

import { logIn } from '../api.js';
import { fill, h } from '../dom.js';
import { Page, field, form, text } from '../parts.js';

class Login extends Page {
  open() {
    const email = h('input', { name: 'email', type: 'email', autocomplete: 'username', required: true });
    const password = h('input', { name: 'password', type: 'password', autocomplete: 'current-password', required: true });
    const content = [field('E-mail address', email), field('Password', password)];
    fill(
      this,
      h(
        'div',
        { class: 'card' },
        h('h1', { tabindex: -1 }, 'Log in'),
        this.search.has('ended') ? h('p', { class: 'notice' }, 'Your session has ended. Log in again to go on.') : null,
        form(content, 'Log in', async (data) => {
          try {
            await logIn(text(data, 'email'), String(data.get('password')));
          } catch (error) {
            password.value = '';
            password.focus();
            throw error;
          }
          location.replace('#/devices');
        }),
        h('p', { class: 'hint' }, 'No password yet, or forgotten? An administrator can make you a one-time link. The link of the first administrator is printed when the cloud first starts.'),
      ),
    );
    email.focus();
  }
}

customElements.define('oriel-login', Login);
