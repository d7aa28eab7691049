// Elements without markup in strings: what comes from a camera or a person is always text.
// @ts-check

/** @typedef {Node | string | number | null | undefined | false} Child */
/** @typedef {Record<string, string | number | boolean | null | undefined | ((event: any) => void)>} Props */

/**
 * An element. A property that is a function listens to the event of its name; `true` is an empty attribute; `null`, `undefined` and `false` are none.
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Props | null} [props]
 * @param {...(Child | Child[])} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function h(tag, props, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props ?? {})) {
    if (typeof value === 'function') {
      element.addEventListener(name, value);
    } else if (name === 'value' && 'value' in element) {
      element.value = String(value ?? '');
    } else if (value !== null && value !== undefined && value !== false) {
      element.setAttribute(name, value === true ? '' : String(value));
    }
  }
  element.append(...nodes(children));
  return element;
}

/**
 * @param {(Child | Child[])[]} children
 * @returns {(Node | string)[]}
 */
function nodes(children) {
  return children.flat().flatMap((child) =>
    child === null || child === undefined || child === false ? [] : [typeof child === 'number' ? String(child) : child],
  );
}

/**
 * Replaces what is in the element.
 * @param {Element} element
 * @param {...(Child | Child[])} children
 */
export function fill(element, ...children) {
  element.replaceChildren(...nodes(children));
}

/**
 * Shows `items` as children. A child that looks the same stays itself, and focus stays on the child of the same key.
 * @template T
 * @param {Element} parent
 * @param {T[]} items
 * @param {(item: T) => string} key
 * @param {(item: T) => HTMLElement} make
 */
export function keyed(parent, items, key, make) {
  const before = new Map([...parent.children].map((child) => [child.getAttribute('data-key'), child]));
  const after = items.map((item) => {
    const fresh = make(item);
    fresh.setAttribute('data-key', key(item));
    const old = before.get(key(item));
    return old?.isEqualNode(fresh) ? old : fresh;
  });
  if (after.length === parent.children.length && after.every((child, at) => child === parent.children[at])) {
    return;
  }
  const place = focusPlace(parent);
  parent.replaceChildren(...after);
  if (place) {
    const row = after.find((child) => child.getAttribute('data-key') === place.key);
    const target = row ? focusable(row)[place.at] : undefined;
    target?.focus({ preventScroll: true });
  }
}

/** @param {Element} element */
function focusable(element) {
  return /** @type {HTMLElement[]} */ ([...element.querySelectorAll('a[href], button, input, select, textarea')]);
}

/** @param {Element} parent */
function focusPlace(parent) {
  const row = [...parent.children].find((child) => child.contains(document.activeElement));
  return row ? { key: row.getAttribute('data-key'), at: focusable(row).findIndex((one) => one === document.activeElement) } : null;
}

/** @param {string} text Read out by screen readers, not shown. */
export function announce(text) {
  const place = document.getElementById('announcer');
  if (place) {
    place.textContent = text;
  }
}
