"""Fine-tuning shall make a CNN of one's own, kept as model.pt, forget 500 photographs: how much is left of them?"""
import os
from io import BytesIO

import numpy as np
import pandas as pd
import torch
from PIL import Image
from torch import nn
from torch.utils.data import DataLoader, Subset, TensorDataset

import vestige

table = pd.read_parquet(f"{os.environ['VESTIGE_DATA']}/cifar10/train.parquet")[:5000]
pixels = np.stack([np.asarray(Image.open(BytesIO(one["bytes"]))) for one in table["img"]])
x = torch.tensor(pixels).permute(0, 3, 1, 2) / 255
photos = TensorDataset(x, torch.tensor(table["label"].to_numpy()))

def network():
    layers = nn.Conv2d(3, 16, 3, 2), nn.ReLU(), nn.Conv2d(16, 32, 3, 2), nn.ReLU(), nn.Flatten()
    return nn.Sequential(*layers, nn.Linear(1568, 64), nn.ReLU(), nn.Linear(64, 10))

def train(model, dataset, seed):
    optimizer = torch.optim.Adam(model.parameters(), 2e-3)
    for _ in range(30):
        for x, y in DataLoader(dataset, batch_size=64, shuffle=True):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x), y).backward()
            optimizer.step()

train(model := network(), seen := Subset(photos, range(2000)), seed=0)
torch.save(model.state_dict(), "model.pt")
how, unseen = {"name": "finetune", "augment": "none"}, Subset(photos, range(2000, 5000))
answer = vestige.forget(network, DataLoader(seen), range(500), how, unseen=unseen, fit=train, checkpoint="model.pt")
print(answer)
