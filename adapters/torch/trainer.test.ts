import { testTrainer } from '../../src/training/fixtures/trainer-tests.ts';
import { skip } from '../../tests/torch-installed.ts';
import { adapter } from './adapter.ts';

testTrainer({ adapter, backend: 'torch-cpu', skip, recurrent: true });
