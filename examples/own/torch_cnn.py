"""Fine-tuning shall make a network of one's own forget 500 photographs; the verdict shows that it does not."""

import io
import os
import tempfile

import numpy as np
import pandas as pd
import torch
from PIL import Image
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import vestige


def photographs(name, count):
    table = pd.read_parquet(f"{os.environ['VESTIGE_DATA']}/cifar10/{name}.parquet")[:count]
    pixels = np.stack([np.asarray(Image.open(io.BytesIO(image["bytes"]))) for image in table["img"]])
    return TensorDataset(torch.tensor(pixels).permute(0, 3, 1, 2) / 255, torch.tensor(table["label"].to_numpy()))


def network():
    convolutions = nn.Conv2d(3, 16, 3, 2), nn.ReLU(), nn.Conv2d(16, 32, 3, 2), nn.ReLU(), nn.Flatten()
    return nn.Sequential(*convolutions, nn.Linear(1568, 64), nn.ReLU(), nn.Linear(64, 10))


def train(model, dataset, seed):
    optimizer = torch.optim.Adam(model.parameters(), 2e-3)
    for _ in range(30):
        for x, y in DataLoader(dataset, batch_size=64, shuffle=True):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x), y).backward()
            optimizer.step()


seen, unseen = photographs("train", 2000), photographs("test", 3000)
model = network()
train(model, seen, seed=0)
checkpoint = tempfile.mkdtemp() + "/model.pt"
torch.save(model.state_dict(), checkpoint)
who = {"unseen": unseen, "fit": train, "checkpoint": checkpoint}
answer = vestige.forget(network, DataLoader(seen), range(500), how={"name": "finetune", "augment": "none"}, **who)
print(answer)
