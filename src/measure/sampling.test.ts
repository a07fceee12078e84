import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Clock, measureTickNs } from './clock.ts';
import { runSampleLoop, timedBy } from './sample-loop.ts';
import { sampleLatency, warmUp } from './sampling.ts';

/** A clock that only the scripted calls move: call k (from 0) takes `durationNs(k)`. Reading it takes nothing. */
function scripted(durationNs: (call: number) => number, tickNs = 1) {
  let nowNs = 0;
  let calls = 0;
  const clock: Clock = { nowNs: () => nowNs, tickNs };
  const call = async () => {
    await Promise.resolve();
    nowNs += durationNs(calls++);
  };
  return { clock, call, calls: () => calls };
}

test('a constant call is reported exactly, from as few samples as the floor allows', async () => {
  const { clock, call, calls } = scripted(() => 10e6);
  const latency = await sampleLatency(call, { clock });
  assert.deepEqual(latency, {
    medianNs: 10e6,
    p99Ns: 10e6,
    minNs: 10e6,
    madNs: 0,
    ciNs: { low: 10e6, high: 10e6, coverage: 1 - 2 * (11 / 1024) },
    samplesNs: Array.from({ length: 10 }, () => 10e6),
    callsPerSample: 1,
    stoppedBy: 'interval',
    warmup: { callsPerSample: 1, samples: 30, calls: 30, elapsedNs: 300e6, steady: true },
  });
  assert.equal(calls(), 40);
});

test('a sample lasts 5 ms and 1000 ticks, whichever is longer', async () => {
  const fine = scripted(() => 100_000);
  const short = await sampleLatency(fine.call, { clock: fine.clock });
  assert.equal(short.medianNs, 100_000);
  assert.ok(short.callsPerSample >= 50 && short.callsPerSample <= 60, String(short.callsPerSample));
  const coarse = scripted(() => 100_000, 50_000);
  const long = await sampleLatency(coarse.call, { clock: coarse.clock });
  assert.ok(long.callsPerSample >= 500 && long.callsPerSample <= 600, String(long.callsPerSample));
});

test('batches grow when calls become faster during warm-up', async () => {
  // 40 cold calls of 6 ms, then 30 µs: a pilot of the cold calls alone would take samples of 30 µs.
  const { clock, call } = scripted((k) => (k < 40 ? 6e6 + 200_000 * (k % 20) : 30_000));
  const latency = await sampleLatency(call, { clock });
  assert.equal(latency.warmup.steady, true);
  assert.equal(latency.medianNs, 30_000);
  assert.ok(latency.callsPerSample * 30_000 >= 5e6);
});

test('after a short warm-up the samples show whether they are steady, and all of them count', async () => {
  for (const [k, steady] of [
    [0, true],
    [0.004, false],
  ] as const) {
    const { clock, call } = scripted((sample) => 10e6 * Math.exp(-k * sample));
    const { samplesNs, warmup } = await sampleLatency(call, {
      clock,
      judgesSamples: true,
      warmUp: { capNs: 95e6 },
      budgetNs: 0.5e9,
      relativeHalfWidth: -1,
    });
    assert.deepEqual([warmup.samples, warmup.steady, warmup.reason === undefined], [10, steady, steady]);
    assert.ok(samplesNs.length >= 50);
  }
});

test('calls just before are part of the warm-up: of a slow one they may be all of it', async () => {
  const options = { judgesSamples: true, warmUp: { capNs: 0.3e9 }, budgetNs: 0.5e9, relativeHalfWidth: -1 };
  const slow = scripted((k) => 200e6 + k);
  const { warmup, samplesNs } = await sampleLatency(slow.call, { ...options, clock: slow.clock, callsNs: [0.21e9, 0.2e9] });
  assert.deepEqual([warmup.calls, warmup.samples, warmup.elapsedNs, warmup.callsPerSample], [2, 2, 0.41e9, 1]);
  assert.deepEqual(samplesNs, [200e6, 200e6 + 1, 200e6 + 2]);
  const short = scripted(() => 1e6);
  const batched = await sampleLatency(short.call, { ...options, clock: short.clock, callsNs: [1e6, 400e6] });
  assert.ok(batched.callsPerSample >= 5, 'a call that was held up once is no slow call');
});

test('a steady warm-up does not speak for samples that drift', async () => {
  const { clock, call } = scripted((k) => 10e6 * (1 + 0.004 * Math.max(0, k - 30)));
  const { warmup } = await sampleLatency(call, { clock, judgesSamples: true, budgetNs: 0.5e9, relativeHalfWidth: -1 });
  assert.deepEqual([warmup.samples, warmup.steady], [30, false]);
});

