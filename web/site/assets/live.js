// One stream of device events for all pages.
// @ts-check

import { events } from './api.js';

const target = new EventTarget();
/** @type {(() => void) | null} */
let end = null;
let live = false;

export function start() {
  end ??= events(
    (event) => target.dispatchEvent(new CustomEvent('device', { detail: event })),
    (state) => {
      live = state;
      target.dispatchEvent(new Event('state'));
    },
  );
}

export function stop() {
  end?.();
  end = null;
  live = false;
}

export function isLive() {
  return live;
}

/**
 * @param {(event: DeviceEvent) => void} then
 * @param {AbortSignal} signal
 */
export function onDevice(then, signal) {
  target.addEventListener('device', (event) => then(/** @type {CustomEvent<DeviceEvent>} */ (event).detail), { signal });
}

/**
 * The stream broke off or is back; what happened in between was missed.
 * @param {() => void} then
 * @param {AbortSignal} signal
 */
export function onState(then, signal) {
  target.addEventListener('state', then, { signal });
}
