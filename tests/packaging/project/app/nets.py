"""The model that is to be studied: it belongs to the application, and needs the application's own modules."""

from torch import Tensor, nn

from app import CLASSES
from app.settings import PIXELS


class Net(nn.Module):
    """A linear classifier of the digits."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(PIXELS, CLASSES)

    def forward(self, images: Tensor) -> Tensor:
        return self.linear(images.flatten(1))
