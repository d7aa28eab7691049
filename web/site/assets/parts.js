// Pieces that several pages are made of: fields, dialogs, secrets shown once, badges, tables, pagers.
// @ts-check

import { announce, fill, h } from './dom.js';
import { span, when } from './format.js';

/** @typedef {import('./dom.js').Child} Child */

let numbers = 0;

/**
 * A labelled control.
 * @param {string} label
 * @param {HTMLElement} control
 * @param {string} [hint]
 */
export function field(label, control, hint) {
  numbers += 1;
  control.id ||= `field-${numbers}`;
  const note = hint ? h('p', { class: 'hint', id: `${control.id}-hint` }, hint) : null;
  if (note) {
    control.setAttribute('aria-describedby', note.id);
  }
  return h('div', { class: 'field' }, h('label', { for: control.id }, label), control, note);
}

/**
 * @param {string} name
 * @param {[string, string][]} options Value and text.
 * @param {string} [chosen]
 */
export function choice(name, options, chosen) {
  const select = h('select', { name }, options.map(([value, text]) => h('option', { value }, text)));
  if (chosen !== undefined) {
    select.value = chosen;
  }
  return select;
}

/** @type {[string, string][]} */
export const ROLES = [
  ['viewer', 'Viewer: looks'],
  ['operator', 'Operator: looks and operates'],
  ['administrator', 'Administrator: everything'],
];

/** The roles up to `most`. @param {Role} most @returns {[string, string][]} */
export function rolesUpTo(most) {
  return ROLES.slice(0, ROLES.findIndex(([role]) => role === most) + 1);
}

/** @type {[string, string][]} */
export const LIFETIMES = [
  ['', 'Until revoked'],
  ['86400', '1 day'],
  ['604800', '7 days'],
  ['2592000', '30 days'],
  ['31536000', '1 year'],
];

/** @param {string} text */
export function button(text, /** @type {() => void} */ click, kind = '') {
  return h('button', { type: 'button', class: kind, click }, text);
}

/** A place for what went wrong; it is read out when it is filled. */
export function alertPlace() {
  return h('div', { class: 'alert', role: 'alert', hidden: true });
}

/**
 * @param {HTMLElement} place
 * @param {unknown} error None: nothing is wrong.
 */
export function tell(place, error) {
  place.hidden = !error;
  place.textContent = error ? message(error) : '';
}

/** @param {unknown} error */
export function message(error) {
  return error instanceof Error ? error.message : String(error);
}

/**
 * A form that does its work once at a time and tells what went wrong.
 * @param {Child[]} content
 * @param {string} submit
 * @param {(data: FormData) => Promise<void>} work
 * @param {{ kind?: string, cancel?: () => void, class?: string }} [options]
 */
export function form(content, submit, work, options = {}) {
  const alert = alertPlace();
  const go = h('button', { type: 'submit', class: options.kind ?? 'primary' }, submit);
  const cancel = options.cancel ? button('Cancel', options.cancel) : null;
  // What cannot be taken back is not one key away.
  if (cancel && options.kind === 'danger') {
    cancel.autofocus = true;
  }
  const element = h('form', { class: options.class ?? '', novalidate: false }, content, alert, h('div', { class: 'actions' }, go, cancel));
  element.addEventListener('submit', async (event) => {
    event.preventDefault();
    if (go.disabled) {
      return;
    }
    go.disabled = true;
    element.setAttribute('aria-busy', 'true');
    tell(alert, null);
    try {
      await work(new FormData(element));
    } catch (error) {
      tell(alert, error);
    } finally {
      go.disabled = false;
      element.removeAttribute('aria-busy');
    }
  });
  return element;
}

/** @param {FormData} data */
export function text(data, /** @type {string} */ name) {
  return String(data.get(name) ?? '').trim();
}

/**
 * A dialog on top of the page. Closed, it is gone, and focus is back where it was.
 * @param {string} title
 * @param {(close: () => void) => Child | Child[]} content
 * @param {() => void} [closed]
 */
