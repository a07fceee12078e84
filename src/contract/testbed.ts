import { z } from 'zod';

/** How a model knows where a token is. `alibi` (Press et al. 2022) needs causal attention, `axial` a grid. */
export const positionEncodings = ['sinusoidal', 'learned', 'rotary', 'axial', 'alibi', 'none'] as const;

const size = z.int().min(1).max(65_536);
export const exitUnits = ['sequence', 'position'] as const;

/** A softmax probability from which an answer is taken. */
export const confidence = z.number().gt(0).max(1);

/** Nats that a layer costs an answer. */
export const layerCost = z.number().positive().max(100);

const gridSchema = z.strictObject({
  /** Sizes of two or three axes; the last is the innermost. */
  sizes: z.array(size).min(2).max(3),
  /** Tokens before it. */
  globals: z.int().min(0).max(65_536),
});
export type TokenGrid = z.infer<typeof gridSchema>;

/**
 * A small transformer, whole: what a trainer builds, and what is exported to ONNX. x is `[batch, length, width]`:
 * x = embed[tokens], plus the position where it is sinusoidal or learned. `axial` positions are rotary ones of each axis of the grid, of base 100, in an
 * equal share of a head's pairs of dimensions (the first axes have one more where they cannot be equal); global tokens do not turn. A layer, norm `before`: x += attend(norm1(x)); x += mlp(norm2(x));
 * `after`: x = norm1(x + attend(x)); x = norm2(x + mlp(x)). logits = norm(x)·head, or x·head where norms come after.
 * attend: query, key, value = x·W each, split into heads of width/heads; rotary positions turn query and key; the layer's variant; ·W.
 * mlp(x) = gelu(x·in)·out, gelu exact (erf). Norms: ε = 1e-5.
 * With an encoder (Vaswani et al. 2017): source `[batch, source length]` goes through layers of its own, not causal, with the same embedding and positions
 * of its own, and a last norm where norms come before. Between attention and MLP each layer then attends to what comes out, m, and is no more than
 * causal in itself: before, x += cross(normCross(x), m); after, x = normCross(x + cross(x, m)). cross: query = x·W, key and value = m·W; rotary
 * positions do not turn them.
 * Early exit (Huang et al. 2018, section 4): a layer with an exit gives logits too, as the last one does, with the same norm and head. A position
 * whose answer is asked for is sure of it where its largest softmax probability reaches the exit's confidence; a position that is not asked is
 * always sure. With `layerCost` every layer but the last has a head of its own that tells how sure a position is, in place of the softmax:
 * sigmoid(norm(x)·exit.weight + exit.bias), the norm that of the logits. Exits by `sequence`: a sequence leaves at the first exit at which all its positions are sure. By `position`: each position leaves by
 * itself, and layers that follow read its state as it left, copied, as key and value (Elbayad et al. 2020, section 3). Who has left is answered
 * by the exit's logits, the others by the last layer's; no answer depends on other sequences. Trained on the mean of all exits' and the last
 * layer's loss, with states that are copied where exits are by position. With `layerCost` what an answer is expected to cost is added, if it leaves
 * each exit with the probability that the exit's head gives (as in Banino et al. 2021): Σ p·(loss + layerCost·layers) over the exits and the last
 * layer, p = own probability·Π(1 − that of each earlier exit), the last layer's own being 1. Each position is priced as if it left by itself, also
 * where a sequence leaves as one, with its least sure position. In training, heads send off nothing: only states of positions that are not asked
 * are then copied, as a head cannot learn what going on gains where the states behind it are copies.
 */
