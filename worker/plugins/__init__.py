"""The plugins that every worker has, as the same specs that a setting would give."""

BUILT_IN = (
    "model:tutorial-cnn=worker.plugins.models:TutorialCNN",
    "model:mlp=worker.plugins.models:MLP",
    "model:linear=worker.plugins.models:Linear",
    "model:small-resnet=worker.plugins.models:SmallResNet",
    "training:sgd-classifier=worker.plugins.training:SGDClassifier",
    "evaluation:classification=worker.plugins.evaluation:Classification",
    "reset:reset-parameters=worker.plugins.reset:ResetParameters",
    "reset:deepcopy=worker.plugins.reset:DeepCopy",
    "dataset:digits=worker.plugins.datasets:load_digits",
    "dataset:idx=worker.plugins.idx:load_idx",
    "dataset:npz=worker.plugins.datasets:load_npz",
    "dataset:image-folder=worker.plugins.datasets:load_image_folder",
    "dataset:tabular=worker.plugins.tabular:load_tabular",
)
