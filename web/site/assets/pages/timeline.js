// What a device told: live, older by the page, gaps where events may be missing, and its properties as they are. Every text is the camera's: it is text, and short.
// @ts-check

import { Refused, ask, deviceEvents, path, query } from '../api.js';
import { fill, h } from '../dom.js';
import { span, when } from '../format.js';
import { Page, alertPlace, button, moment, tag, tell } from '../parts.js';

/** Entries of a page, and entries that are shown at most. */
const HELPING = 30;
const SHOWN = 600;
/** Topics to choose from. */
const TOPICS = 200;
/** The longest text that is shown in full, in characters. */
const LONGEST = 160;
/** How often the state of the feed is asked for, and how often at most. */
const REFRESH = 10_000;
const APART = 3_000;

/** @type {Record<FeedView['state'], [string, string, string]>} What the feed does: word, kind of tag, explanation. */
const STATES = {
  running: ['Live', 'good', ''],
  beginning: ['Beginning', '', 'The camera is asked for its events.'],
  failing: ['Trying again', 'warn', ''],
  offline: ['Camera offline', '', 'Events are asked for as soon as it is connected.'],
  unsupported: ['No events', '', 'This camera tells no events.'],
  off: ['Switched off', '', 'This cloud asks no camera for events ([feed] in its configuration).'],
};

/** @type {Record<FeedGap['reason'], string>} */
const REASONS = {
  not_kept: 'The camera keeps no events, and nobody could listen to it.',
  answer_lost: 'The connection broke off in the middle of an answer, and the camera does not keep what it told.',
  begin_of_buffer: 'What the camera keeps does not reach back so far.',
  seek_refused: 'The camera did not go back to the events that it keeps.',
  too_long: 'The camera told more at once than is read.',
  unreadable: 'The camera told something that could not be read.',
};

export class Timeline extends Page {
  device = '';
  /** @type {FeedItem[]} The newest first. */
  items = [];
  /** @type {string | null} */
  older = null;
  topic = '';
  topics = new Set();
  turn = 0;
  live = false;
  state = h('p', { class: 'state' });
  properties = h('div', { class: 'properties' });
  alert = alertPlace();
  choose = h('select', { name: 'topic', 'aria-label': 'Topic' });
  list = h('ol', { class: 'timeline', tabindex: 0, 'aria-label': 'Events, the latest first' });
  more = button('Show older events', () => void this.page());

  get at() {
    return path('devices', this.device);
  }

  open() {
    this.choose.addEventListener('change', () => {
      this.topic = this.choose.value;
      void this.restart();
    });
    fill(this, this.state, this.properties, h('div', { class: 'filter' }, h('label', null, h('span', null, 'Topic'), this.choose)), this.alert, this.list, h('div', { class: 'actions' }, this.more));
    this.more.hidden = true;
    this.offer();
    this.every(REFRESH, () => this.soon());
    this.soon();
    void this.restart();
    const end = deviceEvents(this.device, {
      entry: (item) => this.came(item),
      reset: () => void this.restart(),
      state: (live) => {
        // What came between was missed, perhaps.
        if (live && !this.live) {
          this.soon();
        }
        this.live = live;
      },
    });
    this.left.addEventListener('abort', () => {
      end();
      clearTimeout(this.timer);
      this.timer = undefined;
      cancelAnimationFrame(this.frame);
      this.frame = 0;
    });
  }

  /** Loads the newest entries anew. */
  async restart() {
    this.items = [];
    this.older = null;
    await this.page(true);
  }

  async page(first = false) {
    this.turn += 1;
    const turn = this.turn;
    this.more.disabled = true;
    try {
      const asked = query(`${this.at}/events`, { topic: this.topic, after: first ? null : this.older, limit: HELPING });
      const list = /** @type {List<FeedItem>} */ (await ask('GET', asked, undefined, { signal: this.left }));
      if (turn !== this.turn) {
        return;
      }
      const known = new Set(this.items.map((item) => item.number));
      this.items = [...this.items, ...list.items.filter((item) => !known.has(item.number))].sort((one, other) => other.number - one.number);
      this.older = this.items.length < SHOWN ? list.next : null;
      tell(this.alert, null);
      this.show();
    } catch (error) {
      if (!this.left.aborted && turn === this.turn) {
        tell(this.alert, error);
      }
    } finally {
      this.more.disabled = false;
      this.more.hidden = this.older === null;
    }
  }

  /** @param {FeedItem} item One that is new. */
  came(item) {
    if (this.items.some((known) => known.number === item.number)) {
      return;
    }
    if (item.kind !== 'gap' && this.topic && item.topic !== this.topic && !item.topic.startsWith(`${this.topic}/`)) {
      this.learn([item]);
      return;
    }
    this.items.unshift(item);
    if (this.items.length > SHOWN) {
      const last = this.items[SHOWN - 1];
      this.items.length = SHOWN;
      this.older = last ? String(last.number) : null;
    }
    // A camera may tell hundreds in a second: the list is built once for what is seen at once.
    this.frame ||= requestAnimationFrame(() => this.show());
    if (item.kind !== 'gap' && item.operation) {
      this.soon();
    }
  }

  /** Asks how the feed stands, now or as soon as the last question is long enough ago. */
  soon() {
    if (this.asking) {
      this.again = true;
      return;
    }
    const due = () => {
      this.timer = undefined;
      void this.standing();
    };
    this.timer ??= setTimeout(due, Math.max(0, this.stood + APART - performance.now()));
  }