test('slow samples stay, in the order in which they came', async () => {
  // Thirty samples of warm-up, then every fourth sample is ten times slower.
  const { clock, call } = scripted((k) => (k >= 30 && k % 4 === 0 ? 100e6 : 10e6 + k));
  const { samplesNs, p99Ns, minNs, medianNs } = await sampleLatency(call, { clock });
  assert.deepEqual(samplesNs.slice(0, 4), [10e6 + 30, 10e6 + 31, 100e6, 10e6 + 33]);
  assert.equal(samplesNs.filter((durationNs) => durationNs === 100e6).length, Math.floor((samplesNs.length + 1) / 4));
  assert.ok(p99Ns > 90e6);
  assert.equal(minNs, 10e6 + 30);
  assert.ok(medianNs < 11e6);
});

test('sampling goes on until the interval is narrow', async () => {
  // Modes ±2 % about 10 ms in turn: the interval spans both until ranks near the middle agree; it never narrows to 1 %.
  const wide = scripted((k) => (k % 2 === 0 ? 9.8e6 : 10.2e6));
  const byBudget = await sampleLatency(wide.call, { clock: wide.clock, budgetNs: 1e9 });
  assert.equal(byBudget.stoppedBy, 'budget');
  assert.equal(byBudget.samplesNs.length, 100);
  assert.deepEqual([byBudget.ciNs.low, byBudget.ciNs.high], [9.8e6, 10.2e6]);
  // Spread evenly over ±5 %: the interval's reach is 5 %·1.96/√n, so 1 % takes about a hundred samples.
  const spread = scripted((k) => 10e6 * (0.95 + (0.1 * ((k * 61) % 100)) / 99));
  const byInterval = await sampleLatency(spread.call, { clock: spread.clock });
  assert.equal(byInterval.stoppedBy, 'interval');
  assert.ok(byInterval.samplesNs.length > 50 && byInterval.samplesNs.length < 130, String(byInterval.samplesNs.length));
  const looser = scripted((k) => 10e6 * (0.95 + (0.1 * ((k * 61) % 100)) / 99));
  const loose = await sampleLatency(looser.call, { clock: looser.clock, relativeHalfWidth: 0.03 });
  assert.ok(loose.samplesNs.length < byInterval.samplesNs.length / 2, String(loose.samplesNs.length));
});

test('a call slower than its budget is sampled once, and its interval claims nothing', async () => {
  const { clock, call } = scripted(() => 20e9);
  const latency = await sampleLatency(call, { clock });
  assert.deepEqual(latency.samplesNs, [20e9]);
  assert.equal(latency.ciNs.coverage, 0);
  assert.equal(latency.warmup.steady, null);
  assert.match(latency.warmup.reason ?? '', /^too few samples to tell .*\(2 of 30\)$/);
});

test('a ramp is measured all the same, and the record says that it was not steady', async () => {
  const { clock, call } = scripted((k) => 10e6 * (1 + 0.001 * k));
  const warmup = await warmUp(call, { clock, warmUp: { capNs: 2e9 } });
  assert.equal(warmup.steady, false);
  assert.match(warmup.reason ?? '', /^no steady state in 2 s/);
});

test('a batch is awaited call by call, and its region holds nothing but calls', async () => {
  let running = 0;
  const { clock, call } = scripted(() => 1000);
  const timeCalls = timedBy(clock, async () => {
    assert.equal(running++, 0, 'two calls at once');
    await call();
    running--;
  });
  assert.equal(await timeCalls(7), 7000);
});

test('an error of the call ends the loop and reaches the caller as it is', async () => {
  const broken = new Error('device lost');
  let samples = 0;
  const { clock } = scripted(() => 1);
  const loop = runSampleLoop({
    clock,
    sample: async () => {
      if (++samples === 3) throw broken;
      return 1;
    },
    done: () => false,
  });
  await assert.rejects(loop, (error) => error === broken);
  assert.equal(samples, 3);
});

test("the loop turns between samples, so that a call's timers are not starved", async () => {
  let turns = 0;
  const timer = setInterval(() => turns++, 0);
  const { clock } = scripted(() => 1);
  let samples = 0;
  await runSampleLoop({ clock, sample: async () => ++samples, done: () => turns >= 2 || samples > 1e6 });
  clearInterval(timer);
  assert.ok(turns >= 2);
});

test('a tick is the smallest step of the clock, and a clock that stands still has none', () => {
  let readings = 0;
  assert.equal(
    measureTickNs(() => 300 * Math.floor(readings++ / 5)),
    300,
  );
  assert.equal(
    measureTickNs(() => 0),
    Infinity,
  );
});
