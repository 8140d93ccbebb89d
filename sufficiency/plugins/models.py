"""Small models that need to be told nothing but the dataset: its item shape and its number of classes."""

import math
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

# Whatever an item's target is, as many outputs as the dataset asks for.
FOR_ALL_ARRAYS = ("classification", "regression", "multilabel")

# What has `stacks` leaves a GPU idle by itself, and is trained several models at once.

Count = Annotated[int, Field(ge=1, le=100_000)]


def _image_shape(input_shape: tuple[int, ...]) -> tuple[int, int, int]:
    if len(input_shape) != 3:
        add = "; give the loader layout=chw, or add an axis, and they are images of one channel"
        raise ValueError(
            f"this model takes images (channels, height, width), not items of shape {input_shape}"
            f"{add if len(input_shape) == 2 else ''}"
        )
    channels, height, width = input_shape
    return channels, height, width


class TutorialCNN(nn.Module):
    """The CNN of DataEval's tutorial: two 5×5 convolutions and three dense layers, for images from 9×9 on."""

    tasks = FOR_ALL_ARRAYS
    stacks = True

    def __init__(self, input_shape: tuple[int, ...], num_classes: int) -> None:
        super().__init__()
        channels, height, width = _image_shape(input_shape)
        if min(height, width) < 9:
            raise ValueError(
                f"two 5×5 convolutions need images of at least 9×9, got {height}×{width}; try small-resnet"
            )
        self.conv1 = nn.Conv2d(channels, 6, 5)
        self.conv2 = nn.Conv2d(6, 16, 5)
        self.fc1 = nn.Linear(16 * (height - 8) * (width - 8), 120)
        self.fc2 = nn.Linear(120, 84)
        self.fc3 = nn.Linear(84, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits, shape (N, classes)."""
        x = F.relu(self.conv1(x))
        x = F.relu(self.conv2(x))
        x = F.relu(self.fc1(torch.flatten(x, 1)))
        x = F.relu(self.fc2(x))
        out: Tensor = self.fc3(x)
        return out


class MLP(nn.Module):
    """A multilayer perceptron with ReLU on the flattened item.

    Parameters
    ----------
    hidden : list of int
        Width of each hidden layer.
    dropout : float
        Share of hidden activations dropped in training.
    """

    tasks = FOR_ALL_ARRAYS
    stacks = True

    def __init__(
        self,
        input_shape: tuple[int, ...],
        num_classes: int,
        hidden: Annotated[list[Count], Field(max_length=20)] = [64],  # noqa: B006  (never changed; shown in the schema)
        dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0,
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Flatten()]
        width = math.prod(input_shape)
        for size in hidden:
            layers += [nn.Linear(width, size), nn.ReLU()]
            if dropout:
                layers.append(nn.Dropout(dropout))
            width = size
        self.layers = nn.Sequential(*layers, nn.Linear(width, num_classes))

    def forward(self, x: Tensor) -> Tensor:
        """Return logits, shape (N, classes)."""
        out: Tensor = self.layers(x)
        return out


class Linear(nn.Module):
    """Multinomial logistic regression on the flattened item."""

    tasks = FOR_ALL_ARRAYS
    stacks = True

    def __init__(self, input_shape: tuple[int, ...], num_classes: int) -> None:
        super().__init__()
        self.layer = nn.Linear(math.prod(input_shape), num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits, shape (N, classes)."""
        out: Tensor = self.layer(torch.flatten(x, 1))
        return out


class _ResidualBlock(nn.Module):
    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.norm1 = nn.GroupNorm(math.gcd(8, outputs), outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.norm2 = nn.GroupNorm(math.gcd(8, outputs), outputs)
        same = inputs == outputs and stride == 1
        self.skip = nn.Identity() if same else nn.Conv2d(inputs, outputs, 1, stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        out = F.relu(self.norm1(self.conv1(x)))
        return F.relu(self.norm2(self.conv2(out)) + self.skip(x))


class SmallResNet(nn.Module):
    """A small residual CNN with group normalisation, so that batches of any size train alike.

    Parameters
    ----------
    width : int
        Channels of the first stage; each further stage doubles them and halves the image.
    stages : int
        Number of stages.
    blocks : int
        Residual blocks in a stage.
    """

    tasks = FOR_ALL_ARRAYS

    def __init__(
        self,
        input_shape: tuple[int, ...],
        num_classes: int,
        width: Annotated[int, Field(ge=1, le=1024)] = 16,
        stages: Annotated[int, Field(ge=1, le=6)] = 3,
        blocks: Annotated[int, Field(ge=1, le=20)] = 1,
    ) -> None:
        super().__init__()
        channels, _, _ = _image_shape(input_shape)
        layers: list[nn.Module] = [nn.Conv2d(channels, width, 3, padding=1, bias=False), nn.ReLU()]
        inputs = width
        for stage in range(stages):
            outputs = width * 2**stage
            for block in range(blocks):
                layers.append(_ResidualBlock(inputs, outputs, 2 if stage and not block else 1))
                inputs = outputs
        self.features = nn.Sequential(*layers)
        self.head = nn.Linear(inputs, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits, shape (N, classes)."""
        out: Tensor = self.head(self.features(x).mean(dim=(2, 3)))
        return out