export function dialog(title, content, closed) {
  const heading = h('h2', { id: 'dialog-title' }, title);
  const element = h('dialog', { 'aria-labelledby': 'dialog-title' });
  const before = document.activeElement;
  const close = () => element.close();
  element.addEventListener('close', () => {
    element.remove();
    closed?.();
    if (before instanceof HTMLElement && before.isConnected) {
      before.focus();
    }
  });
  fill(element, heading, content(close));
  document.body.append(element);
  element.showModal();
  return element;
}

/**
 * Asks before something that cannot be taken back.
 * @param {{ title: string, text: string, act: string, danger?: boolean }} what
 * @param {() => Promise<void>} work
 */
export function confirm(what, work) {
  dialog(what.title, (close) =>
    form(
      [h('p', null, what.text)],
      what.act,
      async () => {
        await work();
        close();
      },
      { kind: what.danger === false ? 'primary' : 'danger', cancel: close },
    ),
  );
}

/**
 * A secret with a button to copy it.
 * @param {string} label
 * @param {string} value
 */
export function copyable(label, value) {
  numbers += 1;
  const id = `secret-${numbers}`;
  const shown = h('code', { id, class: 'value', tabindex: 0 }, value);
  const copy = h('button', { type: 'button', 'aria-label': `Copy ${label.toLowerCase()}` }, 'Copy');
  copy.addEventListener('click', async () => {
    try {
      await navigator.clipboard.writeText(value);
      copy.textContent = 'Copied';
      announce(`${label} copied`);
    } catch {
      // No right to the clipboard: it is selected instead.
      getSelection()?.selectAllChildren(shown);
      copy.textContent = 'Selected';
    }
  });
  return h('div', { class: 'copyable' }, h('span', { class: 'label' }, label), h('div', { class: 'row' }, shown, copy));
}

/**
 * Secrets that are shown this one time.
 * @param {string} title
 * @param {string} explanation
 * @param {[string, string][]} values
 * @param {() => void} [closed]
 */
export function showOnce(title, explanation, values, closed) {
  dialog(
    title,
    (close) => [
      h('p', null, explanation),
      h('p', { class: 'notice' }, 'This is shown once. Copy it now; it cannot be shown again.'),
      values.map(([label, value]) => copyable(label, value)),
      h('div', { class: 'actions' }, button('Done', close, 'primary')),
    ].flat(),
    closed,
  );
}

const STATUS = { online: 'Online', offline: 'Offline', revoked: 'Revoked', removed: 'Removed' };

/** @param {keyof typeof STATUS} status */
export function badge(status) {
  return h('span', { class: `badge ${status}` }, STATUS[status] ?? status);
}

/** @param {string} words */
export function tag(words, kind = '') {
  return h('span', { class: `tag ${kind}` }, words);
}

/** A moment, and how long ago. @param {number} at */
export function moment(at) {
  const ago = Date.now() - at;
  return h('time', { datetime: new Date(at).toISOString(), title: when(at) }, ago >= 0 && ago < 86_400_000 ? `${span(Math.max(ago, 1000))} ago` : when(at));
}

/**
 * A table that becomes a list of cards where it is narrow.
 * @param {string} caption Read out, not shown.
 * @param {string[]} columns
 */
export function table(caption, columns) {
  const body = h('tbody');
  const heads = columns.map((column) => h('th', { scope: 'col' }, column || h('span', { class: 'quiet-text' }, 'Actions')));
  const element = h('table', null, h('caption', { class: 'quiet-text' }, caption), h('thead', null, h('tr', null, heads)), body);
  /** @param {...(Child | Child[])} cells */
  const row = (...cells) => h('tr', null, cells.map((cell, at) => h('td', { 'data-label': columns[at] ?? '' }, h('div', null, cell))));
  return { element: h('div', { class: 'table' }, element), body, row };
}

/**
 * What stands where nothing is yet.
 * @param {string} title
 * @param {string} words
 * @param {...Child} more
 */
