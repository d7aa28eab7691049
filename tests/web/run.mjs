// The dashboard's check: types by tsc, then the pages in Chromium against a cloud and a camera. `node tests/web/run.mjs [--oriel PATH] [--types]`

import { existsSync } from 'node:fs';
import { join } from 'node:path';

import { CACHE, ROOT, install } from './install.mjs';

/** All of it. Each step has shorter deadlines of its own; those after one that failed may fail for that. */
const LONGEST = 240_000;

function oriel() {
  const at = process.argv.indexOf('--oriel');
  const candidates = at > 0 ? [process.argv[at + 1]] : ['release', 'debug'].map((kind) => join(CACHE, '..', kind, 'oriel'));
  const found = candidates.find((path) => path && existsSync(path));
  if (!found) {
    throw new Error('no oriel program found: run `cargo build`, or name one with --oriel');
  }
  return found;
}

install();
const { Browser, begin, command, within } = await import('./harness.mjs');
await command([join(CACHE, 'node_modules/.bin/tsc'), '--project', join(ROOT, 'web')]);
console.log('ok types');
if (!process.argv.includes('--types')) {
  const { STEPS, World } = await import('./story.mjs');
  begin();
  const world = new World(oriel());
  let failed = false;
  const run = async () => {
    await world.startCloud();
    world.browser = await Browser.start(world.url);
    for (const [name, work] of STEPS) {
      const begun = Date.now();
      const took = () => `${((Date.now() - begun) / 1000).toFixed(1)}s`;
      try {
        await work(world);
        console.log(`ok ${name} ${took()}`);
      } catch (error) {
        failed = true;
        console.log(`FAIL ${name} ${took()}: ${error.message}`);
        const picture = join(CACHE, 'run', `failure-${STEPS.findIndex(([one]) => one === name)}.png`);
        await world.browser.last?.screenshot({ path: picture }).then(() => console.log(`the page: ${picture}`), () => {});
      }
    }
  };
  try {
    await within(LONGEST, 'the whole story', run());
  } catch (error) {
    failed = true;
    console.log(`FAIL ${error.message}`);
  }
  for (const fault of new Set(world.browser?.faults)) {
    failed = true;
    console.log(`FAIL in a page: ${fault}`);
  }
  await world.browser?.chromium.close();
  await world.end();
  for (const program of failed ? world.programs : []) {
    console.log(`--- ${program.name}\n${program.tail()}`);
  }
  process.exitCode = failed ? 1 : 0;
}
