"""The plugins that every worker has, as the same specs that a setting would give."""

# Of what they measure: raised when one of them, or the loop around them all, gives other values than before. A job is
# not continued with another version, so that an upgrade of the service alone must not change it.
__version__ = "0.1.0"

BUILT_IN = (
    "model:tutorial-cnn=worker.plugins.models:TutorialCNN",
    "model:mlp=worker.plugins.models:MLP",
    "model:linear=worker.plugins.models:Linear",
    "model:small-resnet=worker.plugins.models:SmallResNet",
    "model:sklearn=worker.plugins.estimators:sklearn_model",
    "training:sgd-classifier=worker.plugins.training:SGDClassifier",
    "training:sgd-regressor=worker.plugins.regression:SGDRegressor",
    "training:fit-estimator=worker.plugins.estimators:FitEstimator",
    "training:lightning=worker.plugins.lightning:LightningFit",
    "evaluation:classification=worker.plugins.evaluation:Classification",
    "evaluation:regression=worker.plugins.regression:Regression",
    "reset:reset-parameters=worker.plugins.reset:ResetParameters",
    "reset:deepcopy=worker.plugins.reset:DeepCopy",
    "dataset:digits=worker.plugins.datasets:load_digits",
    "dataset:idx=worker.plugins.idx:load_idx",
    "dataset:npz=worker.plugins.datasets:load_npz",
    "dataset:image-folder=worker.plugins.datasets:load_image_folder",
    "dataset:npy=worker.plugins.datasets:load_npy",
    "dataset:tabular=worker.plugins.tabular:load_tabular",
    "dataset:huggingface=worker.plugins.huggingface:load_huggingface",
    "dataset:torchvision=worker.plugins.torchvision:load_torchvision",
)
