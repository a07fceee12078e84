/// <reference lib="dom" />
import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { execa } from 'execa';
import type { Browser, Page } from 'playwright-core';
import type { RunRecord } from '../src/contract/run.ts';
import type { Verdict } from '../src/contract/verdict.ts';
import { siteOf } from '../src/dashboard/site.ts';
import { dashboard } from '../src/operations/dashboard.ts';
import { quietHost } from '../src/measure/fixtures/quiet-host.ts';
import { label } from '../src/report/comparison/wording.ts';
import type { Report } from '../src/report/document.ts';
import { addRecords } from '../src/store/add.ts';
import { nightlyRuns } from '../src/store/fixtures/nightly.ts';
import { sampleComparison, sampleVerdict } from '../src/verdict/fixtures/sample-verdict.ts';
import { launchBrowser, noBrowser } from './browser.ts';
import { attnswap, emptyFolder, main, untilSaid } from './run-cli.ts';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const variants = ['dense.fused', 'dense.naive', 'window.tiled:w=128', 'topk.tiled:k=32'];
const server = { cpu: { ...quietHost.cpu, model: 'Intel Xeon 8375C', logicalCores: 8 }, availableCores: 8, gpus: [] };
const regression = { outcome: 'regression', effect: { estimate: 0.2, low: 0.1, high: 0.3, confidence: 0.965 } } as const;

/** Two machines, one of which became slower on the 8th night, and a gate that began to fail. */
function records(): Array<RunRecord | Verdict> {
  const gates = [0, 1, 2].map((night) =>
    sampleVerdict([sampleComparison(night === 2 ? regression : {}), sampleComparison({ metric: 'error' })], {
      startedAt: `2026-01-1${night}T03:00:00.000Z`,
      ...(night === 2 && { outcome: 'regression', summary: '1 of 2 comparisons regressed.' }),
    }),
  );
  return [
    ...nightlyRuns({ nights: 12, variants, lengths: [512, 1024, 2048], stepAt: 7, factor: 1.4 }),
    ...nightlyRuns({ nights: 2, variants, lengths: [512, 1024, 2048], seed: 2, speed: 0.4, host: server }),
    ...gates,
  ];
}

async function storeOf(all: readonly unknown[]): Promise<string> {
  const folder = emptyFolder();
  const files = all.map((record, index) => {
    const file = join(folder, `${index}.json`);
    writeFileSync(file, JSON.stringify(record));
    return file;
  });
  await addRecords(folder, files);
  return folder;
}

const sectionOf = (report: Report, id: string) => report.sections.find((section) => section.id === id)!;
const rowsOf = (report: Report, id: string) =>
  sectionOf(report, id).parts.flatMap((part) => (part.kind === 'table' ? part.rows.map((row) => row.map(({ text }) => text)) : []));

test('the first page has the machines, the change with the two runs about it, and what the gates say', async () => {
  const pages = await siteOf(await storeOf(records()));
  const first = pages.get('index.html')!;
  assert.match(first.verdict, /^12 changes in latency, on 1 of 2 machines$/);
  assert.deepEqual(
    first.tiles.map(({ figures }) => figures),
    ['14 runs', '2026-01-08', '1 of 1 failing'],
  );
  assert.deepEqual(
    rowsOf(first, 'machines').map(([name, , runs, changes]) => [name!.split(' (')[0], runs, changes]),
    [
      [label('AMD Ryzen 9 7950X · 32 cores · NVIDIA GeForce RTX 4090 · Raphael', 50), '12', '12'],
      ['Intel Xeon 8375C · 8 cores', '2', '0'],
    ],
  );
  for (const [, from, to, , last, next] of rowsOf(first, 'changes')) {
    assert.match(`${from} ${to}`, /s .*s$/);
    assert.match(last!, /^2026-01-07T02:00 store:/);
    assert.match(next!, /^2026-01-08T02:00 store:/);
  }
});

