import type { Testbed } from '../../../src/contract/testbed.ts';
import type { Engine } from '../engine.ts';
import type { Tf } from '../kernel.ts';
import { constantsOn } from './constants.ts';
import type { Constants } from './constants.ts';
import { registerGradients } from './gradients.ts';
import { productsOf } from './products.ts';
import type { Products } from './products.ts';

/** What the parts of a model share. */
export interface TrainingSite {
  readonly tf: Tf;
  readonly testbed: Testbed;
  readonly products: Products;
  readonly constants: Constants;
}

export function trainingSite(engine: Engine, testbed: Testbed): TrainingSite {
  registerGradients(engine.tf);
  return { tf: engine.tf, testbed, products: productsOf(engine), constants: constantsOn(engine.tf) };
}
