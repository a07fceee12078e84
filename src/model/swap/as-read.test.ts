import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as decoder from '../../../tests/models/gqa-decoder.ts';
import { inMemory, runner as onnxRunner } from '../../../tests/subjects.ts';
import type { Adapter } from '../../contract/adapter.ts';
import type { Tensor, Tensors } from '../../contract/tensor.ts';
import { findSites } from '../sites/find-sites.ts';
import { requireAsRead } from './as-read.ts';

const { adapter: onnx } = onnxRunner;
const file = inMemory('decoder.onnx', decoder.build());

/** A backend that onnx-cpu reads for, and that changes what it computes itself. @param change undefined where it does not run */
function changing(change: (tensor: Tensor, past: number) => Tensor | undefined): Adapter {
  return {
    ...onnx,
    readsOn: 'onnx-cpu',
    async openModel(request) {
      const opened = await onnx.openModel!({ ...request, backend: 'onnx-cpu' });
      if ('unsupported' in opened || request.purpose === 'reading') return opened;
      return {
        ...opened,
        bind(feeds) {
          const bound = opened.bind(feeds);
          const past = feeds['past_key_values.0.key']!.dims[2]!;
          let outputs: Tensors = {};
          return {
            async run() {
              await bound.run();
              outputs = Object.fromEntries(
                Object.entries(bound.outputs()).map(([name, tensor]) => {
                  const changed = change(tensor, past);
                  if (changed === undefined) throw new Error('not at this size');
                  return [name, changed];
                }),
              );
            },
            outputs: () => outputs,
          };
        },
      };
    },
  };
}

const scaled = (tensor: Tensor, factor: number): Tensor =>
  tensor.data instanceof Float32Array ? { ...tensor, data: tensor.data.map((value) => factor * value) } : tensor;

async function judged(adapter: Adapter, { backend = 'other-cpu', isNew = false } = {}): Promise<void> {
  const sites = await findSites(file, onnxRunner);
  await requireAsRead({ proto: file.proto, isNew, sites, file, runner: { adapter, backend } });
}

test('a backend that computes what the one that reads for it does passes, but for rounding', async () => {
  await judged(changing((tensor) => scaled(tensor, 1.0001)));
});

test('a decoder that is right behind a past and wrong with an empty one is refused, with the sizes and the attention', async () => {
  await assert.rejects(judged(changing((tensor, past) => scaled(tensor, past === 0 ? 1.5 : 1))), {
    code: 'UNSUPPORTED',
    message:
      /^decoder\.onnx: other-cpu does not compute what the model says at batch 1 and length 7, with an empty past: output logits differs by 0\.50 of its size, compared with onnx-cpu; the first attention that differs is site 0 \(GroupQueryAttention /,
    hint: /--backend onnx-cpu/,
  });
});

test('new attention that the backend computes wrongly is told as such', async () => {
  await assert.rejects(
    judged(
      changing((tensor) => scaled(tensor, 1.5)),
      { isNew: true },
    ),
    {
      message: /^decoder\.onnx: with its new attention, other-cpu does not .* differs is site 0$/,
      hint: 'choose another kernel',
    },
  );
});

test('a past is named where it is wrong behind one, and numbers that are none are told', async () => {
  await assert.rejects(judged(changing((tensor, past) => scaled(tensor, past === 5 ? 0 : 1))), {
    message: /with a past of 5: output logits/,
  });
  await assert.rejects(judged(changing((tensor) => scaled(tensor, NaN))), { message: /output logits: the changed element 0 is NaN/ });
});

test('sizes at which it does not run say nothing, and the others are judged; what runs at none has not passed', async () => {
  await assert.rejects(judged(changing(() => undefined)), {
    code: 'UNSUPPORTED',
    message: 'decoder.onnx: other-cpu ran it on no random inputs: not at this size',
  });
  await judged(changing((tensor, past) => (past === 0 ? tensor : undefined)));
  const wrong = changing((tensor, past) => (past === 0 ? scaled(tensor, 1.5) : undefined));
  await assert.rejects(judged(wrong), { message: /with an empty past/ });
});

test('devices and models that round are allowed more, but not anything', async () => {
  const off = (factor: number) => changing((tensor) => scaled(tensor, factor));
  await assert.rejects(judged(off(1.05)), { message: /differs by 0\.050 of its size/ });
  await judged(off(1.05), { backend: 'other-npu' });
  await assert.rejects(judged(off(1.2), { backend: 'other-npu' }), { message: /differs by 0\.20 of its size/ });
});

test('a backend that reads its models itself is not run', async () => {
  const opened = { ...onnx, openModel: () => assert.fail('opened') };
  await judged(opened);
});
