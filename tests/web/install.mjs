// Installs what the tests of the pages need, versions pinned, once: Debian's Chromium by apt, npm packages into target/web.

import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const HERE = dirname(fileURLToPath(import.meta.url));
export const ROOT = dirname(dirname(HERE));
export const CACHE = join(process.env.CARGO_TARGET_DIR ?? join(ROOT, 'target'), 'web');
export const CHROMIUM = '/usr/bin/chromium';

function run(command, argv, options = {}) {
  try {
    execFileSync(command, argv, { stdio: 'pipe', ...options });
  } catch (error) {
    throw new Error(`${command} ${argv.join(' ')} failed:\n${String(error.stdout ?? '').slice(-2000)}${String(error.stderr ?? error.message).slice(-2000)}`);
  }
}

export function install() {
  mkdirSync(CACHE, { recursive: true });
  if (!existsSync(CHROMIUM)) {
    console.log('installing by apt: chromium');
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
    run('apt-get', ['update'], { env });
    run('apt-get', ['install', '-y', '--no-install-recommends', 'chromium'], { env });
  }
  const wanted = readFileSync(join(HERE, 'package.json'), 'utf8');
  const stamp = join(CACHE, '.stamp');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) {
    return;
  }
  rmSync(join(CACHE, 'node_modules'), { recursive: true, force: true });
  cpSync(join(HERE, 'package.json'), join(CACHE, 'package.json'));
  run('npm', ['install', '--no-audit', '--no-fund', '--ignore-scripts', '--no-package-lock'], { cwd: CACHE });
  writeFileSync(stamp, wanted);
}
