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

test('a call too slow for thirty samples says how many it got, and finds nothing', () => {
  const reason = 'too few samples to tell whether the latency is steady (5 of 30)';
  assert.deepEqual(warmUpState([7e9, 7e9, 7e9, 7e9, 7e9], 35e9), { state: 'unknown', reason });
});

/** The share of streams of so many samples, each with noise of 2 %, that are found in a state. */
function shareFound(state: string, samples: number, { streams = 300, truth = (() => 1000) as Stream, noise = gaussian } = {}): number {
  const found = Array.from({ length: streams }, (_, seed) => {
    const draw = noise(seed + 1);
    return steadiness(
      [],
      Array.from({ length: samples }, (_sample, i) => truth(i) * (1 + 0.02 * draw())),
    ).state;
  });
  return found.filter((each) => each === state).length / streams;
}

test('steady noise is called unsteady in at most about one case of 20, however few the samples and whatever its shape', () => {
  const skewed = (seed: number) => {
    const draw = gaussian(seed);
    return () => Math.exp(draw());
  };
  for (const samples of [9, 12, 15, 30, 90]) {
    for (const noise of [gaussian, skewed]) {
      const share = shareFound('unsteady', samples, { noise });
      assert.ok(share < 0.08, `${samples} samples: ${share}`);
    }
  }
});

test('noise that is correlated from sample to sample passes in 3 or 4 cases of 5', () => {
  const correlated = (seed: number) => {
    const draw = gaussian(seed);
    let last = draw();
    return () => (last = 0.5 * last + Math.sqrt(0.75) * draw());
  };
  for (const samples of [15, 90]) {
    const share = shareFound('steady', samples, { noise: correlated });
    assert.ok(share > 0.55 && share < 0.85, `${samples} samples: ${share}`);
  }
});

test('thousands of samples are judged by medians of consecutive ones', () => {
  const draw = gaussian(5);
  const noise = Array.from({ length: 20_000 }, () => 1000 * (1 + 0.02 * draw()));
  assert.deepEqual(steadiness([], noise), { state: 'steady' });
  assert.equal(
    steadiness(
      [],
      noise.map((value, i) => value * (1 + (0.02 * i) / noise.length)),
    ).state,
    'unsteady',
  );
});

test('samples that drift are found unsteady', () => {
  for (const samples of [15, 30, 90]) {
    const falling = shareFound('unsteady', samples, { truth: (i) => 1000 * (1 - (0.08 * i) / samples), streams: 150 });
    assert.ok(falling > 0.8, `${samples} samples, falling by 8 %: ${falling}`);
    const slower = shareFound('unsteady', samples, { truth: (i) => (i < samples / 3 ? 1100 : 1000), streams: 150 });
    assert.ok(slower > 0.8, `${samples} samples, the first third slower: ${slower}`);
  }
});

test('a warm-up of windows of three takes steady noise for steady nearly as often as one of windows of ten', () => {
  for (const window of [3, 10]) {
    const found = Array.from({ length: 300 }, (_, seed) => {
      const noise = gaussian(seed + 1);
      return warmUpState(
        Array.from({ length: 3 * window }, () => 1000 * (1 + 0.02 * noise())),
        0,
        { window },
      ).state;
    });
    const share = found.filter((state) => state === 'steady').length / found.length;
    assert.ok(share > 0.65 && share < 0.9, `windows of ${window}: ${share}`);
  }
});

test('few samples are judged with the last of the warm-up, and too few not at all', () => {
  const six = Array<number>(6).fill(1000);
  assert.deepEqual(steadiness([2000, ...Array<number>(9).fill(1000)], six), { state: 'steady' });
  assert.equal(steadiness(Array<number>(9).fill(2000), six).state, 'unsteady');
  const reason = 'too few samples to tell whether the latency is steady (3 of 15)';
  assert.deepEqual(steadiness([1000], [1000, 1000]), { state: 'unknown', reason });
});
