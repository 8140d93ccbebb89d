"""Which of scikit-learn's estimators are for what, so that a job can be refused before scikit-learn is imported.

A test holds it to the scikit-learn that is installed; one of another release that is not here is taken as it is asked
for, and looked at before it is trained.
"""

CLASSIFIERS = (
    *("AdaBoostClassifier", "BaggingClassifier", "BernoulliNB", "CalibratedClassifierCV", "CategoricalNB"),
    *("ClassifierChain", "ComplementNB", "DecisionTreeClassifier", "DummyClassifier", "ExtraTreeClassifier"),
    *("ExtraTreesClassifier", "FixedThresholdClassifier", "GaussianNB", "GaussianProcessClassifier"),
    *("GradientBoostingClassifier", "HistGradientBoostingClassifier", "KNeighborsClassifier", "LabelPropagation"),
    *("LabelSpreading", "LinearDiscriminantAnalysis", "LinearSVC", "LogisticRegression", "LogisticRegressionCV"),
    *("MLPClassifier", "MultiOutputClassifier", "MultinomialNB", "NearestCentroid", "NuSVC", "OneVsOneClassifier"),
    *("OneVsRestClassifier", "OutputCodeClassifier", "PassiveAggressiveClassifier", "Perceptron"),
    *("QuadraticDiscriminantAnalysis", "RadiusNeighborsClassifier", "RandomForestClassifier", "RidgeClassifier"),
    *("RidgeClassifierCV", "SGDClassifier", "SVC", "SelfTrainingClassifier", "StackingClassifier"),
    *("TunedThresholdClassifierCV", "VotingClassifier"),
)
REGRESSORS = (
    *("ARDRegression", "AdaBoostRegressor", "BaggingRegressor", "BayesianRidge", "CCA", "DecisionTreeRegressor"),
    *("DummyRegressor", "ElasticNet", "ElasticNetCV", "ExtraTreeRegressor", "ExtraTreesRegressor", "GammaRegressor"),
    *("GaussianProcessRegressor", "GradientBoostingRegressor", "HistGradientBoostingRegressor", "HuberRegressor"),
    *("IsotonicRegression", "KNeighborsRegressor", "KernelRidge", "Lars", "LarsCV", "Lasso", "LassoCV", "LassoLars"),
    *("LassoLarsCV", "LassoLarsIC", "LinearRegression", "LinearSVR", "MLPRegressor", "MultiOutputRegressor"),
    *("MultiTaskElasticNet", "MultiTaskElasticNetCV", "MultiTaskLasso", "MultiTaskLassoCV", "NuSVR"),
    *("OrthogonalMatchingPursuit", "OrthogonalMatchingPursuitCV", "PLSCanonical", "PLSRegression"),
    *("PassiveAggressiveRegressor", "PoissonRegressor", "QuantileRegressor", "RANSACRegressor"),
    *("RadiusNeighborsRegressor", "RandomForestRegressor", "RegressorChain", "Ridge", "RidgeCV", "SGDRegressor", "SVR"),
    *("StackingRegressor", "TheilSenRegressor", "TransformedTargetRegressor", "TweedieRegressor", "VotingRegressor"),
)
# Of the classifiers, those that take rows of several labels.
SEVERAL_LABELS = (
    *("DecisionTreeClassifier", "DummyClassifier", "ExtraTreeClassifier", "ExtraTreesClassifier"),
    *("KNeighborsClassifier", "MLPClassifier", "RadiusNeighborsClassifier", "RandomForestClassifier"),
    *("RidgeClassifier", "RidgeClassifierCV"),
)

TASKS = {name: ["classification"] + ["multilabel"] * (name in SEVERAL_LABELS) for name in CLASSIFIERS} | {
    name: ["regression"] for name in REGRESSORS
}