export function empty(title, words, ...more) {
  return h('div', { class: 'empty' }, h('h2', null, title), h('p', null, words), ...more);
}

/** @param {string} title */
export function section(title, /** @type {(Child | Child[])[]} */ ...content) {
  numbers += 1;
  const id = `section-${numbers}`;
  return h('section', { 'aria-labelledby': id }, h('h2', { id }, title), ...content);
}

/**
 * Terms and what they are.
 * @param {[string, Child][]} pairs
 */
export function facts(pairs) {
  return h('dl', { class: 'facts' }, pairs.map(([term, value]) => h('div', null, h('dt', null, term), h('dd', null, value ?? '–'))));
}

/**
 * The head of a page.
 * @param {string} title
 * @param {string} about
 * @param {...Child} actions
 */
export function head(title, about, ...actions) {
  return h(
    'header',
    { class: 'head' },
    h('div', null, h('h1', { tabindex: -1 }, title), about ? h('p', { class: 'about' }, about) : null),
    actions.some(Boolean) ? h('div', { class: 'actions' }, ...actions) : null,
  );
}

/**
 * A list of the API, page by page.
 * @template T
 */
export class Pages {
  /**
   * @param {(after: string | null) => Promise<List<T>>} load
   * @param {(items: T[], first: boolean) => void} show
   */
  constructor(load, show) {
    this.load = load;
    this.show = show;
    /** @type {(string | null)[]} Cursors of the pages before, and of this one. */
    this.cursors = [null];
    /** @type {string | null} */
    this.next = null;
    this.turn = 0;
    this.alert = alertPlace();
    this.back = button('Previous', () => this.go(-1));
    this.forth = button('Next', () => this.go(1));
    this.where = h('span', { class: 'hint' });
    this.element = h('nav', { class: 'pager', 'aria-label': 'Pages', hidden: true }, this.back, this.where, this.forth);
  }

  /** Begins again at the first page. */
  restart() {
    this.cursors = [null];
    return this.refresh();
  }

  /** @param {1 | -1} step */
  go(step) {
    if (step === 1) {
      this.cursors.push(this.next);
    } else if (this.cursors.length > 1) {
      this.cursors.pop();
    }
    return this.refresh();
  }

  /** Loads this page again. An answer that was overtaken by a later question is not shown. */
  async refresh() {
    this.turn += 1;
    const turn = this.turn;
    try {
      const list = await this.load(this.cursors.at(-1) ?? null);
      if (turn !== this.turn) {
        return;
      }
      if (list.items.length === 0 && this.cursors.length > 1) {
        this.cursors.pop();
        await this.refresh();
        return;
      }
      this.next = list.next;
      tell(this.alert, null);
      this.show(list.items, this.cursors.length === 1);
    } catch (error) {
      if (turn === this.turn) {
        tell(this.alert, error);
      }
    }
    this.back.disabled = this.cursors.length === 1;
    this.forth.disabled = this.next === null;
    this.where.textContent = `Page ${this.cursors.length}`;
    this.element.hidden = this.cursors.length === 1 && this.next === null;
  }
}

/** A web component whose timers and listeners end with it. */
export class Page extends HTMLElement {
  #end = new AbortController();
  /** What follows `#/name/` in the address. */
  target = '';
  /** What follows `?` in the address. */
  search = new URLSearchParams();

  connectedCallback() {
    this.#end = new AbortController();
    this.open();
  }

  disconnectedCallback() {
    this.#end.abort();
  }

  /** Ends when the page is left. */
  get left() {
    return this.#end.signal;
  }

  /** Builds the page. */
  open() {}

  /**
   * Does it every so often while the page is seen.
   * @param {number} ms
   * @param {() => void} work
   */
  every(ms, work) {
    const timer = setInterval(() => {
      if (document.visibilityState === 'visible') {
        work();
      }
    }, ms);
    this.left.addEventListener('abort', () => clearInterval(timer));
  }
}