test('machines are compared by the ratio to their own reference kernel, over runs where there are enough, in the order of names', async () => {
  const pages = await siteOf(await storeOf(records()));
  const rows = rowsOf(pages.get('ratios.html')!, 'ratios');
  const longest = rows.filter(([, tokens]) => tokens === '2048');
  assert.deepEqual(
    longest.map(([kernel, , , , , runs, machine]) => [kernel, machine!.slice(0, 5), runs]),
    ['dense.naive', 'topk.tiled', 'window.tiled:w=128'].flatMap((kernel) => [
      [kernel, 'AMD R', '10'],
      [kernel, 'Intel', '1'],
    ]),
  );
  // Both machines run the same made-up kernels at another speed: their ratios agree, and the step cancels out.
  for (let row = 0; row < longest.length; row += 2) {
    const [one, other] = [longest[row]!, longest[row + 1]!].map(([, , ratio]) => Number.parseFloat(ratio!));
    assert.ok(Math.abs(one! / other! - 1) < 0.1, `${one} and ${other}`);
  }
  assert.match(sectionOf(pages.get('ratios.html')!, 'ratios').lead!, /Only this ratio is compared across machines.*never a ranking/);
});

test('gates have their history: outcomes, and what did not pass', async () => {
  const gates = (await siteOf(await storeOf(records()))).get('gates.html')!;
  assert.equal(gates.standing, 'bad');
  assert.deepEqual(
    rowsOf(gates, 'verdicts').map(([, started, outcome]) => [started, outcome]),
    [
      ['2026-01-12T03:00', 'regression'],
      ['2026-01-11T03:00', 'pass'],
      ['2026-01-10T03:00', 'pass'],
    ],
  );
  assert.equal(rowsOf(gates, 'comparisons').length, 1);
});

test('--watch writes the pages again when something is added, and ends by a signal', async () => {
  const cwd = emptyFolder();
  const [first, second] = nightlyRuns({ nights: 2, lengths: [64] });
  writeFileSync(join(cwd, '0.json'), JSON.stringify(first));
  writeFileSync(join(cwd, '1.json'), JSON.stringify(second));
  await attnswap(['store', 'add', '0.json'], { cwd });
  const child = execa(process.execPath, [main, 'dashboard', '--watch', '--out', 'site'], { cwd, reject: false });
  await untilSaid(child, 'pages written');
  const written = () => readFileSync(join(cwd, 'site/index.html'), 'utf8');
  assert.match(written(), />1 run</);
  await attnswap(['store', 'add', '1.json'], { cwd });
  while (!written().includes('>2 runs<')) await setTimeout(50);
  child.kill('SIGINT');
  assert.equal((await child).exitCode, 130);
});

