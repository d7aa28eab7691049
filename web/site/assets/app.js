// The frame around the pages: who is logged in, the navigation, and which page the address names.
// @ts-check

import { current, logOut, may, onEnd, resume } from './api.js';
import { announce, fill, h } from './dom.js';
import * as live from './live.js';
import { Page, alertPlace, button, tell } from './parts.js';
import './pages/access-keys.js';
import './pages/account.js';
import './pages/add.js';
import './pages/audit.js';
import './pages/device.js';
import './pages/devices.js';
import './pages/login.js';
import './pages/organisation.js';
import './pages/organisations.js';
import './pages/redeem.js';
import './pages/tokens.js';
import './pages/user.js';
import './pages/users.js';

/** @typedef {{ element: string, title: string, role?: Role, instance?: boolean, open?: boolean }} Place */

/** @type {Record<string, Place>} By name, and by `name/` where something follows. */
const PLACES = {
  login: { element: 'oriel-login', title: 'Log in', open: true },
  'redeem/': { element: 'oriel-redeem', title: 'Set your password', open: true },
  devices: { element: 'oriel-devices', title: 'Devices' },
  'devices/': { element: 'oriel-device', title: 'Device' },
  add: { element: 'oriel-add', title: 'Add a camera', role: 'administrator' },
  'access-keys': { element: 'oriel-access-keys', title: 'Access keys' },
  users: { element: 'oriel-users', title: 'Users', role: 'administrator' },
  'users/': { element: 'oriel-user', title: 'User', role: 'administrator' },
  tokens: { element: 'oriel-tokens', title: 'API tokens', role: 'administrator' },
  audit: { element: 'oriel-audit', title: 'Audit', role: 'administrator' },
  organisation: { element: 'oriel-organisation', title: 'Organisation' },
  organisations: { element: 'oriel-organisations', title: 'Organisations', instance: true },
  account: { element: 'oriel-account', title: 'Your account' },
};

const NAVIGATION = ['devices', 'access-keys', 'users', 'tokens', 'audit', 'organisation', 'organisations'];

const app = /** @type {HTMLElement} */ (document.getElementById('app'));
const main = h('main', { id: 'main', tabindex: -1 });
/** Where to go once logged in. */
let wanted = '';
let framed = false;

/** @param {Place} place */
function allowed(place) {
  return (!place.role || may(place.role)) && (!place.instance || current()?.instance === true);
}

/** The name, what follows it, and the query of the address. */
function address() {
  const [path = '', search = ''] = location.hash.replace(/^#\/?/, '').split('?', 2);
  const [name = '', ...rest] = path.split('/');
  const target = rest.map(decode).join('/');
  return { name: name || 'devices', target, search: new URLSearchParams(search) };
}

/** @param {string} segment */
function decode(segment) {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}

function show() {
  const { name, target, search } = address();
  const place = PLACES[target ? `${name}/` : name];
  if (!place) {
    location.replace('#/devices');
    return;
  }
  if (!place.open && !current()) {
    wanted = location.hash;
    location.replace('#/login');
    return;
  }
  if (name === 'login' && current()) {
    location.replace(wanted || '#/devices');
    wanted = '';
    return;
  }
  for (const dialog of document.querySelectorAll('dialog')) {
    dialog.close();
  }
  frame(!place.open);
  document.title = `${place.title} · Oriel`;
  mark(name);
  if (!allowed(place)) {
    fill(main, h('div', { class: 'empty' }, h('h1', { tabindex: -1 }, 'Not for your role'), h('p', null, 'An administrator of your organisation can do this.')));
  } else {
    const page = document.createElement(place.element);
    if (page instanceof Page) {
      page.target = target;
      page.search = search;
    }
    fill(main, page);
  }
  window.scrollTo(0, 0);
  const heading = main.querySelector('h1');
  // The first field of a form that says so has the focus already.
  if (!main.contains(document.activeElement) && heading instanceof HTMLElement) {
    heading.focus({ preventScroll: true });
  }
  announce(place.title);
}

/** @param {string} name */
function mark(name) {
  const here = name === 'add' ? 'devices' : name;
  for (const link of document.querySelectorAll('#navigation a')) {
    if (link.getAttribute('href') === `#/${here}`) {
      link.setAttribute('aria-current', 'page');
    } else {
      link.removeAttribute('aria-current');
    }
  }
  document.getElementById('menu')?.setAttribute('aria-expanded', 'false');
}

/** @param {boolean} inside With navigation: somebody is logged in. */
function frame(inside) {
  const session = inside ? current() : null;
  if (inside === framed && app.contains(main)) {
    return;
  }
  framed = inside;
  app.className = inside ? 'inside' : 'outside';
  if (!session) {
    live.stop();
    fill(app, h('header', { class: 'top' }, brand()), main);
    return;
  }
  live.start();
  const links = NAVIGATION.flatMap((name) => {
    const place = PLACES[name];
    return place && allowed(place) ? [h('li', null, h('a', { href: `#/${name}` }, place.title))] : [];
  });
  const menu = h('button', { type: 'button', id: 'menu', 'aria-expanded': 'false', 'aria-controls': 'navigation' }, 'Menu');
  menu.addEventListener('click', () => menu.setAttribute('aria-expanded', String(menu.getAttribute('aria-expanded') !== 'true')));
  const alert = alertPlace();
  const leave = button('Log out', async () => {
    try {
      await logOut();
      location.hash = '#/login';
    } catch (error) {
      tell(alert, error);
    }
  });
  const who = session.user ? session.user.name || session.user.email : 'API token';
  fill(
    app,
    h(
      'header',
      { class: 'top' },
      h('div', { class: 'bar' }, brand(), menu),
      h(
        'nav',
        { id: 'navigation', 'aria-label': 'Main' },
        h('ul', null, links),
        h(
          'div',
          { class: 'who' },
          h('p', { class: 'hint' }, session.organisation.name),
          session.user ? h('a', { href: '#/account' }, who) : who,
          leave,
          alert,
        ),
      ),
    ),
    main,
  );
}

function brand() {
  return h('a', { class: 'brand', href: '#/devices' }, h('img', { src: '/assets/icon.svg', alt: '', width: 28, height: 28 }), 'Oriel');
}

async function begin() {
  document.querySelector('.skip')?.addEventListener('click', (event) => {
    event.preventDefault();
    main.focus();
  });
  window.addEventListener('hashchange', show);
  onEnd(() => {
    wanted = location.hash;
    location.hash = '#/login?ended';
  });
  try {
    // A link that sets a password begins a session of its own.
    if (address().name !== 'redeem') {
      await resume();
    }
    show();
  } catch (error) {
    const alert = alertPlace();
    tell(alert, error);
    frame(false);
    fill(main, h('div', { class: 'card' }, h('h1', null, 'Oriel'), alert, button('Try again', () => location.reload())));
  }
}

await begin();
