"""The plugins that every worker has, as the same specs that a setting would give."""

# Of what they measure: raised when one of them, or the loop around them all, gives other values than before. A job is
# not continued with another version, so that an upgrade of the service alone must not change it.
__version__ = "0.1.0"

BUILT_IN = (
    "model:tutorial-cnn=sufficiency.plugins.models:TutorialCNN",
    "model:mlp=sufficiency.plugins.models:MLP",
    "model:linear=sufficiency.plugins.models:Linear",
    "model:small-resnet=sufficiency.plugins.models:SmallResNet",
    "model:sklearn=sufficiency.plugins.estimators:sklearn_model",
    "training:sgd-classifier=sufficiency.plugins.training:SGDClassifier",
    "training:sgd-regressor=sufficiency.plugins.regression:SGDRegressor",
    "training:sgd-multilabel=sufficiency.plugins.multilabel:SGDMultilabel",
    "training:fit-estimator=sufficiency.plugins.estimators:FitEstimator",
    "training:lightning=sufficiency.plugins.lightning:LightningFit",
    "evaluation:classification=sufficiency.plugins.evaluation:Classification",
    "evaluation:regression=sufficiency.plugins.regression:Regression",
    "evaluation:multilabel=sufficiency.plugins.multilabel:Multilabel",
    "reset:reset-parameters=sufficiency.plugins.reset:ResetParameters",
    "reset:deepcopy=sufficiency.plugins.reset:DeepCopy",
    "schedule:geometric=sufficiency.plugins.schedules:Geometric",
    "dataset:digits=sufficiency.plugins.datasets:load_digits",
    "dataset:idx=sufficiency.plugins.idx:load_idx",
    "dataset:npz=sufficiency.plugins.datasets:load_npz",
    "dataset:image-folder=sufficiency.plugins.image_folder:load_image_folder",
    "dataset:npy=sufficiency.plugins.datasets:load_npy",
    "dataset:tabular=sufficiency.plugins.tabular:load_tabular",
    "dataset:huggingface=sufficiency.plugins.huggingface:load_huggingface",
    "dataset:torchvision=sufficiency.plugins.torchvision:load_torchvision",
)
