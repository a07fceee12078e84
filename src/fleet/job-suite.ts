import { AttnswapError } from '../contract/errors.ts';
import type { Suite } from '../contract/suite.ts';
import { builtInSuites } from '../loading/built-in.ts';
import { hashOfSuite, loadSuite } from '../loading/suite.ts';
import type { LoadedSuite } from '../loading/suite.ts';
import type { JobSuite } from './documents.ts';

/** Cells of one suite. */
const mostCells = 10_000;
const kindsOfInputs = ['gaussian', 'calibrated'];

const isBuiltIn = (name: string): boolean => (builtInSuites as readonly string[]).includes(name);

/** How a suite travels: a built-in one by name, another one as its data. @throws INVALID_SUITE where it needs code or files */
export function jobSuite(nameOrPath: string, { suite, sha256 }: LoadedSuite): JobSuite {
  return isBuiltIn(nameOrPath) ? { name: nameOrPath, sha256 } : { data: withoutCode(suite), sha256 };
}

/** The suite that a job names or carries. @throws UNKNOWN_SUITE, INVALID_SUITE */
export async function suiteOfJob(job: JobSuite): Promise<LoadedSuite> {
  if ('data' in job) {
    const suite = withoutCode(job.data);
    if (hashOfSuite(suite) === job.sha256) return { suite, sha256: job.sha256, adapters: [] };
    throw new AttnswapError('INVALID_SUITE', `the suite ${suite.name} is not the one whose hash the job has`, { hint: 'submit it again' });
  }
  if (!isBuiltIn(job.name)) {
    throw new AttnswapError('UNKNOWN_SUITE', `this installation has no suite ${JSON.stringify(job.name)}`, {
      hint: `expected one of ${builtInSuites.join(', ')}, or the suite's data`,
    });
  }
  const loaded = await loadSuite(job.name);
  if (loaded.sha256 === job.sha256) return loaded;
  throw new AttnswapError(
    'INVALID_SUITE',
    `the suite ${job.name} of this installation has the hash ${loaded.sha256.slice(0, 12)}, the job's ${job.sha256.slice(0, 12)}`,
    { hint: 'install the same version of attnswap on all hosts' },
  );
}

function withoutCode(suite: Suite): Suite {
  const { matrix } = suite;
  const refuse = (what: string, hint: string) => {
    throw new AttnswapError('INVALID_SUITE', `${suite.name}: ${what}`, { hint });
  };
  if (suite.adapters.length + suite.workers.length > 0)
    refuse('names adapters or workers, which are code; a fleet accepts only data', 'leave them out');
  const inputs = matrix.inputs.find((kind) => !kindsOfInputs.includes(kind));
  if (inputs !== undefined)
    refuse(
      `inputs ${JSON.stringify(inputs)}, expected ${kindsOfInputs.join(' or ')}: a fleet accepts no files`,
      'use randomly drawn inputs',
    );
  const { lengths, shapes, ...others } = matrix;
  const lists = [[...lengths, ...shapes], ...Object.values(others).filter((each) => Array.isArray(each))];
  const cells = lists.reduce((product, { length }) => product * length, 1);
  if (cells > mostCells) refuse(`declares ${cells} cells, expected at most ${mostCells}`, 'split it into several suites');
  return suite;
}
