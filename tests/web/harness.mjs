// What the scenarios stand on: programs that speak JSON lines, a browser that notes whatever goes wrong in a page, and an orderly end.

import { spawn } from 'node:child_process';
import { createWriteStream, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

import { CACHE, CHROMIUM } from './install.mjs';

export const FOLDER = join(CACHE, 'run');
const PATIENCE = 15_000;

export function check(holds, text) {
  if (!holds) {
    throw new Error(text);
  }
}

export function same(found, wanted, what) {
  check(found === wanted, `${what}: ${JSON.stringify(found)} and not ${JSON.stringify(wanted)}`);
}

/** Within `ms`, or an error that says what for. */
export async function within(ms, what, promise) {
  let timer;
  const late = new Promise((_, refuse) => {
    timer = setTimeout(() => refuse(new Error(`not within ${ms / 1000} s: ${what}`)), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** A child process whose first line on standard output is JSON. */
export class Program {
  constructor(name, command, argv, env = {}) {
    this.name = name;
    this.log = join(FOLDER, `${name}.log`);
    const log = createWriteStream(this.log, { flags: 'a' });
    this.child = spawn(command, argv, { env: { ...process.env, NO_COLOR: '1', ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
    this.child.stderr.pipe(log);
    this.ended = new Promise((done) => this.child.once('exit', done));
    this.first = new Promise((done, refuse) => {
      const lines = createInterface(this.child.stdout);
      lines.once('line', (line) => {
        try {
          done(JSON.parse(line));
        } catch {
          refuse(new Error(`${name} said ${line}`));
        }
      });
      this.child.once('exit', (code) => refuse(new Error(`${name} ended with ${code}: ${this.tail()}`)));
      this.child.once('error', refuse);
    });
    this.first.catch(() => {});
  }

  up() {
    return within(30_000, `${this.name} is up`, this.first);
  }

  tail() {
    try {
      return readFileSync(this.log, 'utf8').split('\n').slice(-12).join('\n');
    } catch {
      return '';
    }
  }

  /** Asks, then insists. */
  async end() {
    if (this.child.exitCode !== null || this.child.signalCode !== null) {
      return;
    }
    this.child.kill('SIGTERM');
    try {
      await within(8000, `${this.name} ends`, this.ended);
    } catch {
      this.child.kill('SIGKILL');
      await this.ended;
    }
  }
}

/** Runs a command to its end. */
export async function command(argv, env = {}) {
  const child = spawn(argv[0], argv.slice(1), { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  child.stdout.on('data', (data) => (said += data));
  child.stderr.on('data', (data) => (said += data));
  const code = await within(60_000, argv.join(' '), new Promise((done, refuse) => {
    child.once('error', refuse);
    child.once('exit', done);
  }));
  check(code === 0, `${argv.join(' ')} ended with ${code}: ${said.trim()}`);
  return said;
}

/** An HTTPS request to the cloud, as a program makes it. */
export function send(url, { method = 'GET', headers = {}, body = '', ca }) {
  return within(PATIENCE, `${method} ${url}`, new Promise((done, refuse) => {
    const asked = request(url, { method, headers: { ...headers, 'Content-Length': Buffer.byteLength(body) }, ca: readFileSync(ca) }, (answer) => {
      let text = '';
      answer.setEncoding('utf8');
      answer.on('data', (data) => (text += data));
      answer.on('end', () => done({ status: answer.statusCode, headers: answer.headers, text }));
    });
    asked.once('error', refuse);
    asked.end(body);
  }));
}

export function toml(name, text) {
  const path = join(FOLDER, name);
  writeFileSync(path, text);
  return path;
}

export function begin() {
  rmSync(FOLDER, { recursive: true, force: true });
  mkdirSync(FOLDER, { recursive: true });
}

/** Chromium, and what goes wrong in its pages. */
export class Browser {
  static async start(origin) {
    const browser = new Browser();
    browser.origin = origin;
    /** What a page must never do; empty at the end. */
    browser.faults = [];
    const { chromium } = createRequire(join(CACHE, 'package.json'))('playwright-core');
    browser.chromium = await chromium.launch({
      executablePath: CHROMIUM,
      args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
    });
    return browser;
  }

  /** A person: a browser of its own, logged in nowhere. */
  async person(name, options = {}) {
    const context = await this.chromium.newContext({ ignoreHTTPSErrors: true, viewport: { width: 1280, height: 800 }, ...options });
    context.setDefaultTimeout(PATIENCE);
    await context.grantPermissions(['clipboard-write'], { origin: this.origin });
    await context.addInitScript(() => {
      addEventListener('securitypolicyviolation', (event) => console.error(`CSP ${event.violatedDirective} ${event.blockedURI}`));
    });
    const page = await context.newPage();
    page.on('pageerror', (error) => this.faults.push(`${name}: ${error.message}`));
    page.on('dialog', (dialog) => {
      this.faults.push(`${name}: a script of somebody else asks: ${dialog.message()}`);
      void dialog.dismiss();
    });
    page.on('console', (message) => {
      // A refusal by the API is an answer; the browser calls it an error all the same.
      const refused = message.text().startsWith('Failed to load resource: the server responded') && message.location().url.startsWith(`${this.origin}/api/`);
      if (['error', 'warning'].includes(message.type()) && !refused) {
        this.faults.push(`${name}: ${message.text()} (${message.location().url})`);
      }
    });
    page.on('request', (asked) => {
      if (!asked.url().startsWith(`${this.origin}/`) && !asked.url().startsWith('data:')) {
        this.faults.push(`${name}: asked ${asked.url()}`);
      }
    });
    this.last = page;
    return page;
  }

  /** axe-core's findings in the page as it is now. */
  async axe(page) {
    this.source ??= readFileSync(join(CACHE, 'node_modules/axe-core/axe.min.js'), 'utf8');
    if (!(await page.evaluate(() => 'axe' in globalThis))) {
      await page.evaluate(this.source);
    }
    // Between two colours there is less contrast than in either.
    await page.evaluate(() => {
      const ends = document.getAnimations().filter((one) => one.effect?.getTiming().iterations !== Infinity);
      return Promise.all(ends.map((one) => one.finished.catch(() => {})));
    });
    const found = await page.evaluate(() => globalThis.axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] }));
    return found.violations.map((one) => `${one.id}: ${one.help} (${one.nodes.map((node) => node.target.join(' ')).slice(0, 3).join(', ')})`);
  }
}