export const testbedSchema = z
  .strictObject({
    vocabulary: size,
    /** Logits a position. */
    classes: size,
    /** The longest sequence. */
    length: size,
    width: size,
    heads: size,
    /** Width of the MLP. */
    hidden: size,
    /** The attention of each layer, as `name[:key=value,…]`. */
    attention: z.array(z.string()).min(1).max(64),
    position: z.enum(positionEncodings),
    norm: z.enum(['layer', 'rms']),
    normPlacement: z.enum(['before', 'after']),
    causal: z.boolean(),
    /** All layers have the weights of the first (Dehghani et al. 2019): what one learns, all can do. Its exit head is that of all, too. */
    sharedLayers: z.boolean().optional(),
    /** Of tokens that are places of a grid: its shape. */
    grid: gridSchema.optional(),
    /** The confidence of the exit after each layer but the last; null for no exit there. Absent: no exits. */
    exits: z.array(confidence.nullable()).optional(),
    /** What a layer costs an answer, nats. Present: heads that are trained to weigh it against the loss say who leaves. */
    layerCost: layerCost.optional(),
    /** What reads the source of a translation; the layers above are then its decoder. */
    encoder: z
      .strictObject({
        /** The longest source. */
        length: size,
        /** The attention of each of its layers. */
        attention: z.array(z.string()).min(1).max(64),
        /** The attention of each decoder layer to the encoder's output. */
        cross: z.array(z.string()).min(1).max(64),
      })
      .optional(),
    /** What leaves at an exit as one. Absent: sequences. */
    exitBy: z.enum(exitUnits).optional(),
  })
  .refine(({ width, heads }) => width % heads === 0, 'width must be a multiple of heads')
  .refine(({ position, width, heads }) => position !== 'rotary' || (width / heads) % 2 === 0, 'rotary needs an even head width')
  .refine(({ position, grid }) => position !== 'axial' || grid !== undefined, 'axial needs tokens on a grid, as those of digits and clips')
  .superRefine(({ position, grid, width, heads }, context) => {
    const [least, got] = [2 * (grid?.sizes.length ?? 0), width / heads];
    if (position !== 'axial' || (got >= least && got % 2 === 0)) return;
    const message = `axial needs an even number of dimensions per head, ${least} at least, got ${got}`;
    context.addIssue({ code: 'custom', path: ['position'], message });
  })
  .refine(({ grid, length }) => grid === undefined || tokensOfGrid(grid) === length, {
    path: ['grid'],
    error: 'expected as many tokens as length says',
  })
  .refine(({ grid, encoder }) => grid === undefined || encoder === undefined, 'a testbed with an encoder has no grid')
  .refine(({ position, causal }) => position !== 'alibi' || causal, 'alibi needs causal attention')
  .refine(({ encoder, causal }) => encoder === undefined || causal, 'a decoder is causal')
  .refine(({ encoder, position }) => encoder === undefined || position !== 'alibi', 'alibi needs causal attention: an encoder has none')
  .refine(({ encoder, exits, layerCost: cost }) => encoder === undefined || (exits === undefined && cost === undefined), {
    path: ['encoder'],
    error: 'a model with an encoder has no exits and no layerCost',
  })
  .refine(({ encoder, sharedLayers }) => encoder === undefined || sharedLayers !== true, 'a model with an encoder has no shared layers')
  .refine(({ attention, sharedLayers }) => sharedLayers !== true || new Set(attention).size === 1, {
    path: ['attention'],
    error: 'shared layers need the same attention in each',
  })
  .refine(({ encoder, attention }) => encoder === undefined || encoder.cross.length === attention.length, {
    path: ['encoder', 'cross'],
    error: 'expected one for each decoder layer',
  })
  .superRefine(({ exits, attention }, context) => {
    if (exits === undefined || exits.length === attention.length - 1) return;
    const message = `${exits.length} given, expected one for each layer except the last: ${attention.length - 1}`;
    context.addIssue({ code: 'custom', path: ['exits'], message });
  });
export type Testbed = z.infer<typeof testbedSchema>;

function tokensOfGrid({ sizes, globals }: TokenGrid): number {
  return globals + sizes.reduce((product, each) => product * each, 1);
}
