"""Trains models of tables on scikit-learn's own and on made-up data, exports them as their users do, and writes NAME.onnx and the first rows of data that
they were not trained on, NAME.json, to a folder."""

import json
import pathlib
import sys
import warnings

import lightgbm
import numpy
import xgboost
from onnxmltools import convert_lightgbm, convert_xgboost
from onnxmltools.convert.common.data_types import FloatTensorType
from skl2onnx import to_onnx
from sklearn import compose, datasets, decomposition, ensemble, linear_model, neighbors, neural_network, pipeline, preprocessing
from sklearn import svm, tree, utils

ROWS = 60


def by_scikit(model, x):
    return to_onnx(model, x[:1], target_opset={"": 17, "ai.onnx.ml": 3})


def by_name_map(model, x):
    """The scores as a tensor, not as a table by label."""
    return to_onnx(model, x[:1], target_opset={"": 17, "ai.onnx.ml": 3}, options={id(model): {"zipmap": False}})


def by(convert):
    return lambda model, x: convert(model, initial_types=[("x", FloatTensorType([None, x.shape[1]]))], target_opset=15)


def by_distances(model, x):
    """With onnxruntime's own operator for them."""
    return to_onnx(model, x[:1], target_opset={"": 17, "ai.onnx.ml": 3}, options={id(model): {"optim": "cdist"}})


def by_kinds(model, x):
    return by(convert_lightgbm)(model.named_steps["model"], x)


