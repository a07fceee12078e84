import { existsSync } from 'node:fs';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { chromium } from 'playwright-core';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';

const candidates = [process.env['ATTNSWAP_CHROMIUM'], '/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];

/** A browser on this machine; undefined where there is none. */
export const chromiumPath = candidates.find((path) => path !== undefined && existsSync(path));

/** Why tests that need a browser are skipped; false where they are not. */
export const noBrowser = chromiumPath === undefined ? 'no Chromium here; install it, or name one in ATTNSWAP_CHROMIUM' : false;

export function launchBrowser(): Promise<Browser> {
  const quiet = ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-component-update', '--disable-sync'];
  return chromium.launch({ executablePath: chromiumPath!, args: quiet });
}

export interface OpenPage {
  readonly page: Page;
  /** What the page said on its console, what it threw, and what it asked for beside itself. */
  readonly complaints: string[];
}

/** Opens a page as a reader does: from a file. */
export async function openHtml(browser: Browser, html: string, options: BrowserContextOptions = {}): Promise<OpenPage> {
  const path = join(mkdtempSync(join(tmpdir(), 'attnswap-page-')), 'report.html');
  writeFileSync(path, html);
  const page = await browser.newPage({ viewport: { width: 1280, height: 900 }, ...options });
  const complaints: string[] = [];
  const url = pathToFileURL(path).href;
  page.on('console', (message) => complaints.push(`console: ${message.text()}`));
  page.on('pageerror', (error) => complaints.push(`error: ${error.message}`));
  page.on('request', (request) => {
    if (request.url() !== url) complaints.push(`request: ${request.url().slice(0, 100)}`);
  });
  await page.goto(url);
  return { page, complaints };
}
