// The API of the cloud: requests with the session's cookie, refusals as errors, and the stream of events.
// @ts-check

/** A refusal: `message` is the problem's detail, for people. */
export class Refused extends Error {
  /**
   * @param {number} status
   * @param {string} detail
   * @param {number | null} wait Seconds after which to try again.
   */
  constructor(status, detail, wait) {
    super(detail);
    this.status = status;
    this.wait = wait;
  }
}

/** @type {SessionView | null} */
let session = null;
const ended = new EventTarget();

export function current() {
  return session;
}

/** @param {() => void} then Called when the cloud no longer knows the session. */
export function onEnd(then) {
  ended.addEventListener('end', then);
}

const RANKS = { viewer: 0, operator: 1, administrator: 2 };

/** @param {Role} role Whether who is logged in may do what needs this role. */
export function may(role) {
  return session !== null && RANKS[session.role] >= RANKS[role];
}

/**
 * @template T
 * @param {string} method
 * @param {string} path Below `/api/v1`.
 * @param {unknown} [body]
 * @param {{ signal?: AbortSignal, key?: string }} [options] `key`: an Idempotency-Key.
 * @returns {Promise<T>}
 */
export async function ask(method, path, body, options = {}) {
  /** @type {Record<string, string>} */
  const headers = { Accept: 'application/json' };
  if (body !== undefined) {
    headers['Content-Type'] = 'application/json';
  }
  if (options.key) {
    headers['Idempotency-Key'] = options.key;
  }
  if (method !== 'GET' && session?.csrf) {
    headers['X-Oriel-CSRF'] = session.csrf;
  }
  const init = { method, headers, credentials: /** @type {const} */ ('same-origin'), cache: /** @type {const} */ ('no-store') };
  let response;
  try {
    response = await fetch(`/api/v1${path}`, {
      ...init,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      ...(options.signal ? { signal: options.signal } : {}),
    });
  } catch (error) {
    if (options.signal?.aborted) {
      throw error;
    }
    throw new Refused(0, 'The cloud cannot be reached. Check the network and try again.', null);
  }
  if (!response.ok) {
    const refused = await refusal(response);
    // A wrong old password is no end of the session.
    if (response.status === 401 && session && path !== '/session/password') {
      session = null;
      ended.dispatchEvent(new Event('end'));
    }
    throw refused;
  }
  return response.status === 204 ? /** @type {T} */ (undefined) : response.json();
}

/** @param {Response} response RFC 9457. */
async function refusal(response) {
  let detail = `The cloud answered ${response.status} ${response.statusText}`.trim();
  try {
    const problem = await response.json();
    if (typeof problem.detail === 'string' && problem.detail) {
      detail = problem.detail.charAt(0).toUpperCase() + problem.detail.slice(1);
    }
  } catch {
    // Not from the API: a load balancer, perhaps.
  }
  const wait = Number(response.headers.get('Retry-After'));
  return new Refused(response.status, detail, wait > 0 ? wait : null);
}

/**
 * A path with a query of what is not empty.
 * @param {string} path
 * @param {Record<string, string | number | null | undefined>} query
 */
export function query(path, query) {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== null && value !== undefined && value !== '') {
      search.set(name, String(value));
    }
  }
  return search.size > 0 ? `${path}?${search}` : path;
}

/** A path of segments, each escaped. @param {...string} segments */
export function path(...segments) {
  return segments.map((segment) => `/${encodeURIComponent(segment)}`).join('');
}

/** Idempotency keys of one form: the same for a retry, another for another request. */
export function retries() {
  let last = '';
  let key = '';
  return (/** @type {unknown} */ body) => {
    const now = JSON.stringify(body);
    if (now !== last) {
      last = now;
      key = crypto.randomUUID();
    }
    return key;
  };
}

/** Asks who is logged in. */
export async function resume() {
  try {
    session = await ask('GET', '/session');
  } catch (error) {
    if (!(error instanceof Refused && error.status === 401)) {
      throw error;
    }
    session = null;
  }
  return session;
}

/**
 * @param {string} email
 * @param {string} password
 */
export async function logIn(email, password) {
  session = null;
  session = await ask('POST', '/session', { email, password });
}

/** @param {{ link: string, password: string, name?: string, email?: string }} asked */
export async function redeem(asked) {
  session = null;
  session = await ask('POST', '/links/redeem', asked);
}

export async function logOut() {
  await ask('DELETE', '/session');
  session = null;
}

/**
 * The stream of device events, opened again by the browser when it breaks off.
 * @param {(event: DeviceEvent) => void} device
 * @param {(live: boolean) => void} state Also called again when events were missed.
 * @returns {() => void} Ends it.
 */
export function events(device, state) {
  /** @type {EventSource | null} */
  let source = null;
  let again = 0;
  const open = () => {
    source = new EventSource('/api/v1/events');
    source.addEventListener('open', () => state(true));
    source.addEventListener('device', (event) => device(JSON.parse(event.data)));
    source.addEventListener('reset', () => state(true));
    source.addEventListener('error', () => {
      state(false);
      // Refused outright, the browser gives up for good. Perhaps the session has ended: then the question tells.
      if (source?.readyState === EventSource.CLOSED) {
        void ask('GET', '/session').catch(() => {});
        again = window.setTimeout(open, 5000);
      }
    });
  };
  open();
  return () => {
    window.clearTimeout(again);
    source?.close();
  };
}

/**
 * The stream of one device's events, opened again by the browser when it breaks off; it goes on where it was.
 * @param {string} device
 * @param {{ entry: (item: FeedItem) => void, reset: () => void, state: (live: boolean) => void }} then
 * @returns {() => void} Ends it.
 */
export function deviceEvents(device, then) {
  /** @type {EventSource | null} */
  let source = null;
  let again = 0;
  const open = () => {
    source = new EventSource(`/api/v1${path('devices', device)}/events/stream`);
    source.addEventListener('open', () => then.state(true));
    source.addEventListener('entry', (event) => then.entry(JSON.parse(event.data)));
    source.addEventListener('reset', () => then.reset());
    // The list was asked for before: what came between is in neither.
    source.addEventListener('snapshot', () => then.reset());
    source.addEventListener('error', () => {
      then.state(false);
      if (source?.readyState === EventSource.CLOSED) {
        again = window.setTimeout(open, 5000);
      }
    });
  };
  open();
  return () => {
    window.clearTimeout(again);
    source?.close();
  };
}
