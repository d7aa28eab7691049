// The organisations of this cloud, for whoever runs it.
// @ts-check

import { ask, current, path, query } from '../api.js';
import { fill, h, keyed } from '../dom.js';
import { day } from '../format.js';
import { Page, Pages, button, confirm, dialog, field, form, head, showOnce, table, tag, text } from '../parts.js';
import { limitName } from './organisation.js';

class Organisations extends Page {
  open() {
    const { element, body, row } = table('Organisations', ['Name', 'Id', 'State', 'Since', '']);
    /** @type {Pages<OrganisationView>} */
    const pages = new Pages(
      (after) => ask('GET', query('/organisations', { after, limit: 50 }), undefined, { signal: this.left }),
      (items) => keyed(body, items, (one) => one.id, (one) => row(...cells(one, pages))),
    );
    fill(
      this,
      head('Organisations', 'Each has its own users, devices and audit log, and sees nothing of the others.', button('Add organisation', () => add(pages), 'primary')),
      pages.alert,
      element,
      pages.element,
    );
    void pages.refresh();
  }
}

/**
 * @param {OrganisationView} one
 * @param {Pages<OrganisationView>} pages
 */
function cells(one, pages) {
  const own = current()?.organisation.id === one.id;
  return [
    [one.name, own ? tag('Yours') : null],
    h('code', null, one.id),
    one.suspended ? tag('Suspended', 'bad') : tag('Active', 'good'),
    day(one.created),
    h(
      'div',
      { class: 'actions' },
      button('Edit', () => edit(one, pages), 'quiet'),
      own ? null : button(one.suspended ? 'Resume' : 'Suspend', () => suspend(one, pages), one.suspended ? 'quiet' : 'danger quiet'),
      own ? null : button('Remove', () => drop(one, pages), 'danger quiet'),
    ),
  ];
}

/** @param {Pages<OrganisationView>} pages */
function add(pages) {
  const content = [
    field('Name', h('input', { name: 'name', maxlength: 200, required: true })),
    field('E-mail address of its first administrator', h('input', { name: 'administrator', type: 'email', required: true })),
  ];
  dialog('Add an organisation', (close) =>
    form(
      content,
      'Add',
      async (data) => {
        const administrator = text(data, 'administrator');
        const made = /** @type {{ link: string }} */ (await ask('POST', '/organisations', { name: text(data, 'name'), administrator }));
        close();
        void pages.refresh();
        showOnce('First administrator', `Send this link to ${administrator}. It sets the password and works once.`, [['Link', made.link]]);
      },
      { cancel: close },
    ),
  );
}

/**
 * @param {OrganisationView} one
 * @param {Pages<OrganisationView>} pages
 */
function edit(one, pages) {
  const names = Object.keys(one.limits);
  const content = [
    field('Name', h('input', { name: 'name', value: one.name, maxlength: 200, required: true })),
    names.length > 0 ? h('p', { class: 'hint' }, 'What is empty is as the configuration of the cloud says.') : null,
    ...names.map((name) => field(limitName(name), h('input', { name: `limit-${name}`, type: 'number', min: 0, value: one.limits[name] ?? '' }))),
  ];
  dialog(`Edit ${one.name}`, (close) =>
    form(
      content,
      'Save',
      async (data) => {
        const limits = Object.fromEntries(names.map((name) => [name, text(data, `limit-${name}`) === '' ? null : Number(text(data, `limit-${name}`))]));
        await ask('PATCH', path('organisations', one.id), { name: text(data, 'name'), limits });
        close();
        await pages.refresh();
      },
      { cancel: close },
    ),
  );
}

/**
 * @param {OrganisationView} one
 * @param {Pages<OrganisationView>} pages
 */
function suspend(one, pages) {
  const suspended = !one.suspended;
  const what = suspended
    ? { title: `Suspend ${one.name}?`, text: 'Its users are refused and its cameras are cut off until it is resumed. Nothing is forgotten.', act: 'Suspend' }
    : { title: `Resume ${one.name}?`, text: 'Its users may log in and its cameras may connect again.', act: 'Resume', danger: false };
  confirm(what, async () => {
    await ask('PATCH', path('organisations', one.id), { suspended });
    await pages.refresh();
  });
}

/**
 * @param {OrganisationView} one
 * @param {Pages<OrganisationView>} pages
 */
function drop(one, pages) {
  confirm({ title: `Remove ${one.name}?`, text: 'Its users, devices, keys and audit log are deleted for good.', act: 'Remove' }, async () => {
    await ask('DELETE', path('organisations', one.id));
    await pages.refresh();
  });
}

customElements.define('oriel-organisations', Organisations);
