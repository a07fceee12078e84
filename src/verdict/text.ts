export { inert, oneLine, visible } from '../text/untrusted.ts';
