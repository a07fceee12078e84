"""attnswap's PyTorch worker: answers on standard output what is asked on standard input, a line each. adapters/PROTOCOL.md."""
from attnswap_torch.loop import main

main()
