import { AttnswapError } from '../../contract/errors.ts';
import { exitCodes, print } from '../console.ts';
import { argument, defineCommand } from '../declare.ts';

const shells = ['bash', 'zsh', 'fish'] as const;

export const completion = defineCommand({
  name: 'completion',
  summary: 'print the completion script for bash, zsh or fish',
  arguments: { shell: argument(shells.join(', ')) },
  options: {},
  examples: [
    'attnswap completion bash >> ~/.bashrc',
    'attnswap completion zsh >> ~/.zshrc',
    'attnswap completion fish > ~/.config/fish/completions/attnswap.fish',
  ],
  async run({ shell }) {
    const known = shells.find((name) => name === shell);
    if (known === undefined) throw new AttnswapError('USAGE', `no completion for ${JSON.stringify(shell)}, expected ${shells.join(', ')}`);
    const { completionScript } = await import('../completion-script.ts');
    print(await completionScript(known));
    return exitCodes.pass;
  },
});
