import { testTrainer } from '../../src/training/fixtures/trainer-tests.ts';
import { skip } from '../../tests/torch-installed.ts';
import { adapter, workerFolder } from './adapter.ts';
import { findPython } from './python.ts';

const command: [string, ...string[]] = [findPython(), '-B', workerFolder];
testTrainer({ adapter, backend: 'torch-cpu', command, skip, further: true, translates: true });
