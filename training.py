import sys
import time

import torch

if __name__ == "__main__":
    loader = torch.utils.data.DataLoader(
        torch.arange(1000), batch_size=1, num_workers=2, multiprocessing_context=sys.argv[1], persistent_workers=True
    )
    batches = iter(loader)
    next(batches)
    print("ready", flush=True)
    time.sleep(600)
