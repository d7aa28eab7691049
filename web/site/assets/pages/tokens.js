// API tokens: for programs that call this cloud's API.
// @ts-check

import { ask, current, path, query } from '../api.js';
import { fill, h, keyed } from '../dom.js';
import { capital, day } from '../format.js';
import { LIFETIMES, Page, Pages, ROLES, button, choice, confirm, dialog, empty, field, form, head, moment, showOnce, table, tag, text } from '../parts.js';

class Tokens extends Page {
  open() {
    const { element, body, row } = table('API tokens', ['Name', 'Role', 'Devices', 'Made', 'Expires', '']);
    const list = h('div', null, element);
    /** @type {Pages<TokenView>} */
    const pages = new Pages(
      (after) => ask('GET', query('/tokens', { after, limit: 50 }), undefined, { signal: this.left }),
      (items, first) => {
        fill(list, items.length === 0 && first ? empty('No API tokens yet', 'A token lets a program of yours use the API of this cloud, without a person’s password.') : element);
        keyed(body, items, (token) => token.id, (token) =>
          row(
            token.name || token.id,
            [capital(token.role), token.instance ? tag('Instance') : null],
            token.devices ? String(token.devices.length) : 'All',
            moment(token.created),
            token.expires ? day(token.expires) : 'Never',
            button('Revoke', () => revoke(token, pages), 'danger quiet'),
          ),
        );
      },
    );
    fill(this, head('API tokens', 'For programs that use the API of this cloud.', button('Make token', () => make(pages), 'primary')), pages.alert, list, pages.element);
    void pages.refresh();
  }
}

/**
 * @param {TokenView} token
 * @param {Pages<TokenView>} pages
 */
function revoke(token, pages) {
  confirm({ title: 'Revoke this token?', text: `Programs that use ${token.name || token.id} are refused from now on.`, act: 'Revoke' }, async () => {
    await ask('DELETE', path('tokens', token.id));
    await pages.refresh();
  });
}

/** @param {Pages<TokenView>} pages */
function make(pages) {
  const content = [
    field('What it is for', h('input', { name: 'name', maxlength: 200, required: true, placeholder: 'Nightly report' })),
    field('Role', choice('role', ROLES, 'viewer')),
    field('Good for', choice('expires', LIFETIMES, '31536000')),
    current()?.instance
      ? h('label', { class: 'check' }, h('input', { type: 'checkbox', name: 'instance' }), h('span', null, 'May manage organisations'))
      : null,
  ];
  dialog('Make an API token', (close) =>
    form(
      content,
      'Make token',
      async (data) => {
        const expires = text(data, 'expires');
        const made = /** @type {{ token: string }} */ (
          await ask('POST', '/tokens', {
            name: text(data, 'name'),
            role: text(data, 'role'),
            ...(expires ? { expires_in: Number(expires) } : {}),
            ...(data.has('instance') ? { instance: true } : {}),
          })
        );
        close();
        void pages.refresh();
        showOnce('API token', 'Programs send it with each request, in the header “Authorization: Bearer …”.', [['Token', made.token]]);
      },
      { cancel: close },
    ),
  );
}

customElements.define('oriel-tokens', Tokens);