def models():
    iris, cancer, wine = datasets.load_iris(), datasets.load_breast_cancer(), datasets.load_wine()
    # Not the diabetes data: its columns have even steps, so that thresholds, midway between two values, are others but for float's last bit.
    x, y = datasets.make_friedman1(500, random_state=0)
    friedman = utils.Bunch(data=x * 10.0 ** (numpy.arange(x.shape[1]) % 6 - 2), target=y)
    scaled = lambda model: pipeline.make_pipeline(preprocessing.StandardScaler(), model)
    yield "linear", linear_model.LinearRegression(), friedman, by_scikit
    yield "logistic", linear_model.LogisticRegression(max_iter=10000), iris, by_scikit
    yield "logistic_raw", linear_model.LogisticRegression(max_iter=10000), cancer, by_name_map
    yield "logistic_scaled", scaled(linear_model.LogisticRegression()), cancer, by_scikit
    yield "min_max", pipeline.make_pipeline(preprocessing.MinMaxScaler(), linear_model.Ridge()), wine, by_scikit
    yield "normalized", pipeline.make_pipeline(preprocessing.Normalizer(), linear_model.LogisticRegression()), iris, by_scikit
    yield "perceptron", scaled(neural_network.MLPClassifier((20,), max_iter=1000, random_state=0)), wine, by_scikit
    yield "tree", tree.DecisionTreeClassifier(random_state=0), iris, by_scikit
    yield "tree_regressor", tree.DecisionTreeRegressor(random_state=0), friedman, by_scikit
    yield "forest", ensemble.RandomForestClassifier(20, random_state=0), cancer, by_name_map
    yield "forest_regressor", ensemble.RandomForestRegressor(20, random_state=0), friedman, by_scikit
    yield "extra_trees", ensemble.ExtraTreesClassifier(20, random_state=0), wine, by_scikit
    yield "boosted", ensemble.GradientBoostingClassifier(random_state=0), cancer, by_scikit
    yield "boosted_three", ensemble.GradientBoostingClassifier(n_estimators=20, random_state=0), wine, by_scikit
    yield "boosted_regressor", ensemble.GradientBoostingRegressor(random_state=0), friedman, by_scikit
    yield "vectors", scaled(svm.SVC()), wine, by_scikit
    yield "vectors_of_pairs", scaled(svm.SVC(kernel="poly", coef0=1.0, decision_function_shape="ovo")), iris, by_scikit
    yield "vectors_two", scaled(svm.SVC()), cancer, by_scikit
    yield "vectors_probable", scaled(svm.SVC(probability=True, random_state=0)), cancer, by_scikit
    yield "vectors_probable_three", scaled(svm.SVC(probability=True, random_state=0)), wine, by_scikit
    of_four = datasets.make_blobs(400, 5, centers=4, cluster_std=4.0, random_state=3)
    four = utils.Bunch(data=of_four[0], target=of_four[1])
    yield "vectors_probable_four", scaled(svm.SVC(probability=True, random_state=0)), four, by_scikit
    yield "vectors_regressor", scaled(svm.SVR()), friedman, by_scikit
    yield "vectors_linear", scaled(svm.SVR(kernel="linear")), friedman, by_scikit
    yield "vectors_sigmoid", scaled(svm.SVR(kernel="sigmoid")), friedman, by_scikit
    light = dict(n_estimators=20, verbose=-1, random_state=0)
    yield "lightgbm", lightgbm.LGBMClassifier(**light), cancer, by(convert_lightgbm)
    yield "lightgbm_three", lightgbm.LGBMClassifier(**light), wine, by(convert_lightgbm)
    # Two columns of kinds rather than sizes, which are asked for by value.
    generator = numpy.random.default_rng(1)
    kinds, effects = generator.integers(0, [12, 5], (600, 2)), generator.normal(size=(12, 5))
    numbers = generator.normal(size=(600, 2))
    kinded = utils.Bunch(data=numpy.hstack([kinds, numbers]), target=effects[kinds[:, 0], kinds[:, 1]] + numbers[:, 0])
    kinds_and = lambda encoder: compose.ColumnTransformer([("kinds", encoder, [0, 1]), ("rest", preprocessing.StandardScaler(), [2, 3])])
    one_hot = preprocessing.OneHotEncoder(sparse_output=False, handle_unknown="ignore")
    yield "encoded", pipeline.make_pipeline(kinds_and(one_hot), linear_model.Ridge()), kinded, by_scikit
    numbered = pipeline.make_pipeline(kinds_and(preprocessing.OrdinalEncoder()), tree.DecisionTreeRegressor(max_depth=6, random_state=0))
    yield "encoded_tree", numbered, kinded, by_scikit
    bins = preprocessing.KBinsDiscretizer(5, encode="onehot-dense", quantile_method="averaged_inverted_cdf")
    yield "binned", pipeline.make_pipeline(bins, linear_model.LogisticRegression(max_iter=1000)), iris, by_scikit
    yield "neighbours", neighbors.KNeighborsClassifier(5), iris, by_scikit
    yield "neighbours_regressor", scaled(neighbors.KNeighborsRegressor(5)), friedman, by_scikit
    yield "neighbours_by_distances", neighbors.KNeighborsRegressor(3), iris, by_distances
    yield "kernel_components", scaled(decomposition.KernelPCA(2, kernel="rbf")), iris, by_scikit
    categorical = lightgbm.LGBMRegressor(**light, min_data_per_group=1, cat_smooth=1.0, max_cat_to_onehot=2)
    yield "lightgbm_kinds", pipeline.Pipeline([("model", categorical)]), kinded, by_kinds
    yield "lightgbm_regressor", lightgbm.LGBMRegressor(**light), friedman, by(convert_lightgbm)
    extreme = dict(n_estimators=20, random_state=0)
    yield "xgboost", xgboost.XGBClassifier(**extreme), cancer, by(convert_xgboost)
    yield "xgboost_three", xgboost.XGBClassifier(**extreme), wine, by(convert_xgboost)
    yield "xgboost_regressor", xgboost.XGBRegressor(**extreme), friedman, by(convert_xgboost)


def main(folder):
    for name, model, data, convert in models():
        order = numpy.random.default_rng(0).permutation(len(data.data))
        x, y = data.data.astype(numpy.float32)[order], data.target[order]
        kinds = {"model__categorical_feature": [0, 1]} if name == "lightgbm_kinds" else {}
        model.fit(x[ROWS:], y[ROWS:], **kinds)
        path = pathlib.Path(folder) / f"{name}.onnx"
        path.write_bytes(convert(model, x).SerializeToString())
        rows = [[{"shape": [1, x.shape[1]], "data": [float(value) for value in row]}] for row in x[:ROWS]]
        path.with_suffix(".json").write_text(json.dumps(rows))


warnings.filterwarnings("ignore")
main(sys.argv[1])
