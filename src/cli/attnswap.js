#!/usr/bin/env node
// Where the command begins. JavaScript without imports, so that a Node that is too old reads it and says so. Whatever is uncaught ends with 5: a
// script takes 1 for a regression.
const least = '22.18'; // As in package.json's engines.
const failed = 5;

process.exitCode = failed; // Until the command has said how it went.
process.on('uncaughtException', (error) => fail(error && error.stack ? error.stack : String(error)));

// A reader that has seen enough, such as head, is no error; a result that could not be written is one. Without standard error nothing can be said.
process.stderr.on('error', () => undefined);
process.stdout.on('error', (error) => {
  if (error.code === 'EPIPE') return;
  process.stderr.write(`attnswap: standard output could not be written: ${error.message} [FILE_UNWRITABLE]\n`);
  process.on('exit', () => (process.exitCode = failed));
});

if (isTooOld(process.versions.node)) {
  fail(
    `Node ${least} or newer is needed, and this is Node ${process.versions.node} [UNSUPPORTED]\n  hint: install a newer one from https://nodejs.org`,
  );
} else void start();

async function start() {
  const { keepCompiled } = await import('../processes/compiled.ts');
  keepCompiled();
  await import('./main.ts');
}

function isTooOld(version) {
  const [major, minor] = version.split('.').map(Number);
  const [leastMajor, leastMinor] = least.split('.').map(Number);
  return major < leastMajor || (major === leastMajor && minor < leastMinor);
}

function fail(words) {
  process.stderr.write(`attnswap: ${words}\n`);
  process.exit(failed);
}