describe('the site in a browser', { skip: noBrowser }, () => {
  let browser: Browser;
  let site: string;
  before(async () => {
    site = join(emptyFolder(), 'site');
    mkdirSync(site);
    await dashboard({ store: await storeOf(records()), out: site });
    browser = await launchBrowser();
  });
  after(() => browser?.close());

  /** Opens a page of a site from the disk; `complaints` is what it said, threw, or asked for beside pages of the site. */
  async function open(
    file: string,
    options: { colorScheme?: 'light' | 'dark'; width?: number } = {},
  ): Promise<{ page: Page; complaints: string[] }> {
    const page = await browser.newPage({
      viewport: { width: options.width ?? 1280, height: 900 },
      colorScheme: options.colorScheme ?? 'light',
    });
    const complaints: string[] = [];
    page.on('console', (message) => complaints.push(`console: ${message.text()}`));
    page.on('pageerror', (error) => complaints.push(`error: ${error.message}`));
    page.on('request', (request) => {
      if (!request.isNavigationRequest()) complaints.push(`request: ${request.url().slice(0, 100)}`);
    });
    await page.goto(pathToFileURL(file).href);
    return { page, complaints };
  }

  test('every page opens from the disk, draws its charts, asks for nothing, and axe finds nothing to mend', async () => {
    const files = readdirSync(site);
    assert.equal(files.length, 6);
    for (const file of files) {
      for (const colorScheme of file === 'index.html' ? (['light', 'dark'] as const) : (['light'] as const)) {
        const { page, complaints } = await open(join(site, file), { colorScheme });
        const marks = await page
          .locator('figure .plot svg')
          .evaluateAll((all) => all.map((svg) => svg.querySelectorAll('path, line, text').length));
        for (const count of marks) assert.ok(count > 8, `${file}: ${count} marks`);
        assert.deepEqual(complaints, [], file);
        await page.evaluate(axe);
        const found = await page.evaluate(async () => {
          // @ts-expect-error: axe is a global of the page
          const { violations } = (await globalThis.axe.run()) as { violations: Array<{ id: string; nodes: Array<{ html: string }> }> };
          return violations.map(({ id, nodes }) => `${id}: ${nodes[0]?.html.slice(0, 200)}`);
        });
        assert.deepEqual(found, [], `${file}, ${colorScheme}`);
        await page.close();
      }
    }
  });

  test('a reader gets from the first page to a machine, to its history, and to every other page', async () => {
    const { page, complaints } = await open(join(site, 'index.html'));
    const links = await page.locator('.pages a').allInnerTexts();
    assert.deepEqual(links, ['Overview', 'Across machines', 'Gates and comparisons', 'Search']);
    assert.equal(await page.locator('.pages [aria-current=page]').innerText(), 'Overview');
    // A change is read with both runs and the machine, without scrolling to the right.
    assert.ok(await page.locator('#changes .scroll').evaluate((table) => table.scrollWidth <= table.clientWidth));
    await page.locator('#machines a').first().click();
    await page.locator('h1', { hasText: 'Machine: AMD Ryzen' }).waitFor();
    assert.equal(await page.locator('#history figure').count(), 12);
    for (const link of links) {
      await page.locator('.pages a', { hasText: link }).click();
      await page.locator('h1', { hasText: link }).waitFor();
    }
    assert.deepEqual(complaints, []);
    await page.close();
  });

  test('the search finds a cell on a machine by parts of its names', async () => {
    const { page } = await open(join(site, 'cells.html'));
    await page.locator('#cells input').fill('window 2048 xeon');
    assert.equal(await page.locator('#cells tbody tr:visible').count(), 1);
    await page.locator('#cells tbody tr:visible a').click();
    await page.locator('h1', { hasText: 'Machine: Intel Xeon' }).waitFor();
    await page.close();
  });

  test('no page is wider than a telephone', async () => {
    for (const file of readdirSync(site)) {
      const { page } = await open(join(site, file), { width: 390 });
      assert.ok((await page.evaluate(() => document.documentElement.scrollWidth)) <= 390, file);
      await page.close();
    }
  });

  test('hostile names in records are text on every page, and files are named by no record', async () => {
    const hostile = `<img src=x onerror=pwned=1>"'><script>pwned=1</script>../../x\u202e`;
    const spoilt = records().map((record, index) => {
      const host = { ...(record.host as object), cpu: { model: hostile }, fingerprint: { sha256: hostile } };
      if (!('suite' in record)) return { ...record, host, name: hostile, base: hostile, summary: hostile };
      const cells = record.cells.map((cell) => ({ ...cell, id: cell.id + hostile, backend: hostile }));
      return {
        ...record,
        host,
        cells,
        startedAt: `2026-02-01T00:00:${String(index).padStart(2, '0')}.000Z`,
        suite: { ...record.suite, name: hostile },
      };
    });
    const folder = join(emptyFolder(), 'site');
    await dashboard({ store: await storeOf(spoilt), out: folder });
    for (const file of readdirSync(folder)) {
      assert.match(file, /^[a-z]+(-[0-9a-f]{12})?\.html$/);
      const { page, complaints } = await open(join(folder, file));
      assert.deepEqual(complaints, []);
      assert.equal(await page.evaluate(() => 'pwned' in globalThis || document.querySelector('img') !== null), false);
      assert.ok(!(await page.locator('body').innerText()).includes('\u202e'));
      await page.close();
    }
  });
});