  /** How the feed stands. */
  async standing() {
    this.asking = true;
    this.stood = performance.now();
    try {
      const feed = /** @type {FeedView} */ (await ask('GET', `${this.at}/feed`, undefined, { signal: this.left }));
      const [word, kind, about] = STATES[feed.state] ?? [feed.state, '', ''];
      const keeps = feed.keeps === null ? '' : feed.keeps ? 'The camera keeps its events: nothing is lost while it is away.' : 'The camera keeps no events: what happens while it is away may be missing.';
      fill(this.state, tag(word, kind), h('span', { class: 'hint' }, feed.reason ? brief(feed.reason) : about || keeps));
      this.learn(feed.properties.map((property) => ({ ...property.message, kind: 'state', number: 0, came: property.came })));
      this.now(feed.properties);
    } catch (error) {
      if (!this.left.aborted && !(error instanceof Refused && error.status === 404)) {
        tell(this.alert, error);
      }
    } finally {
      this.asking = false;
      if (this.again && !this.left.aborted) {
        this.again = false;
        this.soon();
      }
    }
  }

  stood = -APART;
  asking = false;
  again = false;
  frame = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  timer = undefined;

  /** @param {PropertyView[]} properties */
  now(properties) {
    if (properties.length === 0) {
      fill(this.properties);
      return;
    }
    const list = properties.map(({ came, message }) =>
      h('div', { class: 'property' }, h('dt', null, topicName(message.topic), h('span', { class: 'hint' }, about(message))), h('dd', null, values(message), h('span', { class: 'hint' }, moment(came)))),
    );
    fill(this.properties, h('h3', null, 'Now'), h('dl', { class: 'panel' }, list));
  }

  /** @param {FeedItem[]} items Their topics can be chosen. */
  learn(items) {
    const before = this.topics.size;
    for (const item of items) {
      if (item.kind !== 'gap' && this.topics.size < TOPICS) {
        this.topics.add(item.topic);
      }
    }
    if (this.topics.size !== before) {
      this.offer();
    }
  }

  offer() {
    const options = [...this.topics].sort().map((topic) => h('option', { value: topic }, brief(plain(topic))));
    fill(this.choose, h('option', { value: '' }, 'All topics'), options);
    this.choose.value = this.topic;
  }

  show() {
    cancelAnimationFrame(this.frame);
    this.frame = 0;
    this.learn(this.items);
    if (this.items.length === 0) {
      fill(this.list, h('li', { class: 'hint' }, this.topic ? 'Nothing with this topic.' : 'Nothing happened yet.'));
      return;
    }
    // What is shown already stays itself, so that a reader keeps the place.
    const shown = new Map([...this.list.children].map((child) => [child.getAttribute('data-key'), child]));
    const wanted = this.items.map((item) => shown.get(String(item.number)) ?? line(item));
    this.list.replaceChildren(...wanted);
    this.more.hidden = this.older === null;
  }
}

/** @param {FeedItem} item */
function line(item) {
  const key = { 'data-key': String(item.number) };
  if (item.kind === 'gap') {
    const about = `${when(item.from)} – ${when(item.to)} (${span(item.to - item.from)})`;
    return h('li', { class: 'gap', ...key }, h('strong', null, 'Events may be missing'), h('span', null, about), h('span', null, REASONS[item.reason] ?? item.reason));
  }
  const word = item.kind === 'state' ? tag('State') : item.operation === 'Deleted' ? tag('Ended', 'warn') : null;
  return h(
    'li',
    key,
    h('time', { datetime: new Date(item.time).toISOString(), title: `By the camera’s clock. Here ${when(item.came)}.` }, when(item.time)),
    h('div', null, h('p', { class: 'what' }, topicName(item.topic), word), h('p', { class: 'hint' }, about(item)), h('p', null, values(item), item.cut ? h('span', { class: 'hint' }, ' … shortened') : null)),
  );
}

/** Without the prefix of ONVIF’s own topics, which says nothing. @param {string} topic */
function plain(topic) {
  return topic.replace(/^tns1:/, '');
}

/** @param {string} topic The last step first. */
function topicName(topic) {
  const steps = plain(topic).split('/');
  const last = steps.pop() ?? '';
  return h('span', { class: 'topic', title: topic }, h('strong', null, brief(last)), steps.length > 0 ? h('span', { class: 'hint' }, ` ${brief(steps.join(' / '))}`) : null);
}

/** Where it happened. @param {FeedMessage} message */
function about(message) {
  return pairs({ ...message.source, ...message.key });
}

/** What is told. @param {FeedMessage} message */
function values(message) {
  const data = Object.entries(message.data).slice(0, 12).map(([name, value]) => h('span', { class: 'datum' }, h('span', { class: 'hint' }, brief(name)), ' ', h('span', { title: value.length > LONGEST ? value : null }, brief(value) || '–')));
  const elements = message.elements.slice(0, 4).map((element) => h('span', { class: 'datum' }, h('span', { class: 'hint' }, brief(element.name)), ' ', h('code', { title: element.xml.length > LONGEST ? element.xml : null }, brief(element.xml))));
  return h('span', { class: 'data' }, data, elements);
}

/** @param {Record<string, string>} items */
function pairs(items) {
  return Object.entries(items).slice(0, 8).map(([name, value]) => `${brief(name)} ${brief(value)}`).join(' · ');
}

/** @param {string} text */
function brief(text) {
  const letters = [...text];
  return letters.length > LONGEST ? `${letters.slice(0, LONGEST).join('')}…` : text;
}

customElements.define('oriel-timeline', Timeline);
