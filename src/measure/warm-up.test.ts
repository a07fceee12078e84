import assert from 'node:assert/strict';
import { test } from 'node:test';
import { uniformFloat64 } from 'pure-rand/distribution/uniformFloat64';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';
import { steadiness, type WarmUpState, warmUpState } from './warm-up.ts';

type Stream = (sample: number) => number;

/** Feeds a stream until the warm-up ends; each sample lasts 5 ms of a scripted clock. */
function feed(stream: Stream, options: { capNs?: number } = {}): { samples: number; end: WarmUpState } {
  const durations: number[] = [];
  for (;;) {
    durations.push(stream(durations.length));
    const end = warmUpState(durations, durations.length * 5e6, options);
    if (end.state !== 'warming') return { samples: durations.length, end };
  }
}

function gaussian(seed: number): () => number {
  const generator = xoroshiro128plus(seed);
  return () => Math.sqrt(-2 * Math.log(1 - uniformFloat64(generator))) * Math.cos(2 * Math.PI * uniformFloat64(generator));
}

test('a constant stream is steady as soon as three windows are full', () => {
  assert.deepEqual(
    feed(() => 1000),
    { samples: 30, end: { state: 'steady' } },
  );
});

test('a decaying curve is steady only once what is left of the decay is within the tolerance', () => {
  const { samples, end } = feed((i) => 1000 * (1 + 2 * Math.exp(-i / 15)));
  assert.equal(end.state, 'steady');
  // The three windows reach 30 samples back: there the excess 2·exp(−i/15) must have come down to about 0.5 %.
  const excess = 2 * Math.exp(-(samples - 30) / 15);
  assert.ok(excess < 0.012 && excess > 0.004, `${samples} samples, excess ${excess}`);
});

test('a tier that arrives late starts the count again', () => {
  const { samples, end } = feed((i) => (i < 25 ? 1000 : 700));
  assert.equal(end.state, 'steady');
  assert.ok(samples === 50 || samples === 60, String(samples));
});

test('a ramp never becomes steady, however gentle, and ends at the cap with the reason', () => {
  for (const perSample of [0.01, 0.001, 0.0003, -0.0003]) {
    const { samples, end } = feed((i) => 1000 * Math.exp(perSample * i), { capNs: 1e9 });
    assert.deepEqual(end, { state: 'unsteady', reason: 'no steady state in 1 s (200 samples)' }, `slope ${perSample}`);
    assert.equal(samples, 200);
  }
});

test('a slope that the windows alone would let through is seen', () => {
  // Medians 0.4 % apart from first to last, 0.6 % over the thirty samples.
  const gentle = Array.from({ length: 30 }, (_, i) => 1000 * (1 + 0.0002 * i));
  assert.equal(warmUpState(gentle, 0).state, 'warming');
  const gentler = gentle.map((duration) => 1000 + (duration - 1000) / 2);
  assert.equal(warmUpState(gentler, 0).state, 'steady');
});

test('two modes that alternate are steady; two modes in phases of ten or fifteen are not', () => {
  assert.equal(feed((i) => (i % 2 === 0 ? 1000 : 1200)).end.state, 'steady');
  for (const phase of [10, 15]) {
    const { end } = feed((i) => (Math.floor(i / phase) % 2 === 0 ? 1000 : 1200), { capNs: 2e9 });
    assert.equal(end.state, 'unsteady', `phases of ${phase}`);
  }
});

test('noise of 1, 3 and 8 % around a constant becomes steady', () => {
  for (const deviation of [0.01, 0.03, 0.08]) {
    for (let seed = 1; seed <= 20; seed++) {
      const normal = gaussian(seed);
      const { samples, end } = feed(() => 1000 * (1 + deviation * normal()));
      assert.equal(end.state, 'steady');
      assert.ok(samples < 400, `deviation ${deviation}, seed ${seed}: ${samples} samples`);
    }
  }
});

test('a decay under noise of 1 % is not taken for steady while it is still large', () => {
  for (let seed = 1; seed <= 20; seed++) {
    const normal = gaussian(seed);
    const { samples } = feed((i) => 1000 * (1 + 0.5 * Math.exp(-i / 40)) * (1 + 0.01 * normal()));
    const excess = 0.5 * Math.exp(-samples / 40);
    assert.ok(excess < 0.04, `seed ${seed}: ${samples} samples, still ${excess} above`);
  }
});

test('a call too slow for thirty samples says how many it got', () => {
  assert.deepEqual(warmUpState([7e9, 7e9, 7e9, 7e9, 7e9], 35e9), {
    state: 'unsteady',
    reason: 'no steady state in 30 s: 5 of the 30 samples needed to tell',
  });
});

/** The share of 150 streams of so many samples, each with noise of 2 %, that are found steady. */
function shareSteady(samples: number, truth: Stream): number {
  const found = Array.from({ length: 150 }, (_, seed) => {
    const noise = gaussian(seed + 1);
    return steadiness(
      [],
      Array.from({ length: samples }, (_sample, i) => truth(i) * (1 + 0.02 * noise())),
    ).steady;
  });
  return found.filter(Boolean).length / found.length;
}

test('samples with steady noise are found steady in about 19 cases of 20, those that drift are not', () => {
  for (const samples of [30, 90]) {
    const share = shareSteady(samples, () => 1000);
    assert.ok(share > 0.85, `${samples} samples: ${share}`);
    assert.ok(shareSteady(samples, (i) => 1000 * (1 - (0.08 * i) / samples)) < 0.2, `${samples} samples, falling by 8 %`);
    assert.ok(shareSteady(samples, (i) => (i < samples / 4 ? 1100 : 1000)) < 0.2, `${samples} samples, the first quarter slower`);
  }
});

test('few samples are judged with the last of the warm-up, and too few not at all', () => {
  assert.deepEqual(steadiness([2000, 1000, 1000, 1000], Array(6).fill(1000)), { steady: true });
  assert.equal(steadiness([2000, 2000, 2000], Array(6).fill(1000)).steady, false);
  assert.deepEqual(steadiness([1000], [1000, 1000]), { steady: false, reason: '3 of the 9 samples needed to tell a steady state' });
});
