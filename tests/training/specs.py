"""The names of the plugins in `plugins`, for processes that do not import what those need."""

SPECS = (
    "dataset:blobs=tests.training.plugins:Blobs",
    "model:linear=tests.training.plugins:Linear",
    "training:descent=tests.training.plugins:Descent",
    "training:misfit=tests.training.plugins:Misfit",
    "evaluation:accuracy=tests.training.plugins:Accuracy",
    "schedule:thirds=tests.training.plugins:Thirds",
    "schedule:too-far=tests.training.plugins:TooFar",
)
