import { z } from 'zod';

/** How a model knows where a token is. `alibi` (Press et al. 2022) needs causal attention. */
export const positionEncodings = ['sinusoidal', 'learned', 'rotary', 'alibi', 'none'] as const;
export type PositionEncoding = (typeof positionEncodings)[number];

const size = z.int().min(1).max(65_536);

/**
 * A small transformer, whole: what a trainer builds, and what is exported to ONNX. x is `[batch, length, width]`:
 * x = embed[tokens], plus the position where it is sinusoidal or learned. A layer, norm `before`: x += attend(norm1(x)); x += mlp(norm2(x));
 * `after`: x = norm1(x + attend(x)); x = norm2(x + mlp(x)). logits = norm(x)·head, or x·head where norms come after.
 * attend: query, key, value = x·W each, split into heads of width/heads; rotary positions turn query and key; the layer's variant; ·W.
 * mlp(x) = gelu(x·in)·out, gelu exact (erf). Norms: ε = 1e-5.
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
  })
  .refine(({ width, heads }) => width % heads === 0, 'width must be a multiple of heads')
  .refine(({ position, width, heads }) => position !== 'rotary' || (width / heads) % 2 === 0, 'rotary needs heads of even width')
  .refine(({ position, causal }) => position !== 'alibi' || causal, 'alibi needs causal attention');
export type Testbed = z.infer<typeof testbedSchema>;
